# How long it takes from a pod's name to its Python stacks, against kubectl debug and py-spy in the same run; and what
# Measure-PyTime costs its target, against py-spy (time.ps1); and what Get-MemrayReport costs its own, against memray's
# attach (memray.ps1); and what Get-PyHeap finds and costs, against what the target says of itself (heap.ps1); and what
# comes through an exec stream, against kubectl cp (stream.ps1); and what looking does to an application near its memory
# limit (room.ps1); and what Watch-PyProcess takes and costs, against nothing (watch.ps1); and many pods asked at once,
# against xargs and kubectl exec (fleet.ps1); and how questions end whose client goes (ends.ps1); and how long a
# question holds a thread of its target (pauses.py); and the readers against changed inputs. What a first answer takes
# of the client's CPU is held against an earlier build's (first.ps1).
# Started by build.ps1 -Task Bench, with the cluster in PYDEBUG_TEST_KUBECONFIG and its kind in PYDEBUG_TEST_KIND.
# The peers are kubectl on PATH, and py-spy from PYDEBUG_PYSPY or PATH; what lacks its peer is skipped and says so.
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $Report,
    [int] $Runs = 7,
    [int] $ColdRuns = 5,
    [int] $FirstRuns = 20,
    [int] $EndRuns = 500,
    [double] $EndSeconds = 86400,
    [int] $TimeRuns = 8,
    [int[]] $Switches = @(500, 5000, 50000, 150000),
    [int] $MemrayRuns = 5,
    [int] $HeapRuns = 3,
    [int] $StreamMegabytes = 1024,
    [int] $StreamRuns = 3,
    [int] $Transfers = 10000,
    [int] $Recoveries = 1000,
    [string] $Rooms = '2,4,6,8,12,16,20,26,32,40',
    [int] $Nulls = 2,
    [int] $FigureRuns = 3,
    [int] $WatchPairs = 5,
    [int] $WatchSeconds = 60,
    [int] $WatchRuns = 3,
    [int] $FleetRuns = 5,
    [int] $ManyRuns = 3,
    [int] $PauseRuns = 30,
    [int] $FuzzTimes = 50,
    [ValidateSet('Stacks', 'Time', 'Memray', 'Heap', 'Stream', 'Room', 'Watch', 'Fleet', 'Ends', 'Pauses', 'Fuzz')]
    [string[]] $Only = @(
        'Stacks', 'Time', 'Memray', 'Heap', 'Stream', 'Room', 'Watch', 'Fleet', 'Ends', 'Pauses', 'Fuzz')
)

$env:PYDEBUG_MODULE = $Module
. (Join-Path (Split-Path $PSScriptRoot) 'common.ps1')
. (Join-Path (Split-Path $PSScriptRoot) 'manifests.ps1')
. (Join-Path $PSScriptRoot 'measure.ps1')
. (Join-Path $PSScriptRoot 'time.ps1')
. (Join-Path $PSScriptRoot 'memray.ps1')
. (Join-Path $PSScriptRoot 'ends.ps1')
. (Join-Path $PSScriptRoot 'heap.ps1')
. (Join-Path $PSScriptRoot 'stream.ps1')
. (Join-Path $PSScriptRoot 'room.ps1')
. (Join-Path $PSScriptRoot 'room_tries.ps1')
. (Join-Path $PSScriptRoot 'watch.ps1')
. (Join-Path $PSScriptRoot 'first.ps1')
. (Join-Path $PSScriptRoot 'fleet.ps1')

$script:PeerImage = 'bench-pyspy'
$script:ColdGoal = 1.0
$script:WarmGoal = 0.8

# A service with the given number of threads that wait, in each of the given number of processes.
$script:Service = @'
import os, sys, threading, time

def wait(event):
    event.wait()

def outer(event, depth):
    return outer(event, depth - 1) if depth else wait(event)

threads, processes = int(sys.argv[1]), int(sys.argv[2])
for _ in range(processes - 1):
    if os.fork() == 0:
        break
event = threading.Event()
for _ in range(threads - 1):
    threading.Thread(target=outer, args=(event, 10), daemon=True).start()
print('waiting', flush=True)
while True:
    time.sleep(3600)
'@

