# What looking does to an application near its memory limit, and what each question takes of that memory. Dot-sourced by
# bench.ps1 and room_figures.ps1. It sees the pods' control groups: the node has to be this machine, and it takes root.

$script:RoomLimit = 128
$script:RoomTarget = Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'room_target.py')
$script:RoomSpare = 8

# Each question: the session that it takes, and how it is asked. It answers with objects.
$script:RoomQuestions = @(
    @{ Name = 'Get-PyProcess'; Session = 'General'; Ask = { $args[0] | Get-PyProcess } }
    @{ Name = 'Get-PyStack'; Session = 'General'; Ask = { $args[0] | Get-PyStack } }
    @{ Name = 'Get-PyTask'; Session = 'General'; Ask = { $args[0] | Get-PyTask } }
    @{ Name = 'Watch-PyProcess'; Session = 'General'; Ask = { $args[0] | Watch-PyProcess -DurationSeconds 6 } }
    @{
        Name = 'Measure-PyTime, memory'; Session = 'General'
        Ask  = { $args[0] | Measure-PyTime -DurationSeconds 2 -Method Memory }
    }
    @{
        Name = 'Measure-PyTime, kernel'; Session = 'Time'
        Ask  = { $args[0] | Measure-PyTime -DurationSeconds 2 -Method Kernel }
    }
    @{ Name = 'Invoke-PySpy'; Session = 'General'; Ask = { $args[0] | Invoke-PySpy } }
    @{
        Name = 'Invoke-PySpy -Record'; Session = 'General'
        Ask  = { $args[0] | Invoke-PySpy -Record -DurationSeconds 2 -IncludeIdle }
    }
    @{ Name = 'Get-PyHeap'; Session = 'General'; Ask = { $args[0] | Get-PyHeap } }
    @{
        Name = 'Get-MemrayReport'; Session = 'General'
        Ask  = { $args[0] | Get-MemrayReport -DurationSeconds 2 -Confirm:$false }
    }
    @{
        Name = 'Invoke-Bpftrace'; Session = 'Tools'
        Ask  = { $args[0] | Invoke-Bpftrace -Program 'BEGIN { printf("seen\n"); exit(); }' -DurationSeconds 2 }
    }
)

function Test-RoomPlace {
    # Whether the pods' groups can be seen from here; says what is missing.
    $root = (Test-Path '/sys/fs/cgroup/memory') ? '/sys/fs/cgroup/memory' : '/sys/fs/cgroup'
    if ((id -u) -eq '0' -and $env:PYDEBUG_TEST_KIND -in 'cluster', 'sandbox' -and (Test-Path $root)) {
        return $true
    }
    Write-Warning 'SKIPPED: the room that looking leaves. Missing: root, on the node itself (tests/cluster/with).'
    return $false
}

function Invoke-Room {
    # One of room.py's actions for a pod made by New-RoomPod.
    param([string] $Action, [psobject] $Pod, [string] $Container = $Pod.Container, [Nullable[double]] $Mebibytes)
    $words = @($Action, $Pod.Uid, $Container) + @($null -ne $Mebibytes ? $Mebibytes : @())
    $said = & python3 -B (Join-Path $PSScriptRoot 'room.py') @words 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "room.py $($words -join ' '): $said"
    }
    return $said | ConvertFrom-Json
}

function New-RoomPod {
    # A pod of the service, Guaranteed or Burstable. The kubelet gives the latter's processes 999 of 1000 points.
    param([string] $Namespace, [string] $Quality, [int] $Limit = $script:RoomLimit)
    $container = New-TestContainer -Image 'py313' -Command 'python3', '-u', '-c', $script:RoomTarget
    $container.resources = $Quality -eq 'Guaranteed' ?
        @{ limits = @{ memory = "${Limit}Mi"; cpu = '1' } } :
        @{ limits = @{ memory = "${Limit}Mi" }; requests = @{ memory = '1Mi' } }
    $name = New-TestPod -Namespace $Namespace -Containers $container -ReadyLog 'ready'
    $pod = Get-TestPod $Namespace $name
    $made = [pscustomobject]@{
        Name = $name; Uid = $pod.metadata.uid; Container = ''; Started = 0; Sessions = @{}
        Quality = $Quality; Limit = $Limit
    }
    $made.Container = Get-RoomContainer $pod
    $made.Started = (Invoke-Room state $made).started
    return $made
}

function Get-RoomContainer {
    # The id of a container of a pod, as its control group is called: the service's, or a debug container's.
    param([psobject] $Pod, [string] $Name)
    $states = $Name ? $Pod.status.ephemeralContainerStatuses : $Pod.status.containerStatuses
    return (@($states | Where-Object { -not $Name -or $_.name -eq $Name })[0].containerID -split '/')[-1]
}

function Start-RoomSession {
    # The session that a question takes, started while there is room.
    param([string] $Namespace, [psobject] $Pod, [string] $Kind, [hashtable] $As)
    if (-not $Pod.Sessions.ContainsKey($Kind)) {
        $more = switch ($Kind) {
            'General' { @{ SecurityProfile = 'General' } }
            'Time' { @{ For = 'Time' } }
            'Tools' { @{ For = 'Bpftrace'; Image = 'pydebug.test/debug-tools:1' } }
        }
        $Pod.Sessions[$Kind] = Start-PodDebug -Namespace $Namespace -PodName $Pod.Name @more @As -WarningAction Ignore
    }
    return $Pod.Sessions[$Kind]
}

