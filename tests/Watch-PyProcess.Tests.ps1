BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'sleepers' -ReadyLog 'listens'
    $script:session = Start-PodDebug $script:pod -Namespace $script:ns
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Watch-PyProcess' {
    It 'writes what the kernel counts, and leaves nothing in the pod when the pipeline has enough' {
        $records = @($script:session | Watch-PyProcess -IntervalSeconds 0.5 | Select-Object -First 3)
        $records.Count | Should -Be 3
        $records | ForEach-Object {
            $_ | Should -BeOfType 'PyDebug.PyProcessSample'
            $_.ProcessId | Should -Be 1
            $_.CpuPercent | Should -BeGreaterOrEqual 0
            $_.ResidentBytes | Should -BeGreaterThan 1MB
            $_.ContainerBytes | Should -BeGreaterThan 1MB
            $_.ThreadCount | Should -Be 4
            $_.OpenFileCount | Should -BeGreaterThan 2
            $_.OpenFileLimit | Should -BeGreaterThan 64
            $_.ChildCount | Should -Be 0
            $_.IntervalSeconds | Should -BeGreaterThan 0.2
            $_.Gap | Should -BeNullOrEmpty
        }
        $records[1].LookCount | Should -BeGreaterThan 0
        $records[2].GilWaitPercent | Should -BeGreaterOrEqual 0
        Wait-Until -What 'the agent to be gone' -Seconds 30 { -not (Get-AgentProcess $script:ns $script:pod) }
    }

    It 'waits for a condition, and hands the process on' {
        $report = $script:session | Watch-PyProcess -IntervalSeconds 0.5 -Until { $_.ThreadCount -eq 4 } |
            Measure-PyTime -DurationSeconds 1 -WarningAction Ignore
        $report | Should -BeOfType 'PyDebug.PyTimeReport'
        $report.ProcessId | Should -Be 1
    }

    It 'watches several pods, and ends for all by the record of one' {
        $other = New-TestPod $script:ns -Command 'python3', '-c', 'import time; time.sleep(3600)'
        $sessions = @($script:session) + @(Start-PodDebug $other -Namespace $script:ns)
        $all = @($sessions | Watch-PyProcess -IntervalSeconds 0.5 -Until { $_.ThreadCount -eq 1 } -PassThru)
        $all[-1].PodName | Should -Be $other
        @($all | Where-Object ThreadCount -EQ 1).Count | Should -Be 1
        $one = @($sessions | Watch-PyProcess -IntervalSeconds 0.5 -Until { $_.ThreadCount -eq 1 })
        $one.PodName | Should -Be $other
        foreach ($pod in $script:pod, $other) {
            Wait-Until -What "the agent in $pod to be gone" -Seconds 30 { -not (Get-AgentProcess $script:ns $pod) }
        }
    }

    It 'ends by its own time, and says that nothing came of a condition' {
        $process = $script:session | Get-PyProcess
        $until = { $_.ThreadCount -gt 999 }
        $records = @($process | Watch-PyProcess -DurationSeconds 1 -Until $until -WarningVariable warnings 3>$null)
        $records | Should -BeNullOrEmpty
        "$warnings" | Should -BeLike 'No record made -Until true*'
        @($warnings).Count | Should -Be 1
    }

    It 'has a table of no more than 80 columns, and a record that survives JSON' {
        $record = $script:session | Watch-PyProcess -IntervalSeconds 0.5 | Select-Object -First 1
        $lines = $record | Out-String -Width 80 -Stream
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        $lines -join "`n" | Should -Match 'Time +Process +CPU % +Queue % +RSS +Mem % +Threads +Files +GIL % +Loop s'
        $again = $record | ConvertTo-Json -Depth 5 | ConvertFrom-Json
        $again.ResidentBytes | Should -Be $record.ResidentBytes
        $again | Get-PyStack -Kubeconfig $env:KUBECONFIG | Should -Not -BeNullOrEmpty
    }
}
