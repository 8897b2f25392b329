BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    # The tests' services run Python 3.13.
    $script:missing = -not (Test-MemrayPayload 'py313')
    if ($script:missing) {
        Write-Warning ("SKIPPED: the tests of Get-MemrayReport. This build carries no memray for Python 3.13: " +
            'no wheel was found (PIP_FIND_LINKS, ../shared/wheelhouse, pip).')
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    . (Join-Path $PSScriptRoot 'memray.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-MemrayReport, where' -Skip:$script:missing {
    Context 'a restricted pod' {
        It 'is tracked without root, capabilities or a place to write in its own container' {
            $security = @{
                runAsUser = 10001; runAsGroup = 10001; runAsNonRoot = $true; readOnlyRootFilesystem = $true;
                allowPrivilegeEscalation = $false
                capabilities = @{ drop = @('ALL') }; seccompProfile = @{ type = 'RuntimeDefault' }
            }
            $pod = New-TestPod $script:ns -Image py313 -Command 'python3', '-c',
                $script:program -ReadyLog 'ready' -Security $security -MemoryLimit '192Mi'
            $report = Start-PodDebug $pod -Namespace $script:ns -SecurityProfile Restricted |
                Get-MemrayReport -DurationSeconds 2 -Confirm:$false
            Assert-Leak $report 2
            $report.ContainerLimitBytes | Should -Be 192MB
            Remove-TestPod $script:ns $pod
        }

        It 'is tracked from a debug container that may not write either: all is kept in memory' {
            $security = @{
                runAsUser = 10001; runAsGroup = 10001; runAsNonRoot = $true; readOnlyRootFilesystem = $true;
                allowPrivilegeEscalation = $false
                capabilities = @{ drop = @('ALL') }; seccompProfile = @{ type = 'RuntimeDefault' }
            }
            $pod = New-TestPod $script:ns -Image py313 -Command 'python3', '-c',
                $script:program -ReadyLog 'ready' -Security $security -MemoryLimit '192Mi'
            $session = Start-PodDebug $pod -Namespace $script:ns -SecurityProfile Restricted `
                -Custom @{ securityContext = @{ readOnlyRootFilesystem = $true } }
            $path = Join-Path $TestDrive 'memory.bin'
            foreach ($time in 1, 2) {
                $report = $session | Get-MemrayReport -DurationSeconds 2 -KeepCapture -Path $path -Confirm:$false
                Assert-Leak $report 2
                $report.CapturePlace | Should -Be 'Memory'
                $report.ContainerLimitBytes | Should -Be 192MB
            }
            $again = $session | Get-MemrayReport -CapturePath $path
            $again.LeakedBytes | Should -Be $report.LeakedBytes
            $ended = $session | Get-MemrayReport -DurationSeconds 30 -PythonAllocators `
                -MaximumCaptureBytes 1MB -Confirm:$false -WarningVariable warned -WarningAction SilentlyContinue
            $ended.EndReason | Should -Be 'Limit'
            "$warned" | Should -Match 'reached 1\.0 MB, and is kept in memory'
            Remove-TestPod $script:ns $pod
        }

        It 'with too little room under its limit is refused, and not touched' {
            $fill = "import time; x = bytearray(40 << 20); print('ready', flush=True); time.sleep(3600)"
            $pod = New-TestPod $script:ns -Image py313 -Command 'python3', '-c',
                $fill -ReadyLog 'ready' -MemoryLimit '100Mi'
            $session = Start-PodDebug $pod -Namespace $script:ns -WarningAction SilentlyContinue
            $result = Get-Failure { $session | Get-MemrayReport -DurationSeconds 1 -PythonAllocators -Confirm:$false }
            Get-ErrorId $result.First | Should -Be 'MemoryLow'
            "$($result.First.ErrorDetails.RecommendedAction)" |
                Should -Match 'without -Native and -PythonAllocators needs less'
            Get-LoadedMemray $pod | Should -Be 0
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'servers' {
        It 'are tracked worker by worker over the same seconds; a session alone must name one' {
            $pod = New-TestPod $script:ns -Image gunicorn -ReadyLog 'Booting worker with pid: \d+[\s\S]*Booting worker'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $workers = @(Wait-Until -What 'two workers' {
                    $found = @($session | Get-PyProcess | Where-Object Role -eq Worker)
                    $found.Count -ge 2 ? $found : $null
                })
            $result = Get-Failure { $session | Get-MemrayReport -DurationSeconds 1 -Confirm:$false }
            Get-ErrorId $result.First | Should -Be 'ProcessAmbiguous'
            "$($result.First)" | Should -Match "$($workers[0].ProcessId) \(worker, [\d.]+ MiB\)"
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $reports = @($workers | Get-MemrayReport -DurationSeconds 5 -Confirm:$false)
            ($reports.ProcessId | Sort-Object) -join ',' | Should -Be (($workers.ProcessId | Sort-Object) -join ',')
            [Math]::Abs(($reports[0].Started - $reports[1].Started).TotalSeconds) | Should -BeLessThan 4.5
            $reports | ForEach-Object { $_.LeakedBytes | Should -Not -BeNullOrEmpty }
            $file = Get-Failure { $workers | Get-MemrayReport -DurationSeconds 1 -KeepCapture -Path (
                Join-Path $TestDrive 'one.bin') -Confirm:$false }
            Get-ErrorId $file.First | Should -Be 'ParameterInvalid'
            Remove-TestPod $script:ns $pod
        }

        It 'of uwsgi are tracked too, though they cannot be started alone' {
            $pod = New-TestPod $script:ns -Image uwsgi -ReadyLog 'spawned uWSGI worker 2'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $worker = Wait-Until -What 'a worker' { $session | Get-PyProcess | Where-Object Role -eq Worker |
                Select-Object -First 1 }
            $report = $worker | Get-MemrayReport -DurationSeconds 2 -Confirm:$false -WarningVariable warned `
                -WarningAction SilentlyContinue
            $report.ProcessId | Should -Be $worker.ProcessId
            $report.Rehearsal | Should -BeIn 'Image', 'Own'
            "$warned" | Should -Match 'cannot be started alone'
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'at the limit' {
        It 'says before the end how long and who, and after it what happened and what was known' {
            $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'leak',
                'sleepers' -Environment @{ BADAPP_LEAK_MIB = 1024 } -MemoryLimit '128Mi' -ReadyLog 'listens'
            $session = Start-PodDebug $pod -Namespace $script:ns -WarningAction SilentlyContinue
            $before = $session | Get-MemrayReport -DurationSeconds 4 -Confirm:$false
            $before.SecondsToLimit | Should -BeGreaterThan 3
            $before.SecondsToLimit | Should -BeLessThan 120
            $before.Allocations[0].Function | Should -Be 'remember'
            $ended = Wait-Until -What 'the end at the limit' -Seconds 120 -Milliseconds 500 {
                Get-PodDebug $pod -Namespace $script:ns |
                    Where-Object { $_.State -eq 'Terminated' -and $_.TargetLastEndReason }
            }
            $ended.TargetLastEndReason | Should -Be 'OOMKilled'
            $ended.TargetLastEnded | Should -BeGreaterThan $before.Started
            $result = Get-Failure { $session | Get-PyStack }
            "$($result.First)" | Should -Match 'OOMKilled \(code 137'
            # It grows again at once: where there is no room any more, it is killed and runs once more.
            $again = @(Wait-Until -What 'a report of the container that runs again' -Seconds 180 -Milliseconds 1000 {
                    $found = @(
                        Start-PodDebug $pod -Namespace $script:ns -ErrorAction SilentlyContinue -WarningAction Ignore |
                            Get-MemrayReport -DurationSeconds 2 -Confirm:$false -ErrorAction SilentlyContinue 3>&1)
                    @($found | Where-Object { $_ -is [PyDebug.MemrayReport] }) ? $found : $null
                })
            $told = $again | Where-Object { $_ -is [System.Management.Automation.WarningRecord] }
            (Get-PodDebug $pod -Namespace $script:ns | Sort-Object TargetRestartCount |
                Select-Object -Last 1).TargetRestartCount |
                Should -BeGreaterThan 0
            (Get-PodDebug $pod -Namespace $script:ns | Out-String -Width 120) | Should -Match 'OOMKilled x\d'
            "$told" | Should -Match "Container 'web' was OOMKilled \(code 137, restart count \d+\) at "
            "$told" | Should -Match ('The last report, of .* UTC, saw [\d.]+ MiB kept in 4\.\d s, most of it .* by ' +
                'remember \(troubles\.py:\d+\), and \d+ (s|min) until the limit\.')
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'at the limit, while it is tracked' {
        It 'ends early enough to report who it was, before the end' {
            $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'leak',
                'sleepers' -Environment @{ BADAPP_LEAK_MIB = 1024 } -MemoryLimit '128Mi' -ReadyLog 'listens'
            $session = Start-PodDebug $pod -Namespace $script:ns -WarningAction SilentlyContinue
            $report = $session | Get-MemrayReport -DurationSeconds 300 -Confirm:$false -WarningVariable told `
                -WarningAction SilentlyContinue
            $report.EndReason | Should -Be 'Memory'
            "$told" | Should -Match 'close to its memory limit'
            $report.Allocations[0].Function | Should -Be 'remember'
            $report.LeakedBytes | Should -BeGreaterThan 10MB
            $report.SecondsToLimit | Should -BeLessThan 60
            ($report | Out-String -Width 120) |
                Should -Match 'of 128\.0 MiB: the limit is reached in about \d+ s at this rate'
            $ended = Wait-Until -What 'the end at the limit' -Seconds 60 -Milliseconds 300 {
                Get-PodDebug $pod -Namespace $script:ns |
                    Where-Object { $_.State -eq 'Terminated' -and $_.TargetLastEndReason }
            }
            $ended.TargetLastEndReason | Should -Be 'OOMKilled'
            # What was foretold: without what the debug container itself still takes.
            $seconds = ($ended.TargetLastEnded - $report.Started).TotalSeconds - $report.DurationSeconds
            $seconds | Should -BeGreaterThan (0.3 * $report.SecondsToLimit)
            $seconds | Should -BeLessThan (1.5 * $report.SecondsToLimit + 5)
            Remove-TestPod $script:ns $pod
        }
    }
}
