# A service that leaks, and what a report of it says. Dot-sourced in BeforeAll, after common.ps1.

# A leak of 64 KiB fifty times a second, beside arithmetic that checks itself.
$script:program = @'
import threading, time
kept = []
def remember():
    kept.append(bytearray(65536))
def leak():
    while True:
        remember()
        time.sleep(0.02)
threading.Thread(target=leak, name="leak", daemon=True).start()
print("ready", flush=True)
rounds = 0
while True:
    if sum(range(1000)) != 499500:
        print("WRONG", flush=True)
    rounds += 1
    time.sleep(0.001)
'@

function Get-LoadedMemray([string] $Pod, [int] $ProcessId = 1) {
    # Libraries of memray that a process has loaded: what tells whether it was ever touched.
    $program = "print(sum('memray' in line for line in open('/proc/$ProcessId/maps')))"
    [int](Invoke-PodPython $script:ns $Pod $program)
}

function Assert-Leak([psobject] $Report, [double] $Seconds) {
    # 64 KiB each 20 ms and a little; on a busy machine fewer, never more.
    $Report | Should -BeOfType PyDebug.MemrayReport
    $Report.DurationSeconds | Should -BeGreaterThan ($Seconds - 0.2)
    $Report.LeakedBytes | Should -BeGreaterThan ($Seconds * 10 * 65536)
    $Report.LeakedBytes | Should -BeLessThan (($Seconds + 3) * 55 * 65536 + 1MB)
    $Report.PeakBytes | Should -BeGreaterOrEqual ($Report.LeakedBytes - 1MB)
    $Report.EndReason | Should -Be 'Time'
    $top = $Report.Allocations[0]
    $top.Function | Should -Be 'remember'
    $top.Bytes | Should -BeGreaterThan (0.8 * $Report.LeakedBytes)
    [Math]::Abs($top.Bytes / $top.Count - 65536) | Should -BeLessThan 2000
    $top.Frames.Name | Should -Contain 'remember'
    ($Report.Allocations | Measure-Object Bytes -Sum).Sum + $Report.OmittedBytes | Should -Be $Report.LeakedBytes
}
