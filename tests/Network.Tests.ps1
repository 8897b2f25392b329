# What lies between a client and a server: a proxy, a load balancer that cuts what is quiet, a cable that is drawn. And
# a client that is killed, a server that is away for a moment.

BeforeDiscovery {
    $script:noPython = -not (Get-Command python3 -CommandType Application -ErrorAction Ignore)
    if ($script:noPython) {
        Write-Warning 'SKIPPED: a network that cuts what is quiet. Missing: python3 on PATH.'
    }
    $script:noRestart = $env:PYDEBUG_TEST_KIND -ne 'cluster' -or -not $env:PYDEBUG_CLUSTER
    if ($script:noRestart) {
        Write-Warning 'SKIPPED: an API server that is started again. It takes the cluster of tests/cluster.'
    }
    # The wait is the agent's and the client's own, whatever serves them.
    $script:asleepElsewhere = $env:PYDEBUG_TEST_KIND -eq 'cluster' -and -not $env:PYDEBUG_TEST_LONG
    if ($script:asleepElsewhere) {
        Write-Warning 'SKIPPED: a client that is asleep, as on the sandbox. It is run here with PYDEBUG_TEST_LONG=1.'
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -ReadyLog 'listens'

    function Get-TargetProcess {
        return (Get-PodProcessTable $script:ns $script:pod | Where-Object { $_.Command -match '/srv/app.py' }).Pid
    }

    $script:target = Get-TargetProcess

    function Start-Relay {
        # A proxy of ours, and a kubeconfig that goes through it.
        param([double] $Idle = 0)
        $start = [System.Diagnostics.ProcessStartInfo]::new('python3')
        @((Join-Path $PSScriptRoot 'relay.py'), '--idle', "$Idle") | ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardInput = $true
        $start.RedirectStandardOutput = $true
        $process = [System.Diagnostics.Process]::Start($start)
        $port = $process.StandardOutput.ReadLine()
        $text = Get-Content -Raw -LiteralPath $env:PYDEBUG_TEST_KUBECONFIG
        $config = Join-Path $TestDrive "$(New-TestName 'relay').yaml"
        # Whatever the file's style is: the address is followed by the proxy's.
        $address = [regex]::Match($text,
            '(?m)(?<before>(?:^|[\s{,])["'']?)server(?<quote>["'']?):\s*(?<value>["'']?[^"''\s,}]+["'']?)')
        $name =
            "$($address.Groups['quote'].Value)proxy-url$($address.Groups['quote'].Value): `"http://127.0.0.1:$port`""
        $indent = [regex]::Match($text.Substring(0, $address.Index + $address.Groups['before'].Length),
            '(?m)^[ \t]*(?=["'']?\z)').Value
        $separator = $text.TrimStart().StartsWith('{') -or -not $indent ? ', ' : "`n$indent"
        $end = $address.Index + $address.Length
        Set-Content -LiteralPath $config -Value ($text.Substring(0, $end) + $separator + $name + $text.Substring($end))
        return [pscustomobject]@{ Process = $process; Config = $config }
    }

    function Invoke-Signal {
        param([int] $Id, [string] $Signal)
        & kill "-$Signal" $Id
        if ($LASTEXITCODE -ne 0) {
            throw "kill -$Signal $Id ended with exit code $LASTEXITCODE."
        }
    }

    function Start-Shell {
        # Begins a script in a runspace of its own that has the module.
        param([string] $Script)
        $shell = [powershell]::Create()
        $head = "`$ProgressPreference = 'SilentlyContinue'; Import-Module '$($script:ModulePath)/PyDebug.psd1'"
        [void]$shell.AddScript("$head; $Script")
        return [pscustomobject]@{ Shell = $shell; Run = $shell.BeginInvoke() }
    }

    function Wait-Shell {
        # Gives what a script wrote and what it failed with, once it has ended.
        param([psobject] $Started, [double] $Seconds)
        Wait-Until -What 'the command to end' -Seconds $Seconds { $Started.Run.IsCompleted } | Out-Null
        $thrown = $null
        $output = try { $Started.Shell.EndInvoke($Started.Run) }
        catch { $thrown = $_.Exception.InnerException.ErrorRecord }
        $errors = @(@($thrown) + @($Started.Shell.Streams.Error) | Where-Object { $_ })
        return [pscustomobject]@{ Output = @($output | Where-Object { $null -ne $_ }); Errors = $errors }
    }

    function Wait-NothingAtWork {
        # Waits until nothing of ours is in the pod, and gives the seconds that took; the target goes on.
        param([double] $Seconds = 30)
        $watch = [System.Diagnostics.Stopwatch]::StartNew()
        Wait-Until -What 'the agent and its tools to be gone' -Seconds $Seconds {
            @(Get-AgentProcess $script:ns $script:pod).Count -eq 0
        } | Out-Null
        $stopped = Get-PodProcessTable $script:ns $script:pod | Where-Object { $_.State -in 'T', 't' }
        $stopped | Should -BeNullOrEmpty -Because 'nothing of the target may be left stopped'
        return $watch.Elapsed.TotalSeconds
    }

    function Wait-AtWork {
        Wait-Until -What 'the agent to be at work' -Seconds 60 {
            @(Get-AgentProcess $script:ns $script:pod).Count -gt 0
        } | Out-Null
    }

    function New-LargeFile {
        # Writes a file of so many MiB, no two alike, in the pod's container; gives its SHA-256.
        param([string] $Pod, [int] $Mebibytes)
        $program = @"
import hashlib
digest = hashlib.sha256()
with open('/tmp/large', 'wb') as file:
    for number in range($Mebibytes):
        part = number.to_bytes(8, 'little') * (1 << 17)
        digest.update(part)
        file.write(part)
print(digest.hexdigest())
"@
        return (Invoke-PodExec $script:ns $Pod 'python3', '-c', $program -Seconds 180).Trim()
    }

    function Get-ArrivedBytes {
        # How much of a file in the folder a process has; the file may have no name yet.
        param([int] $Id, [string] $Folder)
        foreach ($descriptor in [System.IO.Directory]::GetFiles("/proc/$Id/fd")) {
            try {
                if ("$([System.IO.FileInfo]::new($descriptor).LinkTarget)".StartsWith("$Folder/")) {
                    $file = [System.IO.File]::OpenRead($descriptor)
                    $file.Length
                    $file.Dispose()
                }
            }
            catch [System.IO.IOException] {
                # It was closed meanwhile.
                continue
            }
        }
    }

    function Wait-UnderWay {
        # Waits until the first bytes of a copy into the folder are there.
        param([int] $Id, [string] $Folder)
        Wait-Until -What 'the copy to be under way' -Seconds 60 -Milliseconds 5 {
            Get-ArrivedBytes $Id $Folder | Where-Object { $_ -gt 0 }
        } | Out-Null
    }

    function Start-Client {
        # A PowerShell with the module that runs a script.
        param([string] $Script)
        $program, $first = Get-PwshCommand
        $start = [System.Diagnostics.ProcessStartInfo]::new($program)
        $text = "Import-Module '$($script:ModulePath)/PyDebug.psd1'; $Script"
        @($first) + @('-NoProfile', '-NonInteractive', '-Command', $text) |
            ForEach-Object { $start.ArgumentList.Add($_) }
        $start.RedirectStandardOutput = $true
        $start.RedirectStandardError = $true
        return [System.Diagnostics.Process]::Start($start)
    }

    function Stop-Relay {
        param([psobject] $Relay)
        $Relay.Process.Kill()
        $Relay.Process.WaitForExit()
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'A network' -Skip:$noPython {
    It 'with a load balancer that cuts what is quiet for 5 s is not noticed' {
        $relay = Start-Relay -Idle 5
        try {
            $session = Start-PodDebug $script:pod -Namespace $script:ns -Kubeconfig $relay.Config
            $report = $session | Measure-PyTime -DurationSeconds 8 -ErrorAction Stop
            $report.DurationSeconds | Should -BeGreaterThan 7
        }
        finally {
            Stop-Relay $relay
        }
    }

    It 'that is gone from one moment to the next ends the question here, and what is at work in the pod' {
        $relay = Start-Relay
        $started = $null
        try {
            Start-PodDebug $script:pod -Namespace $script:ns -Kubeconfig $relay.Config | Out-Null
            $started = Start-Shell ("Get-PodDebug $($script:pod) -Namespace $($script:ns) " +
                "-Kubeconfig '$($relay.Config)' | " +
                'Measure-PyTime -DurationSeconds 300 -ErrorAction Stop')
            Wait-AtWork
            # Nothing is closed and nothing goes through any more, as where a cable is drawn.
            Invoke-Signal $relay.Process.Id 'STOP'
            # It counts from the last that it heard; the rest is for a machine that is busy.
            Wait-NothingAtWork -Seconds 40 | Out-Null
            $ended = Wait-Shell $started 60
            $ended.Output.Count | Should -Be 0
            $ended.Errors.Count | Should -Be 1
            Get-ErrorId $ended.Errors[0] | Should -Be 'PeerSilent'
            $ended.Errors[0].Exception.IsRetryable | Should -BeTrue
        }
        finally {
            if ($started) {
                $started.Shell.Dispose()
            }
            Stop-Relay $relay
        }
    }
}

Describe 'A client' {
    It 'that is killed leaves nothing at work in the pod and nothing stopped' {
        Start-PodDebug $script:pod -Namespace $script:ns | Out-Null
        $process = Start-Client ("Get-PodDebug $($script:pod) -Namespace $($script:ns) | " +
            'Measure-PyTime -Method Memory -DurationSeconds 300')
        try {
            Wait-AtWork
        }
        finally {
            $process.Kill()
            $process.WaitForExit()
        }
        Wait-NothingAtWork | Out-Null
        $script:target | Should -Be (Get-TargetProcess)
    }

    It 'that is asleep for a minute has an error of a question, and of a watch and a copy what they are' `
        -Skip:$asleepElsewhere {
        Start-PodDebug $script:pod -Namespace $script:ns | Out-Null
        $hash = New-LargeFile $script:pod 512
        $folder = (New-Item -ItemType Directory (Join-Path $TestDrive 'asleep')).FullName
        # The copy begins once the others are at work.
        $process = Start-Client @"
'Measure-PyTime -DurationSeconds 300', 'Watch-PyProcess -IntervalSeconds 1 -DurationSeconds 90',
'Copy-PodFile -FromTarget -Path /tmp/large -Destination $folder/large' | ForEach-Object -Parallel {
    Import-Module '$($script:ModulePath)/PyDebug.psd1'
    while (`$_ -match 'Copy' -and -not (Test-Path '$folder.begin')) { Start-Sleep -Milliseconds 50 }
    `$command, `$failures, `$output = `$_, @(), @()
    try {
        `$text = "Get-PodDebug $($script:pod) -Namespace $($script:ns) | `$command"
        `$output = @(Invoke-Expression `$text -ErrorVariable failures)
    }
    catch { `$failures = @(`$_) }
    [pscustomobject]@{
        Command = "`$command" -replace ' .*'; Count = `$output.Count
        Failures = @(`$failures | ForEach-Object { "`$(`$_.FullyQualifiedErrorId): `$(`$_)" })
    }
} | ConvertTo-Json | Set-Content '$folder.json'
"@
        try {
            $said = $process.StandardOutput.ReadToEndAsync(), $process.StandardError.ReadToEndAsync()
            Wait-Until -What 'question and watch to be at work' -Seconds 60 {
                @(Get-AgentProcess $script:ns $script:pod).Count -ge 2
            } | Out-Null
            # The watch has seen the process by then.
            Start-Sleep -Seconds 4
            Set-Content -LiteralPath "$folder.begin" -Value ''
            Wait-UnderWay $process.Id $folder
            Invoke-Signal $process.Id 'STOP'
            $asleep = [System.Diagnostics.Stopwatch]::StartNew()
            # It counts from the last that it heard; the rest is for a machine that is busy.
            $gone = Wait-NothingAtWork -Seconds 40
            Start-Sleep -Milliseconds ([Math]::Max(0, 62000 - $asleep.ElapsedMilliseconds))
            Invoke-Signal $process.Id 'CONT'
            Wait-Until -What 'the client to end' -Seconds 120 { $process.HasExited } | Out-Null
            $again = Wait-NothingAtWork
            Write-Host ('Asleep: nothing at work after {0:0.0} s; awake and ended: after {1:0.0} s.' -f $gone, $again)
        }
        finally {
            $process.Kill()
            $process.WaitForExit()
        }
        "$folder.json" | Should -Exist -Because ($said.Result -join "`n")
        $ended = @{}
        Get-Content -Raw -LiteralPath "$folder.json" | ConvertFrom-Json | ForEach-Object { $ended[$_.Command] = $_ }
        $ended['Measure-PyTime'].Count | Should -Be 0
        $ended['Measure-PyTime'].Failures.Count | Should -Be 1
        $ended['Measure-PyTime'].Failures[0] | Should -Match '^(PeerSilent|OutcomeUnknown|ConnectionFailed),'
        $ended['Watch-PyProcess'].Failures | Should -BeNullOrEmpty
        $ended['Watch-PyProcess'].Count | Should -BeGreaterThan 0
        $ended['Copy-PodFile'].Failures | Should -BeNullOrEmpty
        (Get-FileHash -LiteralPath "$folder/large").Hash | Should -Be $hash
        $script:target | Should -Be (Get-TargetProcess)
    }
}

