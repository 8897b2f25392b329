# The tries of room.ps1: each question at each room, beside a container that does nothing. Dot-sourced by bench.ps1.

$script:RoomQualities = 'Burstable', 'Guaranteed'

function Wait-RoomTold {
    # Until the kubelet's own figure of a pod, which is some seconds old, is that of now.
    param([string] $Namespace, [psobject] $Pod)
    if ($env:PYDEBUG_TEST_KIND -ne 'cluster') {
        return
    }
    $node = (Get-TestPod $Namespace $Pod.Name).spec.nodeName
    Wait-Until -What "the kubelet's figure of pod $($Pod.Name)" -Seconds 90 -Milliseconds 1000 {
        $summary = Invoke-TestApi GET "/api/v1/nodes/$node/proxy/stats/summary?only_cpu_and_memory=true"
        $found = $summary.pods | Where-Object { $_.podRef.uid -eq $Pod.Uid }
        $used = ($found.containers | ForEach-Object { $_.memory.workingSetBytes } | Measure-Object -Sum).Sum
        [Math]::Abs($Pod.Limit * 1MB - (Invoke-Room state $Pod).left - $used) -lt 2MB
    } | Out-Null
}

function Invoke-Filled {
    # A try; where its pod could not be filled, another in another pod: that is told and counted, twice at most.
    param([scriptblock] $Try)
    for ($time = 1; ; $time++) {
        try {
            return & $Try
        }
        catch {
            if ("$_" -notmatch 'room\.py leave' -or $time -eq 3) {
                throw
            }
            $script:RoomUnfilled++
            Write-Host "NOT FILLED: $_"
        }
    }
}

function Get-NullControl {
    # How often a debug container that does nothing, and an exec of nothing in one, had the service killed at this room.
    param([string] $Namespace, [string] $Quality, [double] $Room, [int] $Times)
    $starts = $execs = 0
    for ($time = 0; $time -lt $Times; $time++) {
        $exec = Invoke-Filled {
            $pod = New-RoomPod $Namespace $Quality
            $none = New-NullContainer $Namespace $pod
            # The runtime itself may not get as far as that.
            $ask = { try { Invoke-PodExec $Namespace $pod.Name 'true' -Container $none } catch { "$_" } }
            Invoke-RoomTry $pod $ask $Room
            Remove-TestPod $Namespace $pod.Name
        }
        $execs += -not $exec.Lives
        $start = Invoke-Filled {
            $pod = New-RoomPod $Namespace $Quality
            Invoke-RoomTry $pod { New-NullContainer $Namespace $pod } $Room
            Remove-TestPod $Namespace $pod.Name
        }
        $starts += -not $start.Lives
    }
    return [pscustomobject]@{ Quality = $Quality; Room = $Room; Start = $starts; Exec = $execs }
}

function Invoke-RoomStart {
    # Start-PodDebug itself, in a pod of its own.
    param([string] $Namespace, [string] $Quality, [double] $Room, [bool] $IsKnown, [hashtable] $As)
    $try = Invoke-Filled {
        $pod = New-RoomPod $Namespace $Quality
        if ($IsKnown) {
            Invoke-Room leave $pod -Mebibytes $Room | Out-Null
            Wait-RoomTold $Namespace $pod
        }
        $ask = { Start-PodDebug -Namespace $Namespace -PodName $pod.Name @As -WarningAction Ignore }
        Invoke-RoomTry $pod $ask $Room
        Remove-TestPod $Namespace $pod.Name
    }
    return Add-RoomTry $try 'Start-PodDebug' $Quality $Room $IsKnown
}

function Add-RoomTry {
    # What a try was of.
    param([psobject] $Try, [string] $Question, [string] $Quality, [double] $Room, [bool] $IsKnown)
    $of = [ordered]@{ Question = $Question; Quality = $Quality; Room = $Room; Known = $IsKnown }
    $Try | Add-Member -NotePropertyMembers $of -PassThru
}

function Invoke-RoomCell {
    # Every question at one room in a pod of one quality; a pod whose service was killed is replaced.
    param([string] $Namespace, [string] $Quality, [double] $Room, [bool] $IsKnown, [hashtable] $As, [string[]] $Names)
    $of = @{ Pod = $null }
    $questions = @($script:RoomQuestions | Where-Object { -not $Names -or $_.Name -in $Names } |
            Where-Object { $_.Session -ne 'Tools' -or (Test-RoomTools) })
    foreach ($question in $questions) {
        $try = Invoke-Filled {
            $pod = $of.Pod
            # Until it is known that it is whole.
            $of.Pod = $null
            if (-not $pod) {
                # While there is room for them.
                $pod = New-RoomPod $Namespace $Quality
                $questions.Session | Select-Object -Unique |
                    ForEach-Object { Start-RoomSession $Namespace $pod $_ $As | Out-Null }
            }
            $session = $pod.Sessions[$question.Session]
            $try = Invoke-RoomTry $pod { & $question.Ask $session -WarningAction Ignore } $Room
            if ($try.Lives) {
                $of.Pod = $pod
            }
            else {
                Remove-TestPod $Namespace $pod.Name
            }
            $try
        }
        Add-RoomTry $try $question.Name $Quality $Room $IsKnown
    }
    if ($of.Pod) {
        Remove-TestPod $Namespace $of.Pod.Name
    }
}

function Test-RoomTools {
    $cache = $env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug'
    return Test-Path -LiteralPath (Join-Path $cache 'images/debug-tools/config.json')
}

