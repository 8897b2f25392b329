# Sessions on the tools image, beside applications whose own images are others.

BeforeDiscovery {
    $cache = $env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug'
    $script:missing = -not (Test-Path -LiteralPath (Join-Path $cache 'images/debug-tools/config.json'))
    if ($script:missing) {
        Write-Warning ('SKIPPED: the tests of the tools image, which was not made here. "tests/images/make ' +
            'debug-tools" says why.')
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:image = 'pydebug.test/debug-tools:1'
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'The tools image' -Skip:$script:missing {
    Context 'beside an application on an older Python' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -Image py39 -ReadyLog 'listens'
            'hot', 'locks' | ForEach-Object { Request-Trouble $script:ns $script:pod "/$_" | Out-Null }
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns -Image $script:image
        }

        It 'gives a session like any other' {
            $script:session.Image | Should -Be $script:image
            $script:session.State | Should -Be 'Running'
            $again = Start-PodDebug $script:pod -Namespace $script:ns -Image $script:image
            $again.Reused | Should -BeTrue
            $again.DebugContainer | Should -Be $script:session.DebugContainer
        }

        It 'reads processes and stacks of the other image' {
            $process = $script:session | Get-PyProcess
            $process.ProcessId | Should -Be 1
            $process.PythonVersion | Should -Match '^3\.9\.'
            $stacks = @($script:session | Get-PyStack)
            $stacks.Frames.FileName | Should -Contain '/srv/troubles.py'
        }

        It 'runs the py-spy that the module brings' {
            $stacks = @($script:session | Invoke-PySpy)
            $stacks.Frames.FileName | Should -Contain '/srv/app.py'
            $profile = $script:session | Invoke-PySpy -Record -DurationSeconds 2 -WarningAction SilentlyContinue
            $profile.SampleCount | Should -BeGreaterThan 5
            $profile.PythonVersion | Should -Match '^3\.9\.'
        }

        It 'has <Program>' -ForEach @(
            @{ Program = 'py-spy'; Arguments = @('--version'); Says = 'py-spy 0\.4\.3' }
            @{ Program = 'bpftrace'; Arguments = @('--version'); Says = 'bpftrace v0\.23' }
            @{ Program = 'curl'; Arguments = @('--version'); Says = '^curl 8' }
            @{ Program = 'ss'; Arguments = @('-ltn'); Says = '127\.0\.0\.1:8080' }
            @{ Program = 'lsof'; Arguments = @('-p', '1'); Says = 'python3\.9' }
            @{ Program = 'strace'; Arguments = @('--version'); Says = 'strace -- version 6' }
            @{ Program = 'tcpdump'; Arguments = @('--version'); Says = 'tcpdump version 4' }
            @{ Program = 'gdb'; Arguments = @('--version'); Says = 'GNU gdb .*16' }
            @{ Program = 'less'; Arguments = @('--version'); Says = '^less 6' }
            @{ Program = 'bash'; Arguments = @('-c', 'ps -p 1 -o comm='); Says = 'python3' }
        ) {
            Invoke-PodExec $script:ns $script:pod @($Program; $Arguments) -Container $script:session.DebugContainer |
                Should -Match $Says
        }

        It 'holds nothing to build with' {
            $program = ('import shutil; print([n for n in ("cc", "gcc", "g++", "clang", "ld", "make", "pip", "pip3") ' +
                'if shutil.which(n)])')
            (Invoke-PodPython $script:ns $script:pod $program $script:session.DebugContainer).Trim() | Should -Be '[]'
        }

        It 'gives a file out and takes one in' {
            $here = Join-Path $TestDrive 'note.txt'
            Set-Content -LiteralPath $here -Value 'kept'
            $script:session | Copy-PodFile -Path $here -Destination /tmp/note.txt -ToContainer
            $script:session | Copy-PodFile -Path /tmp/note.txt -Destination (Join-Path $TestDrive 'back.txt')
            Get-Content -LiteralPath (Join-Path $TestDrive 'back.txt') | Should -Be 'kept'
        }
    }

    It 'reads an application whose own Python has no ctypes' {
        $pod = New-TestPod $script:ns -Image noctypes -ReadyLog 'listens'
        $own = Get-Failure { Start-PodDebug $pod -Namespace $script:ns | Get-PyStack }
        Get-ErrorId $own.First | Should -Be 'NoCtypes'
        $stacks = @(Start-PodDebug $pod -Namespace $script:ns -Image $script:image | Get-PyStack)
        $stacks.Frames.FileName | Should -Contain '/srv/app.py'
    }

    It 'reads asyncio tasks of a newer Python' {
        $pod = New-TestPod $script:ns -Image async
        $tasks = Wait-Until -What 'the tasks' {
            Start-PodDebug $pod -Namespace $script:ns -Image $script:image | Get-PyTask -ErrorAction Ignore
        }
        $tasks.Name | Should -Contain 'report'
    }

    It 'stands beside a container that holds no Python at all' {
        $pod = New-TestPod $script:ns -Image nopython
        $session = Start-PodDebug $pod -Namespace $script:ns -Image $script:image
        $session.State | Should -Be 'Running'
        $found = Get-Failure { $session | Get-PyStack }
        Get-ErrorId $found.First | Should -Be 'NoPython'
    }
}
