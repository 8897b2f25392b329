# Makes trials of how a question ends, on one pod, and writes each as a line of JSON: the command, the way to end, the
# seconds until it was back and until nothing of ours was at work in the pod, and how many processes were left stopped.
# Started by ends.ps1.
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $Namespace,
    [Parameter(Mandatory)] [string] $Pod,
    [Parameter(Mandatory)] [string] $Report,
    [int] $First = 0,
    [int] $Trials = 1,
    [int] $Seed = 1,
    [double] $MostSeconds = 86400
)

$env:PYDEBUG_MODULE = $Module
. (Join-Path (Split-Path $PSScriptRoot) 'common.ps1')

$script:LongestSeconds = 60
$script:Folder = [System.IO.Directory]::CreateTempSubdirectory('pydebug-ends-').FullName
$script:SessionFile = Join-Path $script:Folder 'session.json'
$script:Ways = 'Kill', 'Stop', 'First'
$script:Begin = "`$ProgressPreference = 'SilentlyContinue'; Import-Module '$Module'; "

# What goes on until it is ended; and what writes one object after another, so that somebody can have enough of it.
$script:Endless = @(
    'Measure-PyTime -DurationSeconds 300'
    'Invoke-PySpy -Top -DurationSeconds 300'
    'Invoke-PySpy -Record -DurationSeconds 300'
    'Get-PyHeap -DurationSeconds 300'
    'Get-MemrayReport -DurationSeconds 300 -Confirm:$false -ProcessId 1'
    "Copy-PodFile -FromTarget -Path /tmp/large -Destination '$script:Folder/large'"
    'ForEach-Object { $one = $_; while ($true) { $one | Get-PyStack } }'
)
$script:Several = @(
    'ForEach-Object { $one = $_; while ($true) { $one | Get-PyStack } }'
    'Invoke-PySpy -Top -DurationSeconds 300'
    'ForEach-Object { $one = $_; while ($true) { $one | Get-PyProcess } }'
)

# Waits in the pod itself until nothing of ours is there; prints how many of the others are stopped.
$script:Look = @'
import os, sys, time

def rows():
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                line = open(f"/proc/{pid}/cmdline", "rb").read()
                state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state not in "ZX":
                yield line, state

def at_work():
    return any(b"\0-I\0-S\0-B\0" in line and b"SIGUSR1" not in line or b"py-spy" in line for line, _ in rows())

end = time.monotonic() + float(sys.argv[1])
# Twice in a row: what is asked for last may come last.
quiet = 0
while quiet < 2 and time.monotonic() < end:
    time.sleep(0.25 * quiet)
    quiet = 0 if at_work() else quiet + 1
    time.sleep(0.05)
print(int(at_work()), sum(state in "Tt" for _, state in rows()))
'@

function Invoke-Killed {
    # A PowerShell that is killed -9 some time after it began to ask; gives the seconds until it was gone.
    param([string] $Command, [double] $Delay)
    $program, $arguments = Get-PwshCommand
    $text = ("$script:Begin`$s = Get-Content -Raw '$script:SessionFile' | ConvertFrom-Json; " +
        "[Console]::WriteLine('go'); `$s | $Command")
    $start = [System.Diagnostics.ProcessStartInfo]::new($program)
    @($arguments) + @('-NoProfile', '-NonInteractive', '-EncodedCommand',
        [Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes($text))) |
        ForEach-Object { $start.ArgumentList.Add($_) }
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    $child = [System.Diagnostics.Process]::Start($start)
    while ($null -ne ($line = $child.StandardOutput.ReadLine()) -and $line -ne 'go') { }
    Start-Sleep -Milliseconds ([int](1000 * $Delay))
    $ended = $child.HasExited
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $child.Kill()
    $child.WaitForExit()
    $back = $watch.Elapsed.TotalSeconds
    $why = $ended ? $child.StandardError.ReadToEnd() : $null
    return [pscustomobject]@{ Back = $back; UnderWay = -not $ended; Why = $why }
}

function Invoke-Ended {
    # Runs the command in this process, and stops it as Ctrl+C does; or has enough after some objects. Gives the seconds
    # from then until it was back.
    param([string] $Command, [double] $Delay, [int] $Enough)
    $state = [hashtable]::Synchronized(@{ At = 0L; Count = 0 })
    $tail = $Enough ? (" | ForEach-Object { `$state.At = [Diagnostics.Stopwatch]::GetTimestamp(); `$state.Count++; " +
        "`$_ } | ") +
        "Select-Object -First $Enough" : ''
    $shell = [powershell]::Create()
    try {
        [void]$shell.AddScript(
            "param(`$state) $script:Begin`$s = Get-Content -Raw '$script:SessionFile' | ConvertFrom-Json; " +
            "`$state.Ready = `$true; `$s | $Command$tail").AddArgument($state)
        $run = $shell.BeginInvoke()
        while (-not $state.Ready -and -not $run.IsCompleted) {
            Start-Sleep -Milliseconds 20
        }
        $ended = $run.AsyncWaitHandle.WaitOne($Enough ? 1000 * $script:LongestSeconds : [int](1000 * $Delay))
        if ($Enough -and $state.Count -ge $Enough) {
            return [pscustomobject]@{
                Back = [System.Diagnostics.Stopwatch]::GetElapsedTime($state.At).TotalSeconds
                UnderWay = $true
                Why = $null
            }
        }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $back = $watch.Elapsed.TotalSeconds
        $why = $ended ? "$($shell.InvocationStateInfo.Reason) $($shell.Streams.Error)" : $null
        return [pscustomobject]@{ Back = $back; UnderWay = -not $ended; Why = $why }
    }
    finally {
        $shell.Dispose()
    }
}

$random = [Random]::new($Seed)
$session = Start-PodDebug $Pod -Namespace $Namespace
$session | ConvertTo-Json -Depth 5 | Set-Content -LiteralPath $script:SessionFile
Invoke-PodPython $Namespace $Pod "import os; open('/tmp/large', 'wb').truncate(4 << 30)" | Out-Null
$clock = [System.Diagnostics.Stopwatch]::StartNew()
try {
    for ($trial = 0; $trial -lt $Trials -and $clock.Elapsed.TotalSeconds -lt $MostSeconds; $trial++) {
        $how = $script:Ways[($trial + $First) % 3]
        $commands = $how -eq 'First' ? $script:Several : $script:Endless
        $command = $commands[[Math]::Floor($trial / 3 + $First) % $commands.Count]
        $delay = 3 * $random.NextDouble()
        $done = switch ($how) {
            'Kill' { Invoke-Killed $command $delay }
            'Stop' { Invoke-Ended $command $delay 0 }
            'First' { Invoke-Ended $command $delay $random.Next(1, 4) }
        }
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        $left, $stopped =
            -split (Invoke-PodExec $Namespace $Pod 'python3', '-c', $script:Look, $script:LongestSeconds -Seconds 90)
        $gone = $watch.Elapsed.TotalSeconds
        [ordered]@{
            Command = $command; How = $how; Delay = [Math]::Round($delay, 3); UnderWay = $done.UnderWay; Why = $done.Why
            Back = [Math]::Round($done.Back, 3); Gone = [Math]::Round($gone + [int]$left * $script:LongestSeconds, 3)
            Stopped = [int]$stopped
        } | ConvertTo-Json -Compress | Add-Content -LiteralPath $Report
    }
}
finally {
    Remove-Item -LiteralPath $script:Folder -Recurse -Force
}