function New-RoomUser {
    # A service account that may do what deploy/role.yaml says, as parameters: what pods use is not told to it.
    param([string] $Namespace)
    Invoke-TestApi POST "/api/v1/namespaces/$Namespace/serviceaccounts" @{ metadata = @{ name = 'asks' } } | Out-Null
    $binding = @{
        metadata = @{ name = 'asks' }
        roleRef  = @{ apiGroup = 'rbac.authorization.k8s.io'; kind = 'Role'; name = 'pydebug' }
        subjects = @(@{ kind = 'ServiceAccount'; name = 'asks'; namespace = $Namespace })
    }
    $group = "/apis/rbac.authorization.k8s.io/v1/namespaces/$Namespace"
    $role = ConvertFrom-Manifest (Join-Path $script:Repository 'deploy/role.yaml')
    Invoke-TestApi POST "$group/roles" $role | Out-Null
    Invoke-TestApi POST "$group/rolebindings" $binding | Out-Null
    $path = "/api/v1/namespaces/$Namespace/serviceaccounts/asks/token"
    $token = (Invoke-TestApi POST $path @{ spec = @{ expirationSeconds = 36000 } }).status.token
    return @{
        Server                   = "$($script:Server.Address)"
        AccessToken              = ConvertTo-SecureString $token -AsPlainText -Force
        CertificateAuthorityData = [Convert]::ToBase64String($script:Server.Authority)
    }
}

function Invoke-RoomTry {
    # One question, or the null control, with so much left: what came of it, and whether the service lives.
    param([psobject] $Pod, [scriptblock] $Ask, [double] $Room)
    $left = Invoke-Room leave $Pod -Mebibytes $Room
    $before = Invoke-Room state $Pod
    $failure = Get-Failure -Any $Ask
    $after = Invoke-Room state $Pod
    $id = $failure.First ? (Get-ErrorId $failure.First) : ''
    $said = [regex]::Match("$($failure.First)", 'needs ([0-9.]+) MiB.* (less is|([0-9.]+) MiB (?:are )?) ?left')
    $answered = $failure.Errors.Count -eq 0 -and $failure.Output.Count
    return [pscustomobject]@{
        Left    = $left / 1MB
        Outcome = $answered ? 'answered' : $id -match 'MemoryLow' ? 'refused' : 'failed'
        # What it lacks, as it says; of what the kernel ended it is known what it began with.
        Lacks   = -not $said.Success ? 0 : [double]$said.Groups[1].Value -
            ($said.Groups[3].Success ? [double]$said.Groups[3].Value : $left / 1MB)
        Says    = "$($failure.First)"
        Ended   = $after.killed - $before.killed
        Lives   = $after.started -eq $Pod.Started
    }
}

function New-NullContainer {
    # A debug container that does nothing, beside the service; returns once it runs or cannot.
    param([string] $Namespace, [psobject] $Pod)
    $name = "null-$([Guid]::NewGuid().ToString('n').Substring(0, 6))"
    $container = @{
        name = $name; image = 'pydebug.test/py313:1'; imagePullPolicy = 'IfNotPresent'; targetContainerName = 'web'
        command = @('sleep', 'infinity')
    }
    $path = "/api/v1/namespaces/$Namespace/pods/$($Pod.Name)/ephemeralcontainers"
    $body = @{ spec = @{ ephemeralContainers = @($container) } }
    Invoke-TestApi PATCH $path $body 'application/strategic-merge-patch+json' | Out-Null
    Wait-Until -What "null control $name" -Seconds 120 {
        $status = (Get-TestPod $Namespace $Pod.Name).status
        $all = @($status.PSObject.Properties['ephemeralContainerStatuses'] ? $status.ephemeralContainerStatuses : @())
        $state = ($all | Where-Object name -EQ $name).state
        # Where too little is left for the runtime itself it does not come to run.
        $waits = $state -and $state.PSObject.Properties['waiting'] ? $state.waiting.reason : ''
        $state -and ($waits -eq '' -or $waits -match 'Error') ? $name : $null
    }
}

function Get-RoomFigure {
    # What a module's session and questions take, each as the list of what was measured.
    param([string] $Of, [int] $Runs)
    $program, $arguments = Get-PwshCommand
    $script = Join-Path $PSScriptRoot 'room_figures.ps1'
    $lines = @(& $program @arguments -NoProfile -NonInteractive -File $script -Module $Of -Runs $Runs)
    if ($LASTEXITCODE -ne 0) {
        throw "room_figures.ps1 ended with exit code ${LASTEXITCODE}: $($lines -join "`n")"
    }
    $found = [ordered]@{}
    foreach ($figure in $lines[-1] | ConvertFrom-Json) {
        $found[$figure.Name] = @($found[$figure.Name]) + ($figure.Bytes / 1MB) | Where-Object { $null -ne $_ }
    }
    return $found
}

function Measure-RoomFigures {
    # The peak of each question in the debug container's group, and the session at rest; beside them an earlier build's.
    param([string] $Module, [string] $Before, [int] $Runs)
    if (-not (Test-RoomPlace)) {
        return
    }
    if (-not $Before) {
        Write-Warning 'SKIPPED: memory against an earlier build. Missing: its module folder, in PYDEBUG_BENCH_BEFORE.'
    }
    $now = Get-RoomFigure $Module $Runs
    $then = $Before ? (Get-RoomFigure $Before $Runs) : @{}
    foreach ($name in $now.Keys) {
        New-Result "Memory, $name" $now[$name] 'MiB'
        if ($then[$name]) {
            New-Result "Memory, $name, before" $then[$name] 'MiB'
            $ratio = (Get-Quantile $now[$name] 0.5) / (Get-Quantile $then[$name] 0.5)
            New-Result "Memory, $name, ratio" $ratio 'ratio' 0.7
        }
    }
}
