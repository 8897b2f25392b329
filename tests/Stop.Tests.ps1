# Stop means stop: Ctrl+C, Select-Object -First and -ErrorAction Stop cancel, end what runs in the pod, and return in
# time.

BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:noPySpy = -not (Test-Path -LiteralPath (Join-Path $script:ModulePath 'bin/payload/py-spy/manifest.json'))
    if ($script:noPySpy) {
        Write-Warning 'SKIPPED: stopping a recording with py-spy. This build carries none.'
    }
    $script:noMemray = -not (Test-MemrayPayload 'py313')
    if ($script:noMemray) {
        Write-Warning 'SKIPPED: stopping a report of memory. This build carries no memray for Python 3.13.'
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace

    function Invoke-Stopped {
        # Starts the script in a runspace, stops it when it is under way, gives the seconds until it had ended.
        param([string] $Script, [scriptblock] $UnderWay)
        $shell = [powershell]::Create()
        try {
            [void]$shell.AddScript(("`$ProgressPreference = 'SilentlyContinue'; Import-Module " +
                "'$($script:ModulePath)/PyDebug.psd1'; $Script"))
            $run = $shell.BeginInvoke()
            Wait-Until -What 'the command to be under way' -Seconds 30 { $run.IsCompleted -or (& $UnderWay) } | Out-Null
            if ($run.IsCompleted) {
                throw "It was to be stopped, and ended by itself: $($shell.Streams.Error.ReadAll())"
            }
            $watch = [System.Diagnostics.Stopwatch]::StartNew()
            $stop = $shell.BeginStop($null, $null)
            $stop.AsyncWaitHandle.WaitOne(20000) | Should -BeTrue
            $shell.EndStop($stop)
            $shell.InvocationStateInfo.State |
                Should -Be 'Stopped' -Because 'a command that ended by itself shows nothing'
            return $watch.Elapsed.TotalSeconds
        }
        finally {
            $shell.Dispose()
        }
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Stop' {
    It 'ends a start whose server does not answer' {
        $listener = [System.Net.Sockets.TcpListener]::new([System.Net.IPAddress]::Loopback, 0)
        $listener.Start()
        try {
            $connect = ("-Server https://127.0.0.1:$($listener.LocalEndpoint.Port) -AccessToken " +
                "(ConvertTo-SecureString x -AsPlainText) ") +
                "-CertificateAuthorityData '$([Convert]::ToBase64String($script:Server.Authority))'"
            $seconds = Invoke-Stopped "Start-PodDebug bad-app -Namespace default $connect" { $listener.Pending() }
            $seconds | Should -BeLessThan 5
        }
        finally {
            $listener.Stop()
        }
    }

    It 'ends a question while the agent is held up, and the agent with it' {
        # The agent's processes are stopped by a signal as soon as they are seen, so it cannot answer.
        $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -ReadyLog 'listens'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $holder = @'
import os, signal, sys, time
end = time.monotonic() + 30
held = set()
print("ready", flush=True)
while time.monotonic() < end:
    for pid in os.listdir("/proc"):
        try:
            line = open(f"/proc/{pid}/cmdline").read() if pid.isdigit() else ""
        except OSError:
            continue
        if pid not in held and "\0-I\0-S\0-B\0" in line and "SIGUSR1" not in line:
            os.kill(int(pid), signal.SIGSTOP)
            end = end if held else time.monotonic() + 7
            held.add(pid)
for pid in held:
    os.kill(int(pid), signal.SIGCONT)
'@
        Invoke-PodExec $script:ns $pod 'python3', '-c', ("import subprocess, sys; subprocess.Popen([sys.executable, " +
            "'-c', sys.argv[1]], stdin=-3, stdout=-3, stderr=-3, start_new_session=True)"), $holder | Out-Null
        Wait-Until -What 'the holder' { Get-PodProcessTable $script:ns $pod |
            Where-Object { $_.Command -match 'SIGSTOP' } } | Out-Null
        $script:json = $session | ConvertTo-Json -Depth 5 -Compress
        $seconds = Invoke-Stopped "'$($script:json)' | ConvertFrom-Json | Get-PyStack" {
            Get-AgentProcess $script:ns $pod | Where-Object State -eq 'T'
        }
        $seconds | Should -BeLessThan 5
        Wait-Until -What 'the agent to end' -Seconds 20 { -not (Get-AgentProcess $script:ns $pod |
            Where-Object { $_.Command -notmatch 'SIGSTOP' }) } | Should -BeTrue
    }

    It 'ends a recording, its tool, and leaves the target running' -Skip:$script:noPySpy {
        $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'hot' -ReadyLog 'listens'
        $json = Start-PodDebug $pod -Namespace $script:ns | ConvertTo-Json -Depth 5 -Compress
        $tool = { Get-PodProcessTable $script:ns $pod | Where-Object Command -match '^py-spy record' }
        $seconds = Invoke-Stopped "'$json' | ConvertFrom-Json | Invoke-PySpy -Record -DurationSeconds 120" $tool
        $seconds | Should -BeLessThan 5
        Wait-Until -What 'py-spy and the agent to end' -Seconds 20 { -not (& $tool) -and
            -not (Get-AgentProcess $script:ns $pod) } | Should -BeTrue
        Get-PodProcessTable $script:ns $pod | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
        Request-Trouble $script:ns $pod '/work?ms=10' | Should -Match 'worked'
    }

    It 'ends a measurement of time by <_>, and leaves nothing stopped' -ForEach 'Kernel', 'Memory' {
        $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'hot', 'locks' -ReadyLog 'listens'
        $json = Start-PodDebug $pod -Namespace $script:ns -For Time | ConvertTo-Json -Depth 5 -Compress
        $measure = "'$json' | ConvertFrom-Json | Measure-PyTime -Method $_ -DurationSeconds 300"
        $began = [DateTime]::UtcNow
        $seconds = Invoke-Stopped $measure { (Get-AgentProcess $script:ns $pod) -and
            ([DateTime]::UtcNow - $began).TotalSeconds -gt 3 }
        $seconds | Should -BeLessThan 5
        Wait-Until -What 'the agent to end' -Seconds 10 { -not (Get-AgentProcess $script:ns $pod) } | Should -BeTrue
        Get-PodProcessTable $script:ns $pod | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
        Request-Trouble $script:ns $pod '/work?ms=5' | Should -Match 'worked'
        Remove-TestPod $script:ns $pod
    }

    It 'ends a report of memory, and leaves the target as it was' -Skip:$script:noMemray {
        $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'leak' -ReadyLog 'listens'
        $json = Start-PodDebug $pod -Namespace $script:ns | ConvertTo-Json -Depth 5 -Compress
        $tracks = { Invoke-PodPython $script:ns $pod "print('memray' in open('/proc/1/maps').read())" |
            Where-Object { $_ -match 'True' } }
        $seconds = Invoke-Stopped ("'$json' | ConvertFrom-Json | Get-MemrayReport -ProcessId 1 -DurationSeconds 300 " +
            "-Confirm:`$false") $tracks
        $seconds | Should -BeLessThan 5
        Wait-Until -What 'the agent to end' -Seconds 10 { -not (Get-AgentProcess $script:ns $pod) } | Should -BeTrue
        Get-PodProcessTable $script:ns $pod | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
        Request-Trouble $script:ns $pod '/work?ms=5' | Should -Match 'worked'
        $json | ConvertFrom-Json | Get-MemrayReport -ProcessId 1 -DurationSeconds 1 -Confirm:$false |
            Should -Not -BeNullOrEmpty
        Remove-TestPod $script:ns $pod
    }

    It 'ends with Select-Object -First' {
        $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'sleepers', 'hot' -ReadyLog 'listens'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $time = Measure-Command { $script:one = @($session | Get-PyStack | Select-Object -First 1) }
        $script:one.Count | Should -Be 1
        $time.TotalSeconds | Should -BeLessThan 5
        Wait-Until -What 'the agent to end' -Seconds 5 { -not (Get-AgentProcess $script:ns $pod) } | Should -BeTrue
        Get-PodProcessTable $script:ns $pod | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
    }

    It 'ends with -ErrorAction Stop at the first failure' {
        $pod = New-TestPod $script:ns -ReadyLog 'listens'
        $session = Start-PodDebug $pod -Namespace $script:ns
        $time = Measure-Command { { $session | Get-PyStack -ProcessId 4242 -ErrorAction Stop } |
            Should -Throw -ErrorId 'ProcessGone*' }
        $time.TotalSeconds | Should -BeLessThan 5
        Wait-Until -What 'the agent to end' -Seconds 5 { -not (Get-AgentProcess $script:ns $pod) } | Should -BeTrue
    }
}