function Measure-Room {
    # Tries, null controls, and each refusal again with what it lacks and 8 MiB more.
    param([double[]] $Rooms, [int] $Times, [string] $Report)
    if (-not (Test-RoomPlace)) {
        return
    }
    $namespace = New-TestNamespace (New-TestName 'pydebug-room')
    $tries, $nulls, $again = @(), @(), @()
    $script:RoomUnfilled = 0
    try {
        # The sandbox tells nobody what pods use.
        $user = $env:PYDEBUG_TEST_KIND -eq 'cluster' ? (New-RoomUser $namespace) : @{}
        foreach ($quality in $script:RoomQualities) {
            foreach ($room in $Rooms) {
                # Who asks the questions knows the use at every other room.
                $isKnown = [bool]([Array]::IndexOf($Rooms, $room) % 2)
                $tries += Invoke-RoomCell $namespace $quality $room $isKnown ($isKnown ? @{} : $user)
                $tries += Invoke-RoomStart $namespace $quality $room $true @{}
                $tries += Invoke-RoomStart $namespace $quality $room $false $user
                $nulls += Get-NullControl $namespace $quality $room $Times
                Write-RoomLine @($tries | Where-Object { $_.Quality -eq $quality -and $_.Room -eq $room }) $nulls[-1]
            }
        }
        # Those from little room lack the most: one of them stands for the others of a question.
        $refused = $tries | Where-Object Outcome -EQ 'refused' | Group-Object Question, Quality, Known
        $again = @(foreach ($one in $refused) {
                $first = $one.Group | Sort-Object { $_.Room + $_.Lacks } | Select-Object -Last 1
                $as = $first.Known ? @{} : $user
                $more = $first.Room + $first.Lacks + $script:RoomSpare
                $first.Question -eq 'Start-PodDebug' ?
                    (Invoke-RoomStart $namespace $first.Quality $more $first.Known $as) :
                    (Invoke-RoomCell $namespace $first.Quality $more $first.Known $as $first.Question)
            })
    }
    finally {
        @{ tries = $tries; nulls = $nulls; again = $again } | ConvertTo-Json -Depth 4 | Set-Content -LiteralPath $Report
        Remove-TestNamespace $namespace
    }
    Write-RoomTable $tries $nulls $again
    $deaths = @($tries | Where-Object { -not $_.Lives -and -not (Test-Apart $_ $nulls) })
    New-Result 'Tries near the limit' $tries.Count 'tries' 200 -AtLeast
    New-Result 'Applications killed by a look' $deaths.Count 'tries' 0
    $apart = @($tries | Where-Object { -not $_.Lives }).Count - $deaths.Count
    New-Result 'Killed where the null control kills, too' $apart 'tries'
    New-Result 'Tries that fail in another way' @($tries | Where-Object Outcome -EQ 'failed').Count 'tries' 0
    New-Result 'Pods that could not be filled' $script:RoomUnfilled 'pods'
    $passed = @($again | Where-Object { $_.Outcome -eq 'answered' -and $_.Lives }).Count
    New-Result 'Refusals that pass with 8 MiB more' ($again.Count ? 100 * $passed / $again.Count : 100) '%' 100 -AtLeast
}

function Test-Apart {
    # Whether a debug container that does nothing kills as well where this try did.
    param([psobject] $Try, [psobject[]] $Nulls)
    $control = $Nulls | Where-Object { $_.Quality -eq $Try.Quality -and $_.Room -eq $Try.Room }
    return [bool]($Try.Question -eq 'Start-PodDebug' ? $control.Start : $control.Exec)
}

function Write-RoomLine {
    # One cell as it ends.
    param([psobject[]] $Tries, [psobject] $Control)
    $words = $Tries | ForEach-Object {
        "$($_.Question)$($_.Known ? '' : '?'): $($_.Outcome)$($_.Lives ? '' : ' KILLED')"
    }
    $nothing = "null control killed: start $($Control.Start), exec $($Control.Exec)"
    Write-Host "$($Tries[0].Quality) $($Tries[0].Room) MiB [$nothing] $($words -join '; ')"
    $Tries | Where-Object Outcome -EQ 'failed' | ForEach-Object { Write-Host "  $($_.Question): $($_.Says)" }
}

function Write-RoomTable {
    # The tries by question and quality, and the null controls that killed.
    param([psobject[]] $Tries, [psobject[]] $Nulls, [psobject[]] $Again)
    $Tries | Group-Object Question, Quality | ForEach-Object {
        $group = $_.Group
        $same = $Again | Where-Object { $_.Question -eq $group[0].Question -and $_.Quality -eq $group[0].Quality }
        $dead = @($group | Where-Object { -not $_.Lives })
        $answered = @($group | Where-Object Outcome -EQ 'answered')
        $passed = @($same | Where-Object { $_.Outcome -eq 'answered' -and $_.Lives })
        [pscustomobject][ordered]@{
            Question = $group[0].Question
            Quality  = $group[0].Quality
            Tries    = $group.Count
            Answered = $answered.Count
            Refused  = @($group | Where-Object Outcome -EQ 'refused').Count
            Failed   = @($group | Where-Object Outcome -EQ 'failed').Count
            From     = ($answered.Room | Measure-Object -Minimum).Minimum
            Killed   = @($dead | Where-Object { -not (Test-Apart $_ $Nulls) }).Count
            Apart    = @($dead | Where-Object { Test-Apart $_ $Nulls }).Count
            Ours     = ($group | Measure-Object Ended -Sum).Sum - $dead.Count
            Again    = "$($passed.Count) of $(@($same).Count)"
        }
    } | Sort-Object Quality, Question | Format-Table -AutoSize | Out-String -Width 160 | Write-Host
    $Nulls | Where-Object { $_.Start -or $_.Exec } | Format-Table | Out-String | Write-Host
}
