BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-PyTask' {
    Context 'Python <Version>' -ForEach @(
        @{ Image = 'py311'; Version = '3.11' }
        @{ Image = 'py313'; Version = '3.13' }
        @{ Image = 'py314'; Version = '3.14' }
        @{ Image = 'py315'; Version = '3.15' }
    ) {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -Image $Image -Command 'python3', '/srv/async_app.py',
                '25' -ReadyLog 'listens'
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
            $script:tasks = @(Wait-Until -What 'all tasks' -Seconds 30 { $found = @($script:session |
                Get-PyTask); $found.Name -contains 'row-2' ? $found : $null })
            $script:byName = @{}
            $script:tasks | ForEach-Object { $script:byName[$_.Name] = $_ }
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'finds every task by its name' {
            $expected = @('checkout;order 7', 'charge_card', 'report', 'page-1', 'page-2', 'batch', 'row-0', 'row-1',
                'row-2') + @(0..24 | ForEach-Object { "consumer-$_" })
            $expected | Where-Object { -not $script:byName.ContainsKey($_) } | Should -BeNullOrEmpty
            # The main task has a name that the interpreter gave.
            $script:tasks.Count | Should -Be ($expected.Count + 1)
        }

        It 'says who waits for whom' {
            $script:byName['checkout;order 7'].WaitsFor | Should -Be $script:byName['charge_card'].Id
            $script:byName['charge_card'].Waiters | Should -Be $script:byName['checkout;order 7'].Id
            $script:byName['report'].WaitsFor | Sort-Object |
                Should -Be ($script:byName['page-1'].Id, $script:byName['page-2'].Id | Sort-Object)
            $script:byName['batch'].WaitsFor | Sort-Object | Should -Be ($script:byName['row-0'].Id,
                $script:byName['row-1'].Id, $script:byName['row-2'].Id | Sort-Object)
        }

        It 'gives the chain of coroutines with file and line' {
            $names = $script:byName['charge_card'].Frames.Name
            $names | Should -Contain 'charge_card'
            $names | Should -Contain 'call_bank'
            ($script:byName['charge_card'].Frames | Where-Object Name -eq 'call_bank').FileName |
                Should -Be '/srv/async_app.py'
            ($script:byName['charge_card'].Frames | Where-Object Name -eq 'call_bank').Line | Should -BeGreaterThan 0
        }

        It 'says what the last coroutine awaits' {
            $script:byName['charge_card'].Awaits | Should -Be 'Event'
            $script:byName['page-1'].Awaits | Should -Be 'sleep'
            $script:byName['consumer-3'].Awaits | Should -Be 'Queue'
            $script:tasks.State | Select-Object -Unique | Should -Be 'waiting'
        }

        It 'shows a tree in 120 columns' {
            $lines = $script:tasks | Out-String -Width 120 -Stream
            $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
            $lines -join "`n" | Should -Match '[├└]\S* ?page-1'
        }
    }

    Context 'thousands of tasks beside a stopped worker' {
        BeforeAll {
            $program = @'
import asyncio, os, signal, threading, time
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
    while True: time.sleep(1)
def receive(): threading.Event().wait()
for n in range(30): threading.Thread(target=receive, name="ThreadPoolExecutor-pool-%d" % n, daemon=True).start()
async def wait(gate): await gate.wait()
async def look(): await asyncio.sleep(3600)
async def main():
    gate = asyncio.Event()
    held = [asyncio.create_task(wait(gate)) for _ in range(5000)]
    held.append(asyncio.tasks._PyTask(look(), loop=asyncio.get_running_loop(), name="needle"))
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
'@
            $script:crowd = New-TestPod $script:ns -Image py314 -Command 'python3', '-u', '-c',
                $program -ReadyLog 'ready'
            $script:session = Start-PodDebug $script:crowd -Namespace $script:ns
        }

        It 'lists all of them, and hints at the summary' {
            $tasks = @($script:session | Get-PyTask -ProcessId 1 -WarningVariable warnings 3>$null)
            $tasks.Count | Should -Be 5002
            ($tasks | Where-Object Name -eq 'needle').Awaits | Should -Be 'sleep'
            "$warnings" | Should -Match 'process 1: 5,000 tasks are equal \(.*\)\. -Summary writes'
        }

        It 'writes equal ones as one record with -Summary' {
            $groups = @($script:session | Get-PyTask -ProcessId 1 -Summary -WarningVariable warnings)
            $groups.Count | Should -Be 3
            $groups[0] | Should -BeOfType 'PyDebug.PyTaskGroup'
            $groups[0].Count | Should -Be 5000
            $groups[0].Ids.Count | Should -Be 5000
            $groups[0].Frames[-1].Name | Should -Be 'wait'
            $warnings | Should -BeNullOrEmpty
            $lines = $groups | Out-String -Width 120 -Stream
            $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
            $lines -join "`n" | Should -Match ' 5000 \S+ \+4999 +waiting Event '
        }

        It 'says of a process that has loaded asyncio why there is no task' {
            $result = @($script:session | Get-PyTask -ProcessId (($script:session | Get-PyProcess |
                Where-Object Role -eq Worker).ProcessId) -WarningVariable warnings 3>$null)
            $result | Should -BeNullOrEmpty
            "$warnings" | Should -Match 'asyncio is loaded, no event loop runs, and there is no task'
        }

        It 'groups threads as well, with names that can be told apart' {
            $groups = @($script:session | Get-PyStack -ProcessId 1 -Summary)
            $groups[0].Count | Should -Be 30
            $groups[0].ThreadIds.Count | Should -Be 30
            $groups[0].WaitsFor | Should -Be 'lock'
            $stacks = @($script:session | Get-PyStack -ProcessId 1 -WarningVariable warnings 3>$null)
            "$warnings" | Should -Match '30 threads are equal'
            $shown = $stacks | Out-String -Width 120 -Stream | Select-String 'pool-\d+'
            @($shown.Matches.Value | Sort-Object -Unique).Count | Should -Be 30
        }

        It 'says of a stopped process that it is stopped, in every cmdlet' {
            $worker = $script:session | Get-PyProcess | Where-Object Role -eq Worker
            $worker.State | Should -Be 'stopped'
            $worker | Out-String -Width 120 | Should -Match 'Worker stopped'
            $stack = $worker | Get-PyStack -WarningVariable warnings 3>$null
            $stack.State | Should -Be 'stopped'
            $stack.WaitsFor | Should -BeNullOrEmpty
            $stack.IsMainThread | Should -BeTrue
            "$warnings" | Should -Match 'is stopped \(SIGSTOP'
            ($worker | Measure-PyTime -DurationSeconds 1 -Method Memory).Threads[0].OtherSeconds |
                Should -BeGreaterThan 0.5
        }

        It 'names the parent that it leaves out of a measurement' {
            $report = $script:session |
                Measure-PyTime -DurationSeconds 1 -Method Memory -WarningVariable warnings 3>$null
            $report.ProcessId | Should -Be ($script:session | Get-PyProcess | Where-Object Role -eq Worker).ProcessId
            "$warnings" | Should -Match 'It is a parent of others, used .* and is left out; -ProcessId 1 measures it'
        }
    }

    It 'says of a process without asyncio what shows its threads instead' {
        $pod = New-TestPod $script:ns -Command 'python3', '-c', 'import signal; signal.pause()'
        $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns | Get-PyTask }
        Get-ErrorId $result.First | Should -Be 'AsyncioNotLoaded'
        "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match 'Get-PyStack'
    }

    It 'says of Python 3.9 that its tasks are not to be had, and leaves its stacks' {
        $pod = New-TestPod $script:ns -Image py39 -Command 'python3', '/srv/async_app.py', '2' -ReadyLog 'listens'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $result = Get-Failure { $session | Get-PyTask }
        Get-ErrorId $result.First | Should -Be 'UnsupportedPython'
        $session | Get-PyStack | Should -Not -BeNullOrEmpty
    }
}
