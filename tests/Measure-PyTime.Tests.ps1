BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    . (Join-Path $PSScriptRoot 'time.ps1')
    $script:ns = New-TestNamespace

    function Assert-Troubles([psobject] $Report) {
        # The reasons and lines that examples/badapp was built with.
        $threads = @{}
        $Report.Threads | ForEach-Object { $threads[$_.Name] = $_ }
        foreach ($waiter in $Report.Threads | Where-Object Name -like 'lock-waiter*') {
            $waiter.LockSeconds | Should -BeGreaterThan (0.97 * $waiter.WallSeconds)
            $waiter.WaitsAt | Should -Match '^waits_for_lock \(troubles\.py:\d+\)$'
        }
        $reasons = @{ reader = 'Io'; upstream = 'Sleep'; MainThread = 'Poll' }
        foreach ($name in $reasons.Keys) {
            $thread, $reason = $threads[$name], $reasons[$name]
            $thread."${reason}Seconds" | Should -BeGreaterThan (0.6 * $thread.WallSeconds)
            # One whose wait is over waits for a processor, on a busy machine.
            $thread."${reason}Seconds" + $thread.RunnableSeconds | Should -BeGreaterThan (0.9 * $thread.WallSeconds)
        }
        $threads['reader'].WaitsFor | Should -Be 'recvfrom'
        $threads['reader'].WaitsAt | Should -Match '^fetch \('
        $threads['MainThread'].WaitsAt | Should -Match 'selectors\.py.*main \(app\.py:\d+\)'
        $hot = $threads['cpu worker']
        $hot.Hottest | Should -Match '^hot_loop \(troubles\.py:2[5-6]\)$'
        $hot.CpuSeconds + $hot.GilSeconds + $hot.RunnableSeconds + $hot.UnprovenSeconds |
            Should -BeGreaterThan (0.95 * $hot.WallSeconds)
        $threads['zlib'].Hottest | Should -Match '^compress_forever \('
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Measure-PyTime' {
    Context 'a service in trouble' {
        BeforeAll {
            $app = @{ Command = 'python3', '/srv/app.py'; ReadyLog = 'listens' }
            $app.Arguments = 'hot', 'zlib', 'locks', 'slow'
            $script:pod = New-TestPod $script:ns @app
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns -For Time
            $script:t = $script:session | Get-PyProcess |
                Measure-PyTime -DurationSeconds 4 -WarningVariable warnings -WarningAction SilentlyContinue
            $script:warnings = @($warnings)
            $script:byKernel = $script:t.Method -eq 'Kernel'
            if (-not $script:byKernel) {
                $script:t.WhyNotKernelCause | Should -BeIn $script:nodeCauses -Because $script:t.WhyNotKernel
                Write-Warning "The kernel sampler cannot be had on this node: $($script:t.WhyNotKernel)"
            }
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'writes one report that says of what, when and how' {
            @($script:t).Count | Should -Be 1
            $script:t | Should -BeOfType PyDebug.PyTimeReport
            $script:t.PodName | Should -Be $script:pod
            $script:t.ProcessId | Should -Be 1
            $script:t.CommandLine | Should -Match '^python3 /srv/app\.py'
            $script:t.PythonVersion | Should -Match '^3\.13\.'
            $script:t.DurationSeconds | Should -BeGreaterThan 3.9
            $script:t.DurationSeconds | Should -BeLessThan 6
            [Math]::Abs(($script:t.Timestamp - $script:t.Started).TotalSeconds) | Should -BeLessThan 60
            $script:t.SampleCount | Should -BeGreaterThan 100
            $script:t.Threads.Count | Should -Be 9
        }

        It 'takes the kernel sampler, which holds nothing, and warns of nothing' {
            if (-not $script:byKernel) {
                Set-ItResult -Skipped -Because $script:t.WhyNotKernel
            }
            $script:t.HeldMicroseconds | Should -BeNullOrEmpty
            $script:t.WhyNotKernel | Should -BeNullOrEmpty
            $script:t.SampleRate | Should -Be 99
            $script:t.ProgramRuns | Should -BeGreaterThan 10
            $script:warnings | Should -BeNullOrEmpty
        }

        It 'accounts for every second of every thread' {
            Assert-WholeTime $script:t
        }

        It 'says every reason and line as they were built' {
            Assert-Troubles $script:t
        }

        It 'lists single waits by reason, the longest first' {
            $script:t.Waits[0] | Should -BeOfType PyDebug.PyTimeWait
            $fetch = $script:t.Waits | Where-Object Call -eq recvfrom | Select-Object -First 1
            $fetch.Reason | Should -Be 'Io'
            $fetch.Frames[0].Name | Should -Be 'fetch'
            $fetch.Frames[-1].Name | Should -Match '_bootstrap$'
            $fetch.SampleCount | Should -BeGreaterThan 10
            $script:t.Waits | Where-Object Reason -eq Gil | Should -Not -BeNullOrEmpty -Because 'two fight for it'
            $script:t.Waits.Seconds | Should -Be ($script:t.Waits.Seconds | Sort-Object -Descending)
        }

        It 'counts every wait with -Exact, and says the longest' -Tag 'Alone' {
            if (-not $script:byKernel) {
                Set-ItResult -Skipped -Because $script:t.WhyNotKernel
            }
            # Two threads that fight for the GIL may switch too often on a fast machine.
            $exact = $script:session | Measure-PyTime -DurationSeconds 5 -Exact -Force -WarningAction SilentlyContinue
            $exact.Exact | Should -BeTrue
            Assert-WholeTime $exact
            Assert-Troubles $exact
            $fetch = $exact.Waits | Where-Object Call -eq recvfrom
            $fetch.Count | Should -BeGreaterOrEqual 4
            $fetch.Count | Should -BeLessOrEqual 8
            $fetch.LongestSeconds | Should -BeGreaterThan 0.9
            $fetch.LongestSeconds | Should -BeLessThan 1.5
            $shown = $exact | Out-String -Width 160
            # The column may end within the number.
            $shown | Should -Match 'fetch \(troubles\.py:\d+\): recvfrom, \d times, longest (1\.|9\d\d)'
        }

        It 'measures the threads of a name alone' {
            $some = $script:session | Measure-PyTime -DurationSeconds 1 -ThreadName 'LOCK-w*'
            ($some.Threads.Name | Sort-Object) -join ',' | Should -Be 'lock-waiter 2,lock-waiter 3,lock-waiter 4'
            $some.Waits.Thread | Sort-Object -Unique | Should -Be 'lock-waiter 2', 'lock-waiter 3', 'lock-waiter 4'
        }

        It 'cuts stacks at -Depth, and says so' {
            $shallow = $script:session | Measure-PyTime -DurationSeconds 1 -Depth 3 -WarningAction SilentlyContinue
            $depths = $shallow.Cpu + $shallow.Waits | ForEach-Object { $_.Frames.Count }
            ($depths | Measure-Object -Maximum).Maximum | Should -Be 3
            $shallow.TruncatedCount | Should -BeGreaterThan 0
            $shallow.Warnings | Should -Match 'more frames than -Depth'
        }

        It 'keeps waits below -MinimumWaitMicroseconds in the sums, without their stacks' {
            $long = $script:session | Measure-PyTime -DurationSeconds 2 -MinimumWaitMicroseconds 1000000
            Assert-WholeTime $long
            $long.Waits | Where-Object { $_.Reason -in 'Lock', 'Io', 'Sleep', 'Gil' -and $_.Seconds -lt 1 } |
                ForEach-Object { $_.Frames | Should -BeNullOrEmpty }
            ($long.Waits | Where-Object Call -eq recvfrom).Frames[0].Name | Should -Be 'fetch'
        }

        It 'draws the wall picture with every reason, and the halves of it' {
            $svg = $script:t | Export-StackProfile -Path (Join-Path $TestDrive 'wall.svg') -PassThru
            [xml]$picture = Get-Content -Raw -LiteralPath $svg
            $picture.svg.title.'#text' | Should -Match "$script:pod/web process 1"
            $text = Get-Content -Raw -LiteralPath $svg
            $text | Should -Match 'class="f rio"[^>]*><title>recvfrom'
            $text | Should -Match 'class="f rlock"'
            $text | Should -Match 'wall-clock time'
            $file = $script:t | Export-StackProfile -Path (Join-Path $TestDrive 'cpu.svg') -Metric Cpu -PassThru
            $cpu = Get-Content -Raw $file
            $cpu | Should -Not -Match 'class="f r'
            $cpu | Should -Not -Match 'waits_for_lock'
            $file = $script:t | Export-StackProfile -Path (Join-Path $TestDrive 'wait.svg') -Metric wait -PassThru
            $wait = Get-Content -Raw $file
            $wait | Should -Not -Match 'class="f rcpu"'
        }

        It 'keeps the reasons in a file for speedscope' {
            $json = $script:t | Export-StackProfile -Path (Join-Path $TestDrive 'wall.json') -PassThru
            $again = Import-StackProfile -LiteralPath $json.FullName
            $again.Metric | Should -Be 'Wall'
            ($again.Samples | Where-Object Call -eq recvfrom).Frames[0].Name | Should -Be 'fetch'
            $sum = ($again.Samples | Measure-Object Value -Sum).Sum
            [Math]::Abs($sum - ($script:t.Threads | Measure-Object WallSeconds -Sum).Sum) | Should -BeLessThan 0.1
        }

        It 'says which metrics there are where one is asked for that there is not' {
            $file = Join-Path $TestDrive 'none.svg'
            $result = Get-Failure { $script:t | Export-StackProfile -Path $file -Metric Bytes }
            Get-ErrorId $result.First | Should -Be 'ParameterInvalid'
            $result.First.Exception.Message | Should -Match 'It has Wall, Cpu, Wait\.'
            $file | Should -Not -Exist
        }

        It 'survives JSON and CLIXML with nothing lost' {
            $draw = {
                param($object, $name)
                Get-Content -Raw ($object | Export-StackProfile -Path (Join-Path $TestDrive $name) -PassThru)
            }
            $live = & $draw $script:t 'live.svg'
            $file = Join-Path $TestDrive 'time.xml'
            $script:t | Export-Clixml -LiteralPath $file
            & $draw (Import-Clixml -LiteralPath $file) 'clixml.svg' | Should -Be $live
            $json = $script:t | ConvertTo-Json -Depth 5 -WarningAction Stop
            & $draw ($json | ConvertFrom-Json) 'json.svg' | Should -Be $live
            $again = $json | ConvertFrom-Json
            $again.Started | Should -Be $script:t.Started
            $again.Waits[0].Frames[0].Line | Should -Be $script:t.Waits[0].Frames[0].Line
        }

        It 'shows a line a thread, and tables of the rest, in 120 columns' {
            foreach ($what in $script:t, $script:t.Threads, $script:t.Waits, $script:t.Cpu) {
                $lines = @($what | Out-String -Width 120 -Stream)
                $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
            }
            $lines = @($script:t | Out-String -Width 120 -Stream)
            $lines -join "`n" | Should -Match "$script:pod/web  process 1  .* s of 9 threads  (kernel|memory) sampler"
            @($lines | Where-Object { $_ -match 'lock-waiter \d' }).Count | Should -Be 3
            $script:t | Format-List | Out-String | Should -Match 'AgentCpuSeconds'
        }

        It 'says the same of a service by reading its memory' {
            $memory = $script:session |
                Measure-PyTime -Method Memory -DurationSeconds 6 -WarningVariable warned -WarningAction SilentlyContinue
            $memory.Method | Should -Be 'Memory'
            $memory.WhyNotKernel | Should -BeNullOrEmpty -Because 'it was asked for'
            "$warned" | Should -Not -Match '-For Time'
            $memory.SampleRate | Should -BeLessThan 30
            $memory.ProgramRuns | Should -BeNullOrEmpty
            Assert-WholeTime $memory
            Assert-Troubles $memory
            $memory | Out-String -Width 120 | Should -Match 'memory sampler at [\d.]+ Hz, '
        }

        It 'leaves the service at work, nothing of ours behind, and nothing stopped' {
            Request-Trouble $script:ns $script:pod '/work?ms=5' | Should -Match 'worked'
            Wait-Until -What 'the agents to end' -Seconds 5 {
                -not (Get-AgentProcess $script:ns $script:pod)
            } | Out-Null
            Get-PodProcessTable $script:ns $script:pod | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
        }
    }

    Context 'a restricted pod' {
        BeforeAll {
            $security = @{
                runAsUser = 10001; runAsNonRoot = $true; allowPrivilegeEscalation = $false
                capabilities = @{ drop = @('ALL') }
            }
            $app = @{ Command = 'python3', '/srv/app.py', 'locks'; ReadyLog = 'listens'; Security = $security }
            $script:pod = New-TestPod $script:ns @app
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns -SecurityProfile Restricted
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'is measured without any capability, and the report says so' {
            $report = $script:session |
                Measure-PyTime -DurationSeconds 2 -WarningVariable warnings -WarningAction SilentlyContinue
            $report.Method | Should -Be 'Memory'
            $report.WhyNotKernelCause | Should -Be 'NoCapability'
            $report.WhyNotKernel | Should -Match 'CAP_BPF'
            $report.Advice | Should -Match "Start-PodDebug $script:pod .*-For Time"
            @($warnings | Where-Object { "$_" -match 'memory sampler was used\. .*-For Time' }).Count | Should -Be 1
            Assert-WholeTime $report
            $waiters = @($report.Threads | Where-Object Name -like 'lock-waiter*')
            $waiters.Count | Should -Be 3
            $waiters | ForEach-Object { $_.LockSeconds | Should -BeGreaterThan (0.97 * $_.WallSeconds) }
        }

        It 'is refused to the kernel sampler by name, with the profile that has it' {
            $result = Get-Failure { $script:session | Measure-PyTime -Method Kernel -DurationSeconds 2 }
            $result.Output | Should -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'NoCapability'
            $result.First.CategoryInfo.Category | Should -Be 'PermissionDenied'
            $advice = "$($result.First.ErrorDetails.RecommendedAction)"
            $advice | Should -Match "Start-PodDebug $script:pod .*-For Time has it"
            $result.First.TargetObject.PodName | Should -Be $script:pod
        }
    }

    Context 'a CPU limit that bites' {
        BeforeAll {
            $burn = "print('burns', flush=True)`nwhile True: sum(range(1000))"
            $app = @{ Image = 'py313'; Command = 'python3', '-c', $burn; CpuLimit = '50m'; ReadyLog = 'burns' }
            $script:pod = New-TestPod $script:ns @app
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns -For Time
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'is told from other waits for a CPU, by the group''s own count: by <_>' -ForEach 'Auto', 'Memory' {
            $report = $script:session | Measure-PyTime -Method $_ -DurationSeconds 4 -WarningAction SilentlyContinue
            # A twentieth of a CPU, and most of each period without one. Where the pod has the same quota, it is the
            # pod's that bites, which cannot be seen from inside.
            if ($null -eq $report.ThrottledSeconds) {
                "$($report.Notes)" | Should -Match 'may use 0\.05 of a CPU\..*pod''s quota'
            }
            else {
                $report.ThrottledSeconds | Should -BeGreaterThan ($env:PYDEBUG_TEST_KIND -eq 'sandbox' ? 1.5 : 0)
                $report.ThrottledSeconds | Should -BeLessThan 6.5
            }
            $thread = $report.Threads[0]
            $thread.CpuSeconds | Should -BeLessThan 0.8
            $thread.CpuSeconds | Should -BeGreaterThan 0.05
            $thread.RunnableSeconds | Should -BeGreaterThan (0.7 * ($thread.WallSeconds - $thread.CpuSeconds))
            Assert-WholeTime $report
        }
    }

    Context 'bad input' {
        BeforeAll {
            $command = 'sh', '-c', 'sleep 3600 & exec python3 -c "import time; time.sleep(3600)"'
            $script:idle = New-TestPod $script:ns -Image tools -Command $command
            $script:session = Start-PodDebug $script:idle -Namespace $script:ns -For Time
        }

        It 'is refused before anything is asked: <Name>' -ForEach @(
            @{ Name = 'no duration'; Arguments = @{ DurationSeconds = 0 } }
            @{ Name = 'a negative rate'; Arguments = @{ SampleRate = -1 } }
            @{ Name = 'a depth of none'; Arguments = @{ Depth = 0 } }
            @{ Name = 'another method'; Arguments = @{ Method = 'Magic' } }
            @{ Name = 'no thread name'; Arguments = @{ ThreadName = '' } }
            @{ Name = 'a negative wait'; Arguments = @{ MinimumWaitMicroseconds = -1 } }
        ) {
            { $script:session | Measure-PyTime @Arguments } | Should -Throw -ErrorId 'ParameterArgumentValidationError*'
        }

        It 'parameters that do not go together: <Name>' -ForEach @(
            @{ Name = 'every wait, from memory'; Arguments = @{ Exact = $true; Method = 'Memory' } }
            @{ Name = 'force for samples'; Arguments = @{ Force = $true } }
        ) {
            { $script:session | Measure-PyTime @Arguments } | Should -Throw -ErrorId 'ParameterInvalid*'
        }

        It 'a process that switches too often for -Exact' {
            $program = 'import threading
a, b = threading.Semaphore(0), threading.Semaphore(0)
def pong():
    while True:
        a.acquire(); b.release()
threading.Thread(target=pong, daemon=True).start()
print("ready", flush=True)
while True:
    a.release(); b.acquire()'
            $pod = New-TestPod $script:ns -Command 'python3', '-c', $program -ReadyLog 'ready'
            $session = Start-PodDebug $pod -Namespace $script:ns -For Time
            $result = Get-Failure { $session | Measure-PyTime -DurationSeconds 2 -Exact }
            Get-ErrorId $result.First | Should -BeIn (@('TooManySwitches') + $script:nodeCauses)
            if ((Get-ErrorId $result.First) -eq 'TooManySwitches') {
                $result.First.Exception.Message | Should -Match '-Force takes all of them'
            }
            Remove-TestPod $script:ns $pod
        }

        It 'a process that is gone' {
            $result = Get-Failure { $script:session | Measure-PyTime -ProcessId 4000 -DurationSeconds 1 }
            $result.Output | Should -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'ProcessGone'
        }

        It 'a process that is no Python, beside one that is' {
            $sleep = (Get-PodProcessTable $script:ns $script:idle | Where-Object Command -match '^sleep').Pid
            $result = Get-Failure { $script:session | Measure-PyTime -ProcessId 1, $sleep -DurationSeconds 1 }
            Get-ErrorId $result.First | Should -Be 'NoPython'
            $result.Output.ProcessId | Should -Be 1
        }

        It 'a thread name that no thread has' {
            $report = $script:session |
                Measure-PyTime -ThreadName 'nobody*' -DurationSeconds 1 -WarningAction SilentlyContinue
            $report.Threads | Should -BeNullOrEmpty
            $report.Notes | Should -Match 'No thread has a name'
            $report | Out-String -Width 120 | Should -Match 'No thread was seen[\s\S]*No thread has a name like'
        }
    }
}
