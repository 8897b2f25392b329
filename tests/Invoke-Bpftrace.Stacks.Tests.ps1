# bpftrace beside applications, in sessions on the tools image.

BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'bpftrace.ps1')
    $script:missing = Test-BpftraceMissing
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:image = 'pydebug.test/debug-tools:1'
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Invoke-Bpftrace, stacks' -Skip:$script:missing {
    Context 'Python stacks' {
        BeforeAll {
            # Threads and a forked child that write in known functions and lines, one that waits for a lock, one that
            # computes.
            $script:writer = @'
import os, threading, time
lock = threading.Lock()
pen = os.open("/dev/null", os.O_WRONLY)
def known_writer(count):
    for _ in range(count):
        os.write(pen, b"x")
def often(count):
    while True:
        known_writer(count)
        time.sleep(0.05)
def deep(more):
    return deep(more - 1) if more else often(1)
def waiter():
    while True:
        lock.acquire(timeout=0.05)
if os.fork() == 0:
    def child_writer():
        os.write(pen, b"child")
    while True:
        child_writer()
        time.sleep(0.05)
def burner():
    while True:
        sum(range(300000))
        time.sleep(0.02)
lock.acquire()
threading.Thread(target=burner, name="burner").start()
threading.Thread(target=often, args=(5,), name="often").start()
threading.Thread(target=deep, args=(300,), name="deep").start()
threading.Thread(target=waiter, name="waiter").start()
print("ready", flush=True)
often(10)
'@

            function Start-Writer([string] $Image) {
                $pod = New-TestPod $script:ns -Image $Image -Command 'python3', '-u', '-c',
                    $script:writer -ReadyLog 'ready'
                Start-PodDebug $pod -Namespace $script:ns -For Bpftrace -Image $script:image
            }

            $script:writes = Start-Writer 'badapp'
        }

        It 'are the keys of a map, with function, file and line: <_>' -ForEach 'py311', 'py313', 'py314', 'py315' {
            $session = Start-Writer $_
            $rows = @($session |
                Invoke-Bpftrace -Program 'tracepoint:syscalls:sys_enter_write { @[pystack, comm] = count(); }' `
                -DurationSeconds 3 -WarningVariable said -WarningAction SilentlyContinue)
            $main = @($rows | Where-Object { $_.Frames[-1].Name -eq '<module>' -and $_.ProcessId -eq 1 })
            $main.Count | Should -Be 1 -Because ($rows | Out-String)
            # Ten times in each of 20 turns a second.
            $main.Value | Should -BeGreaterThan 300
            $main.Value | Should -BeLessThan 700
            $main.Frames | ForEach-Object { "$_" } |
                Should -Be 'known_writer (<string>:6)', 'often (<string>:9)', '<module> (<string>:32)'
            $main.Keys[1] | Should -Be 'python3'
            $thread = @($rows | Where-Object { $_.Frames.Name -contains 'often' -and
                $_.Frames.Name -notcontains 'deep' -and $_.Frames[-1].Name -ne '<module>' })
            $thread.Frames.Name |
                Should -Be 'known_writer', 'often', 'Thread.run', 'Thread._bootstrap_inner', 'Thread._bootstrap'
            $child = @($rows | Where-Object { $_.Frames[0].Name -eq 'child_writer' })
            $child.Count | Should -Be 1
            $child.ProcessId | Should -BeGreaterThan 1
            "$($child.Frames[0])" | Should -Be 'child_writer (<string>:18)'
            # Deeper than is read: the innermost frames are right, and what is cut off is told.
            $deep = @($rows | Where-Object { $_.Frames.Name -contains 'deep' })
            $deep.Frames[0].Name | Should -Be 'known_writer'
            $deep.Frames[-1].Name | Should -Be '...'
            "$said" | Should -Match 'deeper than is read'
            Remove-TestPod $script:ns $session.PodName
        }

        It 'become a flame graph, survive JSON, and are numbers with -Raw' {
            $program = ('tracepoint:syscalls:sys_enter_write { @[pystack] = count(); @bytes[pystack] = ' +
                'sum(args.count); @h[pystack] = hist(args.count); }')
            $rows = @($script:writes |
                Invoke-Bpftrace -Program $program -DurationSeconds 2 -WarningAction SilentlyContinue)
            $text = Join-Path $TestDrive 'writes.txt'
            $rows | Export-StackProfile -Path $text -Metric '@'
            $line = @(Get-Content -LiteralPath $text | Where-Object { $_ -match
                'process 1;<module> \(<string>:32\);often \(<string>:9\);known_writer \(<string>:6\) (\d+)$' })
            $line.Count | Should -Be 1
            $svg = Join-Path $TestDrive 'writes.svg'
            $rows | Where-Object Map -eq '@bytes' | ConvertTo-Json -Depth 5 | ConvertFrom-Json |
                Export-StackProfile -Path $svg
            Get-Content -Raw -LiteralPath $svg | Should -Match 'child_writer'
            { $rows | Export-StackProfile -Path $svg -ErrorAction Stop } | Should -Throw '*Choose one with -Metric*'
            $raw = @($script:writes | Invoke-Bpftrace -Program ('tracepoint:syscalls:sys_enter_write { @[pystack] = ' +
                'count(); }') -DurationSeconds 1 -Raw -WarningAction SilentlyContinue)
            $maps = @($raw | ConvertFrom-Json | Where-Object type -eq 'map')
            $maps.Count | Should -Be 1
            $maps.data.'@'.PSObject.Properties.Name | ForEach-Object { $_ | Should -Match '^-?\d+$' }
        }

        It 'are there at any probe of the target''s threads: <Program>' -ForEach @(
            @{ Program = 'profile:hz:199 { @[pystack] = count(); }'; Sees = 'burner' }
            @{ Program = 'tracepoint:sched:sched_switch { @[pystack, args.prev_state] = count(); }'; Sees = 'waiter' }
            @{ Program = 'rawtracepoint:sys_enter /arg1 == 1/ { @[pystack] = count(); }'; Sees = 'child_writer' }
            @{ Program = ('tracepoint:syscalls:sys_enter_futex { @start[tid] = nsecs; } ' +
                'tracepoint:syscalls:sys_exit_futex /@start[tid]/ { @us[pystack, tid] = ' +
                'stats((nsecs - @start[tid]) / 1000); @names[pystack, comm, pid, tid] = ' +
                'hist(nsecs - @start[tid]); delete(@start[tid]); }'); Sees = 'waiter' }
            @{ Program = ('uprobe:__libc__:write { if (arg2 == 5) { @[pystack, tid] = count(); } else { ' +
                '@other[pystack] = count(); } }'); Sees = 'child_writer' }
        ) {
            $rows = @($script:writes |
                Invoke-Bpftrace -Program $Program -DurationSeconds 3 -WarningAction SilentlyContinue)
            $rows.Frames.Name | Should -Contain $Sees -Because ($rows | Select-Object -First 10 | Out-String)
        }

        It 'are refused where they cannot be: <Because>' -ForEach @(
            @{ Because = 'no thread'; Program = "BEGIN { }`ninterval:s:1 { @[pystack] = count(); }";
                Says = 'Line 2: interval:s:1 has no pystack: the probe belongs to no thread*' }
            @{ Because = 'another thread'; Program = ('tracepoint:sched:sched_wakeup { if (target) { @[pystack] = ' +
                'count(); } }'); Says = '*about another*' }
            @{ Because = 'a predicate'; Program = 'tracepoint:syscalls:sys_enter_write /pystack/ { }';
                Says = '*behind the predicate*' }
        ) {
            { $script:writes | Invoke-Bpftrace -Program $Program } |
                Should -Throw -ErrorId 'PythonStackMisplaced*' -ExpectedMessage $Says
        }

        It 'are refused where the target has none that can be read: <Image>' -ForEach @(
            @{ Image = 'py39'; Id = 'OldPython';
                Says = 'pystack reads Python 3\.11 and later; process 1 runs Python 3\.9.*ustack' }
            @{ Image = 'nopython'; Id = 'NoPython'; Says = 'No Python process' }
        ) {
            $command = $Image -eq 'nopython' ? @{} : @{ Command = 'python3', '-c', 'import time; time.sleep(999)' }
            $pod = New-TestPod $script:ns -Image $Image @command
            $session = Start-PodDebug $pod -Namespace $script:ns -For Bpftrace -Image $script:image
            $found = Get-Failure { $session |
                Invoke-Bpftrace -Program 'tracepoint:syscalls:sys_enter_write { @[pystack] = count(); }' }
            Get-ErrorId $found.First | Should -Be $Id
            "$($found.First)" | Should -Match $Says
        }
    }
}
