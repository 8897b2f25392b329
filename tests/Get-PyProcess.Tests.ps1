BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-PyProcess' {
    Context 'a single process' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -Command 'python3',
                '/srv/app.py' -Arguments 'sleepers' -Environment @{ SECRET_OF_THE_POD = 'hunter2' } -ReadyLog 'listens'
            $script:processes = @(Start-PodDebug $script:pod -Namespace $script:ns | Get-PyProcess)
        }

        It 'is found with what is known about it' {
            $script:processes.Count | Should -Be 1
            $process = $script:processes[0]
            $process | Should -BeOfType 'PyDebug.PyProcess'
            $process.ProcessId | Should -Be 1
            $process.PodName | Should -Be $script:pod
            $process.ContainerName | Should -Be 'web'
            $process.CommandLine | Should -Be 'python3 /srv/app.py sleepers'
            $process.PythonVersion | Should -Match '^3\.13\.\d+'
            $process.Implementation | Should -Be 'CPython'
            $process.Role | Should -Be 'Single'
            $process.UserId | Should -Be 0
            $process.ThreadCount | Should -Be 4
            $process.ResidentBytes | Should -BeGreaterThan 1MB
            $process.CpuSeconds | Should -BeGreaterThan 0
            $process.StartTime.Kind | Should -Be 'Utc'
            ([DateTime]::UtcNow - $process.StartTime).TotalSeconds | Should -BeLessThan 120
            ([DateTime]::UtcNow - $process.StartTime).TotalSeconds | Should -BeGreaterThan -2
        }

        It 'is shown without anything of its environment, and without us' {
            $script:processes | ConvertTo-Json -Depth 5 | Should -Not -Match 'hunter2'
            $script:processes.CommandLine | Should -Not -Match '-I -S -B'
        }

        It 'survives JSON' {
            $again = $script:processes[0] | ConvertTo-Json -Depth 5 | ConvertFrom-Json
            $again.StartTime | Should -Be $script:processes[0].StartTime
            $again.CommandLine | Should -Be $script:processes[0].CommandLine
        }
    }

    It 'masks secrets in command lines' {
        $program = 'import signal; signal.pause()'
        $pod = New-TestPod $script:ns -Command 'python3', '-c', $program, '--password', 'hunter2', '--token=hunter3',
            'api_key=hunter4', '--name', 'shown'
        $process = Start-PodDebug $pod -Namespace $script:ns | Get-PyProcess
        $process.CommandLine | Should -Not -Match 'hunter'
        $process.CommandLine | Should -Match '--password'
        $process.CommandLine | Should -Match 'shown'
    }

    It 'takes what a fork server made for workers of who started that, and asks them alone' {
        $program = @'
import multiprocessing, time
def spin_alpha():
    while True: time.sleep(0.01)
def sit_idle():
    while True: time.sleep(1)
if __name__ == "__main__":
    context = multiprocessing.get_context("forkserver")
    children = [context.Process(target=work) for work in (spin_alpha, sit_idle)]
    for child in children: child.start()
    print("ready", flush=True)
    children[0].join()
'@
        $pod = New-TestPod $script:ns -Image py314 -Command 'python3', '-c', ("import sys; open('/tmp/pool.py', " +
            "'w').write(sys.argv[1]); import os; os.execv(sys.executable, ['python3', '/tmp/pool.py'])"),
            $program -ReadyLog 'ready'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $processes = @(Wait-Until -What 'two workers' { $found = @($session | Get-PyProcess); @($found |
            Where-Object Role -eq Worker).Count -eq 2 ? $found : $null })
        ($processes | Where-Object Role -eq Master).ProcessId | Should -Be 1
        @($processes | Where-Object Role -eq Helper).Count | Should -Be 2
        $stacks = $processes | Where-Object Role -eq Worker | Get-PyStack | Where-Object IsMainThread
        $stacks.Frames.Name | Where-Object { $_ -in 'spin_alpha', 'sit_idle' } | Sort-Object |
            Should -Be 'sit_idle', 'spin_alpha'
    }

    It 'tells gunicorn''s master from its workers' {
        $pod = New-TestPod $script:ns -Image gunicorn -ReadyLog 'Booting worker with pid: \d+[\s\S]*Booting worker'
        $processes = @(Start-PodDebug $pod -Namespace $script:ns | Get-PyProcess)
        $processes.Count | Should -Be 3
        $master = $processes | Where-Object Role -eq 'Master'
        $master.ProcessId | Should -Be 1
        $workers = @($processes | Where-Object Role -eq 'Worker')
        $workers.Count | Should -Be 2
        $workers.ParentProcessId | Should -Be 1, 1
    }

    It 'finds Python in uwsgi, which has no interpreter of its own' {
        $pod = New-TestPod $script:ns -Image uwsgi -ReadyLog 'spawned uWSGI worker 2'
        $processes = @(Start-PodDebug $pod -Namespace $script:ns | Get-PyProcess)
        ($processes | Where-Object Role -eq 'Master').ProcessId | Should -Be 1
        @($processes | Where-Object Role -eq 'Worker').Count | Should -Be 2
        $processes.PythonVersion | ForEach-Object { $_ | Should -Match '^3\.13' }
        $processes.Executable | Select-Object -Unique | Should -Match 'uwsgi'
    }

    It 'finds the Pythons below a shell, and not the shell' {
        $pod = New-TestPod $script:ns -Image tools -Command 'sh', '-c',
            'python3 /srv/app.py & BADAPP_ADDRESS=127.0.0.1:8081 python3 /srv/async_app.py 0 & sleep 3600; true'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $processes = Wait-Until -What 'both Pythons' { $found = @($session |
            Get-PyProcess); $found.Count -eq 2 ? $found : $null }
        $processes.ProcessId | Should -Not -Contain 1
        $processes.ParentProcessId | Should -Be 1, 1
        $processes.CommandLine | Sort-Object | Should -Be 'python3 /srv/app.py', 'python3 /srv/async_app.py 0'
    }

    It 'finds an interpreter of any name' {
        $program = 'import os; os.execv("/usr/bin/python3", ["my-service", "-c", "import signal; signal.pause()"])'
        $pod = New-TestPod $script:ns -Command 'python3', '-c', $program
        $session = Start-PodDebug $pod -Namespace $script:ns
        $process = Wait-Until -What 'the new name' { $session | Get-PyProcess |
            Where-Object CommandLine -match '^my-service' }
        $process.CommandLine | Should -Match '^my-service'
        $process.PythonVersion | Should -Match '^3\.13'
    }

    It 'knows Python <Version>' -Skip:($env:PYDEBUG_TEST_KIND -eq 'cluster') -ForEach @(
        @{ Image = 'py39'; Version = '3.9' }
        @{ Image = 'py311'; Version = '3.11' }
        @{ Image = 'py314'; Version = '3.14' }
        @{ Image = 'py315'; Version = '3.15' }
    ) {
        $pod = New-TestPod $script:ns -Image $Image
        (Start-PodDebug $pod -Namespace $script:ns | Get-PyProcess).PythonVersion |
            Should -Match "^$([regex]::Escape($Version))\."
    }

    It 'leaves nothing of ours running, and no zombie' {
        $pod = New-TestPod $script:ns
        $session = Start-PodDebug $pod -Namespace $script:ns
        1..3 | ForEach-Object { $session | Get-PyProcess | Out-Null }
        Wait-Until -What 'the agents to end' -Seconds 5 { -not (Get-AgentProcess $script:ns $pod) } | Should -BeTrue
        Get-PodProcessTable $script:ns $pod | Where-Object State -eq 'Z' | Should -BeNullOrEmpty
    }
}