Describe 'An API server that is killed and started again' -Tag 'Alone' -Skip:$noRestart {
    BeforeAll {
        function Restart-ApiServer {
            param([double] $Down)
            & python3 -B (Join-Path $PSScriptRoot 'cluster/cluster') restart kube-apiserver --down $Down
            if ($LASTEXITCODE -ne 0) {
                throw "The API server was not started again: exit code $LASTEXITCODE."
            }
        }

        function Wait-ApiServer {
            Wait-Until -What 'the API server to answer' -Seconds 90 {
                try { Get-TestPod $script:ns $script:pod } catch { $null }
            } | Out-Null
        }
    }

    AfterEach {
        Wait-ApiServer
    }

    It 'is waited for by Start-PodDebug: <What>' -ForEach @(
        @{ What = 'once it has answered'; Until = 'answered' }
        @{ What = 'once it has taken the container'; Until = 'patched' }
    ) {
        $name = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -ReadyLog 'listens'
        $started = Start-Shell ("`$VerbosePreference = 'Continue'; " +
            "Start-PodDebug $name -Namespace $($script:ns) -TimeoutSeconds 120 -ErrorAction Stop")
        try {
            Wait-Until -What 'the start to be under way' -Seconds 60 -Milliseconds 5 {
                $started.Run.IsCompleted -or $(
                    if ($Until -eq 'answered') { $started.Shell.Streams.Verbose.Count -gt 0 }
                    else { @(Get-EphemeralContainer $script:ns $name).Count -gt 0 })
            } | Out-Null
            $started.Run.IsCompleted | Should -BeFalse -Because 'a start that is over meets no restart'
            Restart-ApiServer -Down 2
            $ended = Wait-Shell $started 120
            $ended.Errors | ForEach-Object { "$_" } | Should -BeNullOrEmpty
            $ended.Output.Count | Should -Be 1
            Wait-ApiServer
            @(Get-EphemeralContainer $script:ns $name).Count | Should -Be 1
            @($ended.Output[0] | Get-PyProcess -ErrorAction Stop).Count | Should -BeGreaterThan 0
        }
        finally {
            $started.Shell.Dispose()
        }
    }

    It 'cuts a question, which is told, and nothing is at work after it' {
        Start-PodDebug $script:pod -Namespace $script:ns | Out-Null
        $started = Start-Shell ("Get-PodDebug $($script:pod) -Namespace $($script:ns) | " +
            'Measure-PyTime -DurationSeconds 300 -ErrorAction Stop')
        try {
            Wait-AtWork
            Restart-ApiServer -Down 0
            $ended = Wait-Shell $started 60
            $ended.Output.Count | Should -Be 0
            $ended.Errors.Count | Should -Be 1
            Get-ErrorId $ended.Errors[0] | Should -BeIn 'OutcomeUnknown', 'ConnectionFailed'
            $ended.Errors[0].Exception.RemoteState | Should -Be 'MayBeRunning'
            Wait-ApiServer
            Wait-NothingAtWork | Out-Null
        }
        finally {
            $started.Shell.Dispose()
        }
    }
    It 'cuts a copy, which goes on and is whole' {
        Start-PodDebug $script:pod -Namespace $script:ns | Out-Null
        $hash = New-LargeFile $script:pod 512
        $folder = (New-Item -ItemType Directory (Join-Path $TestDrive 'cut')).FullName
        $started = Start-Shell ("`$VerbosePreference = 'Continue'; " +
            "Get-PodDebug $($script:pod) -Namespace $($script:ns) | " +
            "Copy-PodFile -FromTarget -Path /tmp/large -Destination '$folder/large' -ErrorAction Stop")
        try {
            Wait-UnderWay $PID $folder
            Restart-ApiServer -Down 2
            # Who copies stands back behind whatever else the node does.
            $ended = Wait-Shell $started 600
            $ended.Errors | ForEach-Object { "$_" } | Should -BeNullOrEmpty
            $ended.Output.Count | Should -Be 1
            @($started.Shell.Streams.Verbose | Where-Object { "$_" -match 'goes on after' }).Count |
                Should -BeGreaterThan 0 -Because 'a copy that is over meets no restart'
            (Get-FileHash -LiteralPath "$folder/large").Hash | Should -Be $hash
            Wait-ApiServer
            Wait-NothingAtWork | Out-Null
        }
        finally {
            $started.Shell.Dispose()
        }
    }
}
