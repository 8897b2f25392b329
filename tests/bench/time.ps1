# What Measure-PyTime costs the process that it looks at, a bystander and the node, against py-spy at the same rate and
# against nothing at all. Dot-sourced by bench.ps1.

$script:Window = 10
$script:Margin = 0.3
$script:Ways = 'nothing', 'nothing again', 'kernel sampler', 'memory sampler', 'py-spy'
$script:RequestLoop = Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'request_loop.py')

function New-RequestLoop {
    # A pod that serves requests with so many context switches a second; gives its name once it serves.
    param([string] $Namespace, [int] $Switches, [int] $Threads, [int] $Processor)
    $command = 'python3', '-u', '-c', $script:RequestLoop, $Switches, $Threads, $Processor
    return New-TestPod -Namespace $Namespace -Image 'py313' -Command $command -ReadyLog '"requests"'
}

function Get-Service {
    # What the loop in a pod did between two moments: requests and switches a second, and the 99th percentile in us.
    param([string] $Namespace, [string] $Pod, [double] $From, [double] $To, [int] $Lines = 80)
    $inside = @(Wait-Until -What "the requests of $Pod" -Seconds 20 {
        $log = [string](Invoke-TestApi GET "/api/v1/namespaces/$Namespace/pods/$Pod/log?tailLines=$Lines" -AsText)
        $blocks = @($log.Trim() -split "`n" | Where-Object { $_ -match '^\{.*\}$' } | ConvertFrom-Json)
        $blocks[-1].to -ge $To ? @($blocks | Where-Object { $_.from -ge $From -and $_.to -le $To }) : $null
    })
    $count = ($inside | Measure-Object requests -Sum).Sum
    $seconds = ($inside | Measure-Object seconds -Sum).Sum
    $slowest = @($inside | ForEach-Object { $_.slowest } | Sort-Object -Descending)
    return [pscustomobject]@{
        Requests = $count / $seconds
        Switches = ($inside | Measure-Object switches -Sum).Sum / $seconds
        P99      = [Math]::Max(1, $slowest[[int][Math]::Floor($count / 100)])
    }
}

function Invoke-Way {
    # Looks at the pod for a window; gives the window's ends in seconds since 1970, and what was written.
    param([string] $Way, [psobject] $Session)
    $epoch = { ([DateTime]$args[0]).ToUniversalTime().Subtract([DateTime]::UnixEpoch).TotalSeconds }
    $answer = $null
    if ($Way -like 'nothing*') {
        $from = & $epoch ([DateTime]::UtcNow)
        Start-Sleep -Seconds $script:Window
        $to = $from + $script:Window
    }
    elseif ($Way -eq 'py-spy') {
        $answer = $Session |
            Invoke-PySpy -Record -DurationSeconds $script:Window -SampleRate 99 -IncludeIdle -WarningAction Ignore
        $to = & $epoch $answer.Timestamp
        $from = $to - $answer.DurationSeconds
    }
    else {
        $method = $Way -eq 'kernel sampler' ? 'Kernel' : 'Memory'
        $answer = $Session | Measure-PyTime -DurationSeconds $script:Window -Method $method -WarningAction Ignore
        $from = & $epoch $answer.Started
        $to = $from + $answer.DurationSeconds
    }
    return [pscustomobject]@{ From = $from + $script:Margin; To = $to - $script:Margin; Answer = $answer }
}

function Measure-TimeCost {
    # One rate of switches: rounds of all ways in random order, each against the same round's window of nothing.
    param([string] $Namespace, [int] $Switches, [int] $Threads, [int] $Runs)
    $pod = New-RequestLoop $Namespace $Switches $Threads 0
    $beside = New-RequestLoop $Namespace 50000 8 1
    $ratios = @{}
    $shares = @{}
    $rates = @()
    try {
        $session = Start-PodDebug -Namespace $Namespace -PodName $pod -For Time
        # The first use of each sends and compiles what later uses find.
        $script:Ways | Select-Object -Skip 2 | ForEach-Object { Invoke-Way $_ $session | Out-Null }
        for ($run = 0; $run -lt $Runs; $run++) {
            $seen = @{}
            foreach ($way in $script:Ways | Get-Random -Shuffle) {
                $window = Invoke-Way $way $session
                $seen[$way] = @{
                    Target    = Get-Service $Namespace $pod $window.From $window.To
                    Bystander = Get-Service $Namespace $beside $window.From $window.To
                }
                if ($window.Answer -is [PyDebug.PyTimeReport]) {
                    $cost = @{ Own = $window.Answer.AgentCpuSeconds; Programs = $window.Answer.ProgramSeconds }
                    foreach ($kind in $cost.Keys | Where-Object { $null -ne $cost[$_] }) {
                        $shares["$way/$kind"] += , ($cost[$kind] / $window.Answer.DurationSeconds)
                    }
                }
            }
            $control = $seen['nothing']
            $rates += $control.Target.Switches
            foreach ($way in $script:Ways | Select-Object -Skip 1) {
                $ratios["$way/p99"] += , ($seen[$way].Target.P99 / $control.Target.P99)
                $ratios["$way/throughput"] += , ($seen[$way].Target.Requests / $control.Target.Requests)
                $ratios["$way/bystander"] += , ($control.Bystander.Requests / $seen[$way].Bystander.Requests)
            }
        }
    }
    finally {
        Remove-TestPod $Namespace $pod
        Remove-TestPod $Namespace $beside
    }
    $about = "$([Math]::Round((Get-Quantile $rates 0.5))) switches/s, $Threads threads"
    foreach ($way in $script:Ways | Select-Object -Skip 1) {
        $kernel = $way -eq 'kernel sampler'
        $p99 = $kernel ? 1.05 : $way -eq 'memory sampler' ? 1.2 : $null
        New-Result "$way at ${about}: p99 of the target, against nothing" $ratios["$way/p99"] 'ratio' $p99
        $throughput = $kernel ? 0.98 : $null
        New-Result ("$way at ${about}: throughput of the target, against " +
            "nothing") $ratios["$way/throughput"] 'ratio' $throughput -AtLeast
        $slower = $kernel ? 1.01 : $null
        New-Result "$way at ${about}: slowdown of a bystander" $ratios["$way/bystander"] 'ratio' $slower
        foreach ($kind in 'Own', 'Programs' | Where-Object { $shares["$way/$_"] }) {
            $goal = $kind -eq 'Programs' ? $null : $kernel ? 0.02 : 0.03
            $what = $kind -eq 'Own' ? 'CPU of the agent' : 'CPU of the kernel''s programs'
            New-Result "$way at ${about}: $what" $shares["$way/$kind"] 'share of a CPU' $goal
        }
    }
    Show-Noise $about $ratios
}

function Show-Noise {
    # What the kernel sampler changed, where that is less than nothing changed between two looks at it.
    param([string] $About, [hashtable] $Ratios)
    foreach ($what in 'p99', 'throughput', 'bystander') {
        $noise = (Get-Quantile $Ratios["nothing again/$what"] 0.75) - (Get-Quantile $Ratios["nothing again/$what"] 0.25)
        $effect = [Math]::Abs((Get-Quantile $Ratios["kernel sampler/$what"] 0.5) - 1)
        if ($noise -gt $effect) {
            Write-Host (("At $About the noise of $what ({0:0.000}) is larger than what the kernel sampler changes " +
                "({1:0.000}).") -f $noise, $effect)
        }
    }
}
