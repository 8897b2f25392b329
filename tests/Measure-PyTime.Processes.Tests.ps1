BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    . (Join-Path $PSScriptRoot 'time.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Measure-PyTime, processes' {
    Context 'a thread for each request' {
        It 'is one line of all of them, which says where they were' {
            $code = @'
import threading, time
print('serves', flush=True)
def request():
    time.sleep(0.005)
while True:
    thread = threading.Thread(target=request)
    thread.start()
    thread.join()
'@
            $pod = New-TestPod $script:ns -Image py313 -Command 'python3', '-c', $code -ReadyLog 'serves'
            $report = Start-PodDebug $pod -Namespace $script:ns -For Time |
                Measure-PyTime -DurationSeconds 4 -WarningAction SilentlyContinue
            if ($report.Method -ne 'Kernel') {
                Set-ItResult -Skipped -Because "the kernel sampler cannot be had: $($report.WhyNotKernel)"
            }
            $whole = $report.Threads | Where-Object ThreadId -eq 0
            $whole.Name | Should -Match '^(\d+) short threads$'
            [int]($whole.Name -split ' ')[0] | Should -BeGreaterThan 100
            $off = $whole.WallSeconds - $whole.CpuSeconds - $whole.RunnableSeconds
            $whole.SleepSeconds | Should -BeGreaterThan (0.9 * $off)
            $whole.WaitsAt | Should -Match '^request \('
            @($report.Threads).Count | Should -BeLessThan 25
            Assert-WholeTime $report
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'processes' {
        It 'measures the workers of a server over the same seconds, and draws them side by side' -Tag 'Alone' {
            $pod = New-TestPod $script:ns -Image gunicorn -ReadyLog 'Booting worker with pid: \d+[\s\S]*Booting worker'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $workers = @(Wait-Until -What 'two workers' {
                    $found = @($session | Get-PyProcess | Where-Object Role -eq Worker)
                    $found.Count -ge 2 ? $found : $null
                })
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $reports = @($session |
                    Measure-PyTime -DurationSeconds 3 -WarningVariable warnings -WarningAction SilentlyContinue)
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 5.9 -Because 'they are measured side by side'
            ($reports.ProcessId | Sort-Object) -join ',' | Should -Be (($workers.ProcessId | Sort-Object) -join ',')
            @($warnings | Where-Object { "$_" -match '-For Time' }).Count | Should -Be 1 -Because 'it is said once'
            $reports | ForEach-Object { Assert-WholeTime $_ }
            $svg = $reports | Export-StackProfile -Path (Join-Path $TestDrive 'workers.svg') -PassThru
            @([regex]::Matches((Get-Content -Raw $svg), '<title>process \d+: ')).Count | Should -Be 2
            Remove-TestPod $script:ns $pod
        }

        It 'reads a Python that the kernel sampler is too new for from memory' {
            $pod = New-TestPod $script:ns -Image py39 -Command 'python3', '/srv/frames.py' -ReadyLog 'frames \{'
            $report = Start-PodDebug $pod -Namespace $script:ns -For Time |
                Measure-PyTime -DurationSeconds 2 -WarningVariable warnings -WarningAction SilentlyContinue
            $report.Method | Should -Be 'Memory'
            $report.WhyNotKernelCause | Should -BeIn (@('OldPython') + $script:nodeCauses)
            "$warnings" | Should -Match 'memory sampler was used'
            Assert-WholeTime $report
            Remove-TestPod $script:ns $pod
        }

        It 'keeps what was seen of a process that ends meanwhile, and says so: by <_>' -Tag 'Alone' -ForEach 'Auto',
            'Memory' {
            $command = 'sh', '-c', 'python3 -c "import time; time.sleep(600)"; exec sleep 3600'
            $pod = New-TestPod $script:ns -Image tools -Command $command
            $session = Start-PodDebug $pod -Namespace $script:ns -For Time
            $process = Wait-Until -What 'the process' { $session | Get-PyProcess }
            $end = "['sh', '-c', 'sleep 2.5; kill -9 $($process.ProcessId)'], stdin=-3, stdout=-3, stderr=-3"
            $end = "import subprocess; subprocess.Popen($end)"
            Invoke-PodPython $script:ns $pod $end | Out-Null
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $report = $process |
                Measure-PyTime -Method $_ -DurationSeconds 30 -WarningVariable warnings -WarningAction SilentlyContinue
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 12
            $report.Ended | Should -BeTrue
            $report.DurationSeconds | Should -BeLessThan 8
            "$warnings" | Should -Match 'ended, or started another program'
            $report.Threads[0].SleepSeconds | Should -BeGreaterThan 0.5
            Remove-TestPod $script:ns $pod
        }

        It 'keeps what was seen where the container ends with its first process, and says how' {
            $command = 'python3', '-c', 'import os, time; print("up", flush=True); time.sleep(10); os._exit(3)'
            $pod = New-TestPod $script:ns -Command $command -ReadyLog 'up'
            $session = Start-PodDebug $pod -Namespace $script:ns -For Time
            $report = $session |
                Measure-PyTime -DurationSeconds 40 -WarningVariable warnings -WarningAction SilentlyContinue
            @($report).Count | Should -Be 1
            $report.Ended | Should -BeTrue
            $report.Threads[0].SleepSeconds | Should -BeGreaterThan 0.5
            "$warnings" | Should -Match "ended \((Error, )?code 3, restart count \d\)"
            Remove-TestPod $script:ns $pod
        }

        It 'keeps what was seen of a pod that is deleted meanwhile, and names its end: by <_>' -ForEach 'Auto',
            'Memory' {
            $pod = New-TestPod $script:ns -Image tools
            $session = Start-PodDebug $pod -Namespace $script:ns -For Time
            $asked = Start-ThreadJob -ArgumentList $session, $_, (Get-Module PyDebug).Path {
                param($session, $method, $module)
                Import-Module $module
                $session | Measure-PyTime -Method $method -DurationSeconds 60 -WarningAction SilentlyContinue `
                    -WarningVariable said -ErrorAction SilentlyContinue -ErrorVariable failed |
                    Select-Object *, @{ Name = 'Said'; Expression = { "$said" } }, @{
                        Name = 'Failed'; Expression = { "$failed" } }
            }
            Start-Sleep 6
            Invoke-TestApi DELETE "/api/v1/namespaces/$script:ns/pods/${pod}?gracePeriodSeconds=1" | Out-Null
            $report = $asked | Wait-Job -Timeout 90 | Receive-Job
            Remove-Job $asked -Force
            @($report).Count | Should -Be 1
            $report.Failed | Should -BeNullOrEmpty
            $report.Ended | Should -BeTrue
            $report.Said | Should -Match 'is being deleted|no longer exists|was not found|was replaced'
        }
    }
}
