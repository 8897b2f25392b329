# A client that asks many pods at once; started by fleet.ps1, in a PowerShell of its own.
param([string] $Module, [string] $Folder, [int] $Threads, [int] $Each, [int] $Server)
$ErrorActionPreference = 'Stop'
Import-Module $Module
$sessions = Get-Content -Raw -LiteralPath (Join-Path $Folder 'sessions.json') | ConvertFrom-Json

function Get-Cpu {
    # CPU seconds of this client, and of the server with everything that it started and that has ended: runtime and
    # agents.
    $words = (Get-Content -Raw "/proc/$Server/stat").Split(') ')[-1].Split(' ')
    $ticks = ($words[11..14] | Measure-Object -Sum).Sum
    return [System.Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime.TotalSeconds + $ticks / 100
}

function Get-Handle {
    # Open files of this process, and those of them that are sockets.
    $open = @([System.IO.Directory]::GetFiles('/proc/self/fd') |
        ForEach-Object { (Get-Item -LiteralPath $_).LinkTarget })
    return [pscustomobject]@{ Files = $open.Count; Sockets = @($open -like 'socket:*').Count }
}

function Invoke-All {
    # So many questions to each pod at once; gives what came.
    param([int] $Times)
    1..$Times | ForEach-Object -ThrottleLimit $Times -Parallel {
        Import-Module $using:Module
        $using:sessions | Get-PyStack -ThrottleLimit 50
    }
}

if (-not $Each) {
    $count = @($sessions | Get-PyStack -ThrottleLimit 50 | Where-Object { $_.Frames.Count }).Count
    if ($count -ne $Threads * $sessions.Count) {
        throw "Of $($Threads * $sessions.Count) threads, $count came with frames."
    }
    return
}
# Everything is compiled, and each container's code is kept, before it is counted; and every assembly is loaded that as
# many at once need, for each of which the runtime keeps two files open.
Invoke-All $Each | Out-Null
$before = Get-Handle
$cpu = Get-Cpu
$sessions | Select-Object -First 25 | ForEach-Object { $_ | Get-PyStack | Out-Null }
$one = ((Get-Cpu) - $cpu) / 25
$cpu = Get-Cpu
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$count = @(Invoke-All $Each | Where-Object { $_.Frames.Count }).Count
$seconds = $watch.Elapsed.TotalSeconds
$all = (Get-Cpu) - $cpu
if ($count -ne $Each * $Threads * $sessions.Count) {
    throw "Of $($Each * $Threads * $sessions.Count) threads, $count came with frames."
}
# What a closed socket or a runspace leaves is let go of within moments, or never.
$deadline = [DateTime]::UtcNow.AddSeconds(20)
do {
    [GC]::Collect()
    [GC]::WaitForPendingFinalizers()
    Start-Sleep -Milliseconds 200
    $after = Get-Handle
} while ($after.Files -gt $before.Files -and [DateTime]::UtcNow -lt $deadline)
[ordered]@{
    one = $one; all = $all; seconds = $seconds
    files = $after.Files - $before.Files; sockets = $after.Sockets - $before.Sockets
} | ConvertTo-Json -Compress
