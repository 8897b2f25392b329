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
            $script:pod = New-TestPod $script:ns -Image $Image -Command 'python3', '/srv/async_app.py', '25' -ReadyLog 'listens'
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
            $script:tasks = @(Wait-Until -What 'all tasks' -Seconds 30 { $found = @($script:session | Get-PyTask); $found.Name -contains 'row-2' ? $found : $null })
            $script:byName = @{}
            $script:tasks | ForEach-Object { $script:byName[$_.Name] = $_ }
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'finds every task by its name' {
            $expected = @('checkout;order 7', 'charge_card', 'report', 'page-1', 'page-2', 'batch', 'row-0', 'row-1', 'row-2') + @(0..24 | ForEach-Object { "consumer-$_" })
            $expected | Where-Object { -not $script:byName.ContainsKey($_) } | Should -BeNullOrEmpty
            # The main task has a name that the interpreter gave.
            $script:tasks.Count | Should -Be ($expected.Count + 1)
        }

        It 'says who waits for whom' {
            $script:byName['checkout;order 7'].WaitsFor | Should -Be $script:byName['charge_card'].Id
            $script:byName['charge_card'].Waiters | Should -Be $script:byName['checkout;order 7'].Id
            $script:byName['report'].WaitsFor | Sort-Object | Should -Be ($script:byName['page-1'].Id, $script:byName['page-2'].Id | Sort-Object)
            $script:byName['batch'].WaitsFor | Sort-Object | Should -Be ($script:byName['row-0'].Id, $script:byName['row-1'].Id, $script:byName['row-2'].Id | Sort-Object)
        }

        It 'gives the chain of coroutines with file and line' {
            $names = $script:byName['charge_card'].Frames.Name
            $names | Should -Contain 'charge_card'
            $names | Should -Contain 'call_bank'
            ($script:byName['charge_card'].Frames | Where-Object Name -eq 'call_bank').FileName | Should -Be '/srv/async_app.py'
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
