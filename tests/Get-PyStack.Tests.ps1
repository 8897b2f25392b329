BeforeDiscovery {
    # A Python is the same on every cluster: on a second one, one of them is enough.
    $script:pythons = @(
        @{ Image = 'py39'; Version = '3.9' }
        @{ Image = 'py311'; Version = '3.11' }
        @{ Image = 'py313'; Version = '3.13' }
        @{ Image = 'py314'; Version = '3.14' }
        @{ Image = 'py315'; Version = '3.15' }
    ) | Where-Object { $env:PYDEBUG_TEST_KIND -ne 'cluster' -or $_.Version -eq '3.13' }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-PyStack' {
    Context 'Python <Version>' -ForEach $script:pythons {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -Image $Image -Command 'python3',
                '/srv/frames.py' -ReadyLog 'frames \{'
            $log = Wait-PodLog $script:ns $script:pod 'frames \{'
            $script:expected = $log -split "`n" | Where-Object { $_ -match '^frames ' } |
                ForEach-Object { $_.Substring(7) } | ConvertFrom-Json -AsHashtable
            $script:stacks = @(Start-PodDebug $script:pod -Namespace $script:ns | Get-PyStack)
        }

        It 'gives every thread exactly the frames that the interpreter itself gives' {
            foreach ($thread in $script:expected.GetEnumerator()) {
                $stack = $script:stacks | Where-Object ThreadId -eq ([long]$thread.Key)
                $stack | Should -Not -BeNullOrEmpty
                $expected = $thread.Value | ForEach-Object { "$($_[0])|$($_[1])|$($_[2])" }
                $found = $stack.Frames | ForEach-Object { "$($_.Name)|$($_.FileName)|$($_.Line)" }
                if ($Version -in '3.9') {
                    # Code objects have no qualified name before 3.11.
                    $found = $stack.Frames | ForEach-Object { "$(($_.Name -split '\.')[-1])|$($_.FileName)|$($_.Line)" }
                }
                $found | Should -Be $expected -Because "of thread '$($stack.Name)'"
            }
            $script:stacks.Count | Should -Be ($script:expected.Count + 1)
        }

        It 'names the threads and says what they wait for' {
            ($script:stacks | Where-Object ThreadId -eq 1).Name | Should -Be 'MainThread'
            # The kernel keeps fifteen characters where the interpreter's own name is not to be had.
            $lock = $script:stacks | Where-Object Name -eq 'at for_lock'
            $lock.State | Should -Be 'idle'
            $lock.WaitsFor | Should -Match 'lock'
            ($script:stacks | Where-Object Name -eq 'at in_loop').WaitsFor | Should -Match 'epoll_wait'
        }

        It 'touched no thread that waits' {
            $script:stacks.Source | Select-Object -Unique | Should -Be 'idle'
            $script:stacks.HeldMicroseconds | Where-Object { $_ } | Should -BeNullOrEmpty
            $script:stacks.State | Select-Object -Unique | Should -Be 'idle'
        }

        It 'says which Python that is' {
            $script:stacks[0].PythonVersion | Should -Match "^$([regex]::Escape($Version))\."
            $script:stacks[0].CommandLine | Should -Be 'python3 /srv/frames.py'
        }
    }

    Context 'a service with every trouble' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -ReadyLog 'listens'
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
            'hot', 'zlib', 'locks', 'slow', 'deep', 'sleepers' |
                ForEach-Object { Request-Trouble $script:ns $script:pod "/$_" | Out-Null }
            $script:stacks = @($script:session | Get-PyStack)
        }

        AfterAll {
            # It would burn on beside the tests that follow.
            Remove-TestPod $script:ns $script:pod
        }

        It 'sees the hot loop at work, at the bottom of its recursion' {
            # A thread that lost the GIL at this very moment waits for it; it is found at work before long.
            $hot = Wait-Until -Seconds 10 -What 'the hot thread to run' {
                $script:session | Get-PyStack |
                    Where-Object { $_.Name -eq 'cpu worker' -and $_.State -eq 'running' -and $_.Frames.Count -gt 20 }
            }
            $hot.Frames[0].Name | Should -Be 'hot_loop'
            $hot.Frames[0].FileName | Should -Be '/srv/troubles.py'
            $names = $hot.Frames.Name
            @($names | Where-Object { $_ -eq 'recurse' }).Count | Should -Be 21
            $names[22] | Should -Be 'cpu_worker'
            $hot.CpuSeconds | Should -BeGreaterThan 0
            $hot.Source | Should -BeIn 'stopped', 'reread'
        }

        It 'holds a running thread for a moment only, and says for how long' {
            $held = Wait-Until -Seconds 30 -What 'a thread that was held for under a millisecond' {
                $script:session | Get-PyStack |
                    Where-Object { $_.Source -eq 'stopped' -and $_.HeldMicroseconds -lt 1000 }
            }
            @($held)[0].HeldMicroseconds | Should -BeGreaterThan 0
        }

        It 'says who waits for the lock, who sleeps and who reads' {
            $waiters = @($script:stacks | Where-Object Name -like 'lock-waiter*')
            $waiters.Count | Should -Be 3
            $waiters.WaitsFor | ForEach-Object { $_ | Should -Match 'lock' }
            $waiters | ForEach-Object { $_.Frames[0].Name | Should -Be 'waits_for_lock' }
            ($script:stacks | Where-Object Name -eq 'reader').WaitsFor | Should -Match 'recvfrom.*fd \d+.*socket'
            ($script:stacks | Where-Object Name -eq 'reader').Frames[0].Name | Should -Be 'fetch'
            @($script:stacks | Where-Object Name -like 'sleeper*').WaitsFor |
                ForEach-Object { $_ | Should -Match 'nanosleep|sleep' }
        }

        It 'reads a stack of four hundred frames whole' {
            $deep = $script:stacks | Where-Object Name -eq 'deep'
            @($deep.Frames | Where-Object Name -eq 'descend').Count | Should -Be 401
            $deep.Frames[-1].Name | Should -Match '_bootstrap$'
        }

        It 'gives no stack that cannot be, and says so where two threads held the GIL one after the other' {
            # Below the worker there are recurse and hot_loop, in this order, each depth once.
            foreach ($attempt in 1..8) {
                $stacks = @($script:session | Get-PyStack -Verbose 4>&1)
                $said, $stacks = $stacks.Where({ $_ -is [System.Management.Automation.VerboseRecord] }, 'Split')
                [bool]("$said" -match 'changed hands') | Should -Be (@($stacks | Where-Object HoldsGil).Count -gt 1)
                $names = @(($stacks | Where-Object Name -eq 'cpu worker').Frames.Name)
                if ($names.Count) {
                    $names -join ' ' | Should -Match ('^((hot_loop )?(recurse )+)?cpu_worker Thread\.run ' +
                        'Thread\._bootstrap_inner Thread\._bootstrap$')
                    $depth = @($names | Where-Object { $_ -eq 'recurse' }).Count
                    $depth | Should -BeLessOrEqual 21
                    if ($names[0] -eq 'hot_loop') {
                        $depth | Should -Be 21
                    }
                }
            }
        }

        It 'holds nothing with -NoStop' {
            $free = @($script:session | Get-PyStack -NoStop)
            $free.Count | Should -Be $script:stacks.Count
            $free.Source | Should -Not -Contain 'stopped'
            $free.HeldMicroseconds | Where-Object { $_ } | Should -BeNullOrEmpty
        }

        It 'fits a table of 120 columns and tells the whole stack as a string' {
            $lines = $script:stacks | Out-String -Width 120 -Stream
            $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
            $lines -join "`n" | Should -Match 'lock-waiter'
            "$($script:stacks | Where-Object Name -eq 'reader')" | Should -Match 'fetch \(.*troubles\.py:\d+\)'
        }

        It 'survives JSON and CLIXML with its frames' {
            $stack = $script:stacks | Where-Object Name -eq 'reader'
            $json = $stack | ConvertTo-Json -Depth 5 | ConvertFrom-Json
            $json.Frames[0].Name | Should -Be 'fetch'
            $json.Frames[0].Line | Should -Be $stack.Frames[0].Line
            $clixml = [System.Management.Automation.PSSerializer]::Deserialize(
                [System.Management.Automation.PSSerializer]::Serialize($stack))
            $clixml.Frames[-1].FileName | Should -Be $stack.Frames[-1].FileName
            $clixml.ThreadId | Should -Be $stack.ThreadId
        }

        It 'leaves the service at work, nothing of ours behind, and no zombie' {
            Request-Trouble $script:ns $script:pod '/work?ms=5' | Should -Match 'worked'
            Wait-Until -What 'the agents to end' -Seconds 5 { -not (Get-AgentProcess $script:ns $script:pod) } |
                Should -BeTrue
            $table = Get-PodProcessTable $script:ns $script:pod
            $table | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
        }
    }

    It 'reads all processes of a pod at once, or those that are piped to it' {
        $pod = New-TestPod $script:ns -Image gunicorn -ReadyLog 'Booting worker with pid: \d+[\s\S]*Booting worker'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $all = @($session | Get-PyStack)
        @($all.ProcessId | Sort-Object -Unique).Count | Should -Be 3
        $workers = @($session | Get-PyProcess | Where-Object Role -eq Worker)
        $some = @($workers | Get-PyStack)
        $some.ProcessId | Sort-Object -Unique | Should -Be ($workers.ProcessId | Sort-Object)
        $some | ForEach-Object { $_.Frames.Name |
            Should -Contain 'SyncWorker.init_process'.Replace('SyncWorker', 'Worker') }
    }

    It 'reads uwsgi, which embeds libpython' {
        $pod = New-TestPod $script:ns -Image uwsgi -ReadyLog 'spawned uWSGI worker 2'
        $session = Start-PodDebug $pod -Namespace $script:ns
        Invoke-PodExec $script:ns $pod 'python3', '-c', ('import subprocess, sys; ' +
            'subprocess.Popen([sys.executable, "/srv/load.py", "--path", "/work?ms=2000", "--seconds", "20", ' +
            '"--clients", "1"], stdin=-3, stdout=-3, stderr=-3, start_new_session=True)') | Out-Null
        $busy = Wait-Until -What 'a worker at work' -Seconds 15 {
            $session | Get-PyProcess | Where-Object Role -eq Worker | Get-PyStack |
                Where-Object { $_.Frames.Name -contains 'checksum_rows' }
        }
        $names = @($busy)[0].Frames.Name
        $names[0..2] | Should -Be 'checksum_rows', 'build_report', 'application'
    }

    It 'reads a target without root, writable files or capabilities, with profile <_>' -ForEach 'General',
        'Restricted' {
        $pod = New-TestPod $script:ns -Command 'python3',
            '/srv/app.py' -Arguments 'locks' -ReadyLog 'listens' -Security @{
            runAsUser = 10001; runAsNonRoot = $true; allowPrivilegeEscalation = $false; readOnlyRootFilesystem = $true;
            capabilities = @{ drop = @('ALL') } }
        $stacks = Start-PodDebug $pod -Namespace $script:ns -SecurityProfile $_ | Get-PyStack
        @($stacks | Where-Object Name -like 'lock-waiter*').Count | Should -Be 3
    }

    It 'says what is missing where ptrace is refused' {
        $pod = New-TestPod $script:ns -Security @{ runAsUser = 10001 }
        $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns -SecurityProfile Baseline | Get-PyStack }
        Get-ErrorId $result.First | Should -Be 'PtraceDenied'
        $result.First.Exception.Message | Should -Match 'SYS_PTRACE|UID|user'
        "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match 'General|Restricted'
        "$($result.First.ErrorDetails.RecommendedAction)" | Should -Not -Match 'sudo'
    }

    It 'marks a file that changed after the process started' {
        $pod = New-TestPod $script:ns -Command 'python3', '-c', @'
import shutil, runpy, sys
sys.dont_write_bytecode = True
shutil.copy("/srv/troubles.py", "/tmp/changing.py")
sys.path.insert(0, "/tmp")
import changing
print("imported", flush=True)
changing.slow_reader()
'@ -ReadyLog 'imported'
        $session = Start-PodDebug $pod -Namespace $script:ns
        Invoke-PodPython $script:ns $pod ('import os, time; os.utime("/tmp/changing.py", (time.time() + 60, ' +
            'time.time() + 60))') | Out-Null
        $main = $session | Get-PyStack | Where-Object Name -eq 'MainThread'
        ($main.Frames | Where-Object FileName -eq '/tmp/changing.py' | Select-Object -First 1).FileChanged |
            Should -BeTrue
        ($main.Frames | Where-Object FileName -ne '/tmp/changing.py').FileChanged | Should -Not -Contain $true
    }
}