function Find-Peer {
    # The path of py-spy, or nothing after a warning that says what is missing.
    $pyspy = $env:PYDEBUG_PYSPY
    if (-not $pyspy) {
        $pyspy = (Get-Command py-spy -CommandType Application -ErrorAction Ignore | Select-Object -First 1).Source
    }
    $missing = @()
    if (-not (Get-Command kubectl -CommandType Application -ErrorAction Ignore)) {
        $missing += 'kubectl (1.31 or later, on PATH)'
    }
    if (-not $pyspy -or -not (Test-Path -LiteralPath $pyspy)) {
        $missing += 'py-spy (in PYDEBUG_PYSPY or on PATH)'
    }
    if ($missing) {
        Write-Warning "SKIPPED: every benchmark against kubectl and py-spy. Missing: $($missing -join ', ')."
        return
    }
    return $pyspy
}

function New-PeerImage {
    # The tools image with py-spy in it, where the cluster finds it.
    param([string] $PySpy)
    $images = New-TestImage 'tools'
    $folder = Join-Path $images $script:PeerImage
    if (Test-Path -LiteralPath $folder) {
        Remove-Item -LiteralPath $folder -Recurse -Force
    }
    & cp --archive --link (Join-Path $images 'tools') $folder
    & cp $PySpy (Join-Path $folder 'rootfs/usr/bin/py-spy')
    & chmod 755 (Join-Path $folder 'rootfs/usr/bin/py-spy')
    if ($env:PYDEBUG_TEST_KIND -eq 'cluster') {
        & (Join-Path (Split-Path $PSScriptRoot) 'cluster/cluster') load $folder | Out-Host
        if ($LASTEXITCODE -ne 0) {
            throw "The image with py-spy was not loaded (exit code $LASTEXITCODE)."
        }
    }
    return $folder
}

function New-Service {
    # A pod of the service; gives its name once every thread of every process waits.
    param([string] $Namespace, [int] $Threads, [int] $Processes)
    $command = 'python3', '-c', $script:Service, $Threads, $Processes
    $name = New-TestPod -Namespace $Namespace -Image 'py313' -Command $command
    Wait-Until -What "the service in $name" {
        $log = [string](Invoke-TestApi GET "/api/v1/namespaces/$Namespace/pods/$name/log" -AsText)
        @($log -split "`n" -eq 'waiting').Count -eq $Processes
    } | Out-Null
    return $name
}

function Invoke-Kubectl {
    # kubectl as a user runs it; its output counts as read when it ends.
    $output = & kubectl @args 2>&1
    if ($LASTEXITCODE -ne 0) {
        throw "kubectl $($args -join ' ') ended with exit code ${LASTEXITCODE}: $output"
    }
    return $output
}

