BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:missing =
        -not (Test-Path -LiteralPath (Join-Path (Get-Module PyDebug).ModuleBase 'bin/payload/py-spy/manifest.json'))
    if ($script:missing) {
        Write-Warning ('SKIPPED: the tests of Invoke-PySpy. This build carries no py-spy: no wheel was found ' +
            '(PIP_FIND_LINKS, ../shared/wheelhouse, pip).')
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Invoke-PySpy' -Skip:$script:missing {
    Context 'a busy service' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -ReadyLog 'listens'
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
            'hot', 'locks' | ForEach-Object { Request-Trouble $script:ns $script:pod "/$_" | Out-Null }
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'writes every thread once without -Record and -Top' {
            $stacks = @($script:session | Invoke-PySpy)
            $stacks.Count | Should -BeGreaterThan 2
            $stacks[0] | Should -BeOfType PyDebug.PyThreadStack
            $stacks.ProcessId | Select-Object -Unique | Should -Be 1
            $stacks.PodName | Select-Object -Unique | Should -Be $script:pod
            ($stacks | Where-Object ThreadId -eq 1).Name | Should -Be 'MainThread'
            $stacks.Frames.FileName | Should -Contain '/srv/app.py'
            $stacks[0].CommandLine | Should -Match '^python3 '
            $stacks[0].Source | Should -Be 'stopped'
        }

        It 'has locals where they are asked for, and only there' {
            $with = @($script:session | Invoke-PySpy -IncludeLocals)
            @($with.Frames.Locals | Where-Object { $_ }).Count | Should -BeGreaterThan 0
            $without = @($script:session | Invoke-PySpy)
            @($without.Frames.Locals | Where-Object { $_ }) | Should -BeNullOrEmpty
        }

        It 'records for as long as it was asked to, by the clock' {
            $script:profile = $script:session | Invoke-PySpy -Record -DurationSeconds 3 -SampleRate 50
            $script:profile | Should -BeOfType PyDebug.StackProfile
            $script:profile.DurationSeconds | Should -BeGreaterThan 2.9
            $script:profile.DurationSeconds | Should -BeLessThan 6
            $script:profile.Tool | Should -Be 'py-spy 0.4.3'
            $script:profile.Metric | Should -Be 'Cpu'
            $script:profile.StopsProcess | Should -BeTrue
            $script:profile.SampleCount | Should -BeGreaterThan 5
            $script:profile.Samples[0].Frames.FileName |
                Should -Contain '/srv/troubles.py' -Because 'the busy thread is the application''s'
            $sum = ($script:profile.Samples | Measure-Object Value -Sum).Sum
            ($script:profile.Threads | Measure-Object Value -Sum).Sum | Should -BeGreaterThan ($sum - 0.01)
        }

        It 'ends by the clock where it cannot keep up, since py-spy counts samples' {
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $fast = $script:session |
                Invoke-PySpy -Record -DurationSeconds 2 -SampleRate 1000 -IncludeIdle -WarningAction SilentlyContinue
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 20
            $fast.DurationSeconds | Should -BeGreaterThan 1.9
            $fast.DurationSeconds | Should -BeLessThan 5
        }

        It 'makes a picture and files of the recording' {
            $script:profile | Should -Not -BeNullOrEmpty
            $svg = $script:profile | Export-StackProfile -Path (Join-Path $TestDrive 'flame.svg') -PassThru
            [xml]$picture = Get-Content -Raw -LiteralPath $svg
            $picture.svg.title.'#text' | Should -Match "$script:pod/web process 1"
            $json = $script:profile | Export-StackProfile -Path (Join-Path $TestDrive 'profile[0].json') -PassThru
            $again = Import-StackProfile -LiteralPath $json.FullName
            $again.SampleCount | Should -Be $script:profile.SampleCount
            $again.PodName | Should -Be $script:pod
            (Import-StackProfile -Path $json.FullName).ProcessId | Should -Be 1
        }

        It 'survives CLIXML and JSON with nothing lost' {
            $file = Join-Path $TestDrive 'profile.xml'
            $script:profile | Export-Clixml -LiteralPath $file
            $picture = { param($object, $name) Get-Content -Raw ($object |
                Export-StackProfile -Path (Join-Path $TestDrive $name) -PassThru) }
            $live = & $picture $script:profile 'live.svg'
            & $picture (Import-Clixml -LiteralPath $file) 'clixml.svg' | Should -Be $live
            & $picture ($script:profile | ConvertTo-Json -Depth 5 | ConvertFrom-Json) 'json.svg' | Should -Be $live
        }

        It 'rolls the busiest functions by with -Top' {
            $rows = @($script:session | Invoke-PySpy -Top -DurationSeconds 3)
            $rows[0] | Should -BeOfType PyDebug.PyTopSample
            @($rows.Interval | Select-Object -Unique).Count | Should -BeGreaterThan 1
            $rows.FileName | Should -Contain '/srv/troubles.py'
            ($rows | Where-Object Interval -eq 1).OwnPercent[0] | Should -BeGreaterThan 5
        }

        It 'says once what -NonBlocking does to the truth' {
            $script:session | Invoke-PySpy -NonBlocking -WarningVariable warnings -WarningAction SilentlyContinue |
                Out-Null
            @($warnings | Where-Object { "$_" -match 'never have existed' }).Count | Should -Be 1
        }

        It 'leaves nothing of ours behind, and nothing stopped' {
            Wait-Until -What 'the end of the agent' { -not (Get-AgentProcess $script:ns $script:pod) } | Out-Null
            (Get-PodProcessTable $script:ns $script:pod).State | Should -Not -Contain 'T'
            (Get-PodProcessTable $script:ns $script:pod).State | Should -Not -Contain 't'
            (Get-PodProcessTable $script:ns $script:pod).Command | Should -Not -Match 'py-spy'
        }

        It 'ends the tool when the pipeline ends' {
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $script:session | Invoke-PySpy -Top -DurationSeconds 120 | Select-Object -First 1 |
                Should -Not -BeNullOrEmpty
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 40
            Wait-Until -What 'the end of py-spy' { -not (Get-PodProcessTable $script:ns $script:pod |
                Where-Object Command -match 'py-spy') } | Out-Null
        }
    }

    Context 'processes' {
        It 'warns that a process was idle' {
            $pod = New-TestPod $script:ns -Command 'python3', '-c', 'import time; time.sleep(3600)'
            $profile = Start-PodDebug $pod -Namespace $script:ns |
                Invoke-PySpy -Record -DurationSeconds 2 -WarningVariable warnings -WarningAction SilentlyContinue
            "$warnings" | Should -Match 'it was idle\. -IncludeIdle shows where it waits'
            $profile.Warnings | Should -Match 'idle'
            Remove-TestPod $script:ns $pod
        }

        It 'records the workers of a server, each by itself' {
            $pod = New-TestPod $script:ns -Image 'gunicorn' -ReadyLog 'Booting worker'
            $workers = @(Wait-Until -What 'two workers' {
                $found = @(Start-PodDebug $pod -Namespace $script:ns | Get-PyProcess | Where-Object Role -eq 'Worker')
                $found.Count -ge 2 ? $found : $null
            })
            $profiles = @(Start-PodDebug $pod -Namespace $script:ns |
                Invoke-PySpy -Record -DurationSeconds 2 -IncludeIdle -WarningAction SilentlyContinue)
            ($profiles.ProcessId | Sort-Object) -join ',' | Should -Be (($workers.ProcessId | Sort-Object) -join ',')
            $profiles.Metric | Select-Object -Unique | Should -Be 'Wall'
            $svg = $profiles | Export-StackProfile -Path (Join-Path $TestDrive 'workers.svg') -PassThru
            Get-Content -Raw $svg | Should -Match 'process \d+: .*gunicorn'
            $dumped = @($workers | Invoke-PySpy)
            ($dumped.ProcessId | Select-Object -Unique | Sort-Object) -join ',' |
                Should -Be (($workers.ProcessId | Sort-Object) -join ',')
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'what py-spy does by itself' {
        It 'has the workers in a dump, which its JSON forgets' {
            $pod = New-TestPod $script:ns -Image 'gunicorn' -ReadyLog 'Booting worker'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $all = Wait-Until -What 'two workers' {
                $found = @($session | Get-PyProcess)
                @($found | Where-Object Role -eq 'Worker').Count -eq 2 ? $found : $null
            }
            $alone = @($session | Invoke-PySpy -ProcessId 1)
            $alone.ProcessId | Select-Object -Unique | Should -Be 1
            $below = @($session | Invoke-PySpy -ProcessId 1 -Subprocesses)
            ($below.ProcessId | Select-Object -Unique | Sort-Object) -join ',' |
                Should -Be (($all.ProcessId | Sort-Object) -join ',')
            Remove-TestPod $script:ns $pod
        }

        It 'takes a thread''s id for none where the thread is not the process''s own' {
            # py-spy gives the main thread of a uwsgi worker the number of the master.
            $pod = New-TestPod $script:ns -Image 'uwsgi' -ReadyLog 'spawned uWSGI worker 2'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $workers = @(Wait-Until -What 'two workers' {
                $found = @($session | Get-PyProcess | Where-Object Role -eq 'Worker')
                $found.Count -eq 2 ? $found : $null
            })
            $stacks = @($workers | Invoke-PySpy)
            ($stacks.ProcessId | Select-Object -Unique).Count | Should -Be 2
            @($stacks | Where-Object ThreadId -eq 1) | Should -BeNullOrEmpty
            Remove-TestPod $script:ns $pod
        }

        It 'keeps names with separators and control characters apart and harmless' {
            $pod = New-TestPod $script:ns -Image 'names'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $names = 'render; part 2', 'count 12', 'say "hi"\path', 'обработать', '<lambda>'
            $stacks = Wait-Until -What 'all of its threads' {
                $found = @($session | Invoke-PySpy)
                @($names | Where-Object { $_ -notin $found.Frames.Name }).Count ? $null : $found
            }
            $profile = $session | Invoke-PySpy -Record -DurationSeconds 2 -IncludeIdle -WarningAction SilentlyContinue
            $names | ForEach-Object { $profile.Samples.Frames.Name | Should -Contain $_ }
            $bad = '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]'
            foreach ($frames in $stacks.Frames, $profile.Samples.Frames) {
                $frames.Name + $frames.FileName | Where-Object { $_ -match "$bad|[\r\n]" } | Should -BeNullOrEmpty
            }
            $again = $profile | Export-StackProfile -Path (Join-Path $TestDrive 'names.json') -PassThru |
                Import-StackProfile
            $text =
                { ($args[0].Samples | ForEach-Object { $_.Frames.Name -join '|' } | Sort-Object -Unique) -join "`n" }
            & $text $again | Should -Be (& $text $profile)
            Remove-TestPod $script:ns $pod
        }

        It 'is slowed down where a hundred threads would make the recording hurt' {
            $program = ('import threading, time; [threading.Thread(target=time.sleep, args=(3600,), ' +
                'daemon=True).start() for _ in range(150)]; print("up", flush=True); time.sleep(3600)')
            $pod = New-TestPod $script:ns -Command 'python3', '-c', $program -ReadyLog 'up'
            $profile = Start-PodDebug $pod -Namespace $script:ns |
                Invoke-PySpy -Record -DurationSeconds 2 -IncludeIdle -WarningVariable warnings `
                    -WarningAction SilentlyContinue
            @($warnings | Where-Object { "$_" -match 'has 151 threads, all stopped for each sample' }).Count |
                Should -Be 1
            $profile.SampleRate | Should -BeLessThan 30
            @($profile.Warnings) -match 'threads' | Should -Not -BeNullOrEmpty
            @($profile.Threads).Count | Should -Be 151
            Remove-TestPod $script:ns $pod
        }

        It 'keeps the profile of a target that exits while it is recorded' {
            $program = 'import os, time; pid = os.fork(); t = time.time()' +
                "`nwhile pid == 0 and time.time() < t + 15: sum(range(100))`nif pid: os.wait(); time.sleep(3600)"
            $pod = New-TestPod $script:ns -Command 'python3', '-c', $program
            $session = Start-PodDebug $pod -Namespace $script:ns
            $child = $session | Get-PyProcess | Where-Object ProcessId -ne 1
            $profile = $child |
                Invoke-PySpy -Record -DurationSeconds 60 -WarningVariable warnings -WarningAction SilentlyContinue
            @($warnings |
                Where-Object { "$_" -match "Process $($child.ProcessId) ended while it was recorded" }).Count |
                Should -Be 1
            $profile.SampleCount | Should -BeGreaterThan 10
            $profile.DurationSeconds | Should -BeLessThan 30
            Remove-TestPod $script:ns $pod
        }

        It 'gives native frames on <_>, or says that without them it can' -ForEach 'badapp', 'py315' {
            $pod = New-TestPod $script:ns -Image $_ -ReadyLog 'listens'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $found = Get-Failure -Any { $session | Invoke-PySpy -Native }
            if ($found.First) {
                Get-ErrorId $found.First | Should -Be 'ToolFailed'
                "$($found.First) $($found.First.ErrorDetails.RecommendedAction)" | Should -Match 'without'
            }
            else {
                "$($found.Output)" | Should -Match 'poll \(libc\.so\.6\)'
                $found.Output.Frames.FileName | Should -Contain '/srv/app.py'
            }
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'what cannot be' {
        BeforeAll {
            $script:idle = New-TestPod $script:ns -Image tools -Command 'sh', '-c',
                'sleep 3600 & exec python3 -c "import time; time.sleep(3600)"'
            $script:idleSession = Start-PodDebug $script:idle -Namespace $script:ns
        }

        It 'names a process that is not there' {
            $result = Get-Failure { $script:idleSession | Invoke-PySpy -ProcessId 4000 }
            $result.Output | Should -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'ProcessGone'
            $result.First.TargetObject.PodName | Should -Be $script:idle
        }

        It 'never advises to use sudo' {
            $sleep = (Get-PodProcessTable $script:ns $script:idle | Where-Object Command -match '^sleep').Pid
            $result = Get-Failure { $script:idleSession | Invoke-PySpy -ProcessId $sleep }
            $result.Output | Should -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'NoPython'
            "$($result.First) $($result.First.ErrorDetails.RecommendedAction)" | Should -Not -Match 'sudo|backtrace'
        }

        It 'leaves out a child that is not Python, and says so' {
            $stacks = $script:idleSession |
                Invoke-PySpy -ProcessId 1 -Subprocesses -WarningVariable warnings -WarningAction SilentlyContinue
            $stacks.ProcessId | Select-Object -Unique | Should -Be 1
            "$warnings" | Should -Match 'Process \d+ \(sleep\) below 1 is not Python: left out'
        }

        It 'refuses parameters that do not go together: <Name>' -ForEach @(
            @{ Name = 'two modes'; Arguments = @{ Record = $true; Top = $true } }
            @{ Name = 'a rate for a dump'; Arguments = @{ SampleRate = 5 } }
            @{ Name = 'locals of a recording'; Arguments = @{ Record = $true; IncludeLocals = $true } }
            @{ Name = 'idle threads with the GIL';
                Arguments = @{ Record = $true; GilOnly = $true; IncludeIdle = $true } }
        ) {
            { $script:idleSession | Invoke-PySpy @Arguments } | Should -Throw -ErrorId 'ParameterInvalid*'
        }
    }
}