function New-PeerContainer {
    # kubectl debug, and the wait until its container runs; gives the container's name.
    param([string] $Namespace, [string] $Pod)
    $container = "peer-$([Guid]::NewGuid().ToString('n').Substring(0, 5))"
    Invoke-Kubectl debug --namespace $Namespace $Pod --image "pydebug.test/$($script:PeerImage):1" `
        --image-pull-policy IfNotPresent --target web --profile general --container $container --quiet '--' python3 `
            -c 'import signal; signal.pause()' | Out-Null
    Invoke-Kubectl wait --namespace $Namespace "pod/$Pod" --timeout 60s `
        --for "jsonpath={.status.ephemeralContainerStatuses[?(@.name=='$container')].state.running.startedAt}" |
            Out-Null
    return $container
}

function Get-PeerStack {
    # One dump for each process, as py-spy has it.
    param([string] $Namespace, [string] $Pod, [string] $Container, [int[]] $ProcessId = 1)
    foreach ($process in $ProcessId) {
        Invoke-Kubectl exec --namespace $Namespace $Pod --container $Container '--' py-spy dump --pid $process
    }
}

function Get-Stack {
    # From the pod's name to its stacks, with the number of threads that must be there.
    param([string] $Namespace, [string] $Pod, [int] $Threads, [switch] $Force)
    $stacks = @(Start-PodDebug -Namespace $Namespace -PodName $Pod -Force:$Force | Get-PyStack)
    if ($stacks.Count -ne $Threads -or @($stacks | Where-Object { -not $_.Frames.Count }).Count) {
        throw "Of $Threads threads, $(@($stacks | Where-Object { $_.Frames.Count }).Count) came with frames."
    }
}

function Measure-Warm {
    param([string] $Name, [string] $Namespace, [int] $Threads, [int] $Processes, [Nullable[double]] $Goal)
    $pod = New-Service $Namespace $Threads $Processes
    try {
        $container = New-PeerContainer $Namespace $pod
        Get-Stack $Namespace $pod ($Threads * $Processes)
        $ids = @(Start-PodDebug -Namespace $Namespace -PodName $pod | Get-PyProcess | ForEach-Object ProcessId)
        Get-PeerStack $Namespace $pod $container $ids | Out-Null
        $ours = { Get-Stack $Namespace $pod ($Threads * $Processes) }
        Compare-Way $Name $ours { Get-PeerStack $Namespace $pod $container $ids } $Runs $Goal
    }
    finally {
        Remove-TestPod $Namespace $pod
    }
}

function Measure-Cold {
    # A new debug container each time, on both sides.
    param([string] $Namespace)
    $pod = New-Service $Namespace 5 1
    try {
        Compare-Way 'Pod name to stacks, cold' { Get-Stack $Namespace $pod 5 -Force } {
            Get-PeerStack $Namespace $pod (New-PeerContainer $Namespace $pod)
        } $ColdRuns $script:ColdGoal
    }
    finally {
        Remove-TestPod $Namespace $pod
    }
}

$results = @()
$pyspy = $Only -contains 'Stacks' ? (Find-Peer) : $null
if ($pyspy) {
    $folder = New-PeerImage $pyspy
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    try {
        $results += Measure-Warm 'Pod name to stacks, warm' $namespace 5 1 $script:WarmGoal
        $results += Measure-Cold $namespace
        foreach ($threads in 1, 50, 400) {
            $results += Measure-Warm "Stacks, threads: $threads" $namespace $threads 1
        }
        foreach ($processes in 4, 16) {
            $results += Measure-Warm "Stacks, processes: $processes" $namespace 5 $processes
        }
    }
    finally {
        Remove-TestNamespace $namespace
        Remove-Item -LiteralPath $folder -Recurse -Force
    }
}
if ($Only -contains 'Time') {
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    try {
        foreach ($rate in $Switches) {
            $results += Measure-TimeCost $namespace $rate 8 $TimeRuns
        }
        $results += Measure-TimeCost $namespace 5000 98 $TimeRuns
    }
    finally {
        Remove-TestNamespace $namespace
    }
}
if ($Only -contains 'Memray') {
    $results += Measure-MemrayCost $MemrayRuns
}
if ($Only -contains 'Ends') {
    # How questions end whose client is killed, stopped or has enough.
    $results += Measure-Ends $EndRuns $EndSeconds ([System.IO.Path]::ChangeExtension($Report, 'ends.jsonl'))
}
if ($Only -contains 'Pauses') {
    $said = & python3 -B (Join-Path $PSScriptRoot 'pauses.py') --runs $PauseRuns
    if ($LASTEXITCODE -ne 0) {
        throw "pauses.py ended with exit code $LASTEXITCODE."
    }
    foreach ($pause in $said | ConvertFrom-Json) {
        $results += New-Result $pause.Name $pause.Values $pause.Unit
        $results += New-Result "$($pause.Name), longest" ($pause.Values | Measure-Object -Maximum).Maximum $pause.Unit
    }
}
if ($Only -contains 'Heap') {
    $results += Measure-HeapCost $HeapRuns
}
if ($Only -contains 'Stream') {
    $results += Measure-Stream $StreamMegabytes $StreamRuns $Transfers $Recoveries
}
if ($Only -contains 'Fuzz') {
    $results += Measure-Fuzz $FuzzTimes
}
if ($Only -contains 'Room') {
    $results += Measure-RoomFigures $Module $env:PYDEBUG_BENCH_BEFORE $FigureRuns
    $results += Measure-Room ($Rooms -split ',') $Nulls ([System.IO.Path]::ChangeExtension($Report, 'room.json'))
}
if ($Only -contains 'Stacks') {
    $results += Measure-First $Module $env:PYDEBUG_BENCH_BEFORE $FirstRuns
}
if ($Only -contains 'Watch') {
    $results += Measure-Watch $WatchPairs $WatchSeconds $WatchRuns
}
if ($Only -contains 'Fleet') {
    $results += Measure-Fleet $Module $FleetRuns $ManyRuns
}
ConvertTo-Json -InputObject @($results) -Depth 3 | Set-Content -LiteralPath $Report
$results | Format-Table -AutoSize | Out-String -Width 120 | Write-Host
