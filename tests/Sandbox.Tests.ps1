# The sandbox itself, driven by kubectl, which nobody here wrote. Needs a kubectl of 1.31 or later, for WebSockets.
BeforeDiscovery {
    $script:reason = $null
    if ($env:PYDEBUG_TEST_KIND -ne 'sandbox') {
        $script:reason = 'the tests run on a real Kubernetes, not on the sandbox'
    }
    elseif (-not (Get-Command kubectl -CommandType Application -ErrorAction Ignore)) {
        $script:reason = 'there is no kubectl on PATH'
    }
    else {
        $client = (& kubectl version --client --output json | ConvertFrom-Json).clientVersion
        if ([int]($client.minor -replace '\D') -lt 31) {
            $script:reason = "kubectl is $($client.gitVersion), and WebSockets need 1.31"
        }
    }
    if ($script:reason) {
        Write-Warning "The sandbox is not held against kubectl: $($script:reason)."
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')

    function Invoke-Kubectl {
        # kubectl's standard output and error as one text; throws where it fails, unless -Fails, and then where it does
        # not.
        param([string[]] $Arguments, [string] $InputText, [string] $Kubeconfig = $env:PYDEBUG_TEST_KUBECONFIG,
            [switch] $Fails)
        $all = @('--kubeconfig', $Kubeconfig) + $Arguments
        $output = $PSBoundParameters.ContainsKey('InputText') ? ($InputText |
            & kubectl @all 2>&1) : (& kubectl @all 2>&1)
        $text = @($output | ForEach-Object { "$_" }) -join "`n"
        if (($LASTEXITCODE -ne 0) -ne [bool]$Fails) {
            throw "kubectl $($Arguments -join ' ') ended with exit code ${LASTEXITCODE}: $text"
        }
        return $text
    }
}

Describe 'The sandbox, asked by kubectl' -Skip:([bool]$script:reason) {
    BeforeAll {
        $script:ns = New-TestNamespace
        $script:pod = New-TestPod $script:ns -Image 'tools' -MemoryLimit '256Mi'
        function Invoke-Here {
            param([Parameter(ValueFromRemainingArguments)] [string[]] $Words)
            return Invoke-Kubectl (@('--namespace', $script:ns) + $Words)
        }
    }

    AfterAll {
        Remove-TestNamespace $script:ns
    }

    It 'says its version and that it is ready' {
        Invoke-Kubectl @('version') | Should -Match 'Server Version: v1\.36'
        Invoke-Kubectl @('get', '--raw', '/readyz') | Should -Be 'ok'
    }

    It 'lists pods in kubectl''s table' {
        Invoke-Here get pods | Should -Match "$($script:pod)\s+1/1\s+Running\s+0"
    }

    It 'waits for a condition by watching' {
        Invoke-Here wait pod $script:pod --for=condition=Ready --timeout=20s | Should -Match 'condition met'
    }

    It 'runs a command and gives its exit code' {
        Invoke-Here exec $script:pod '--' python3 -c 'print("out")' | Should -Be 'out'
        Invoke-Kubectl @('-n', $script:ns, 'exec', $script:pod, '--', 'python3', '-c', 'raise SystemExit(7)') -Fails |
            Should -Match 'exit code 7'
    }

    It 'passes standard input on, and its end' {
        $words = @('-n', $script:ns, 'exec', '-i', $script:pod, '--', 'python3', '-c',
            'import sys; print(sys.stdin.read().strip().upper())')
        Invoke-Kubectl $words -InputText 'through the socket' | Should -Be 'THROUGH THE SOCKET'
    }

    It 'says so when a program is not there' {
        Invoke-Kubectl @('-n', $script:ns, 'exec', $script:pod, '--', 'nothing-here') -Fails |
            Should -Match 'exec: "nothing-here": executable file not found in \$PATH'
    }

    It 'runs commands in the container''s cgroup, with its capabilities and its user' {
        $status = Invoke-Here exec $script:pod '--' python3 -c 'print(open("/proc/self/status").read())'
        $status | Should -Match 'CapEff:\s+00000000a80425fb'
        $status | Should -Match 'Uid:\s+0'
    }

    It 'copies a file in and out with tar' {
        $sent = Join-Path $TestDrive 'sent.txt'
        $received = Join-Path $TestDrive 'received.txt'
        $content = 'x' * 300000 + "`nend"
        Set-Content -LiteralPath $sent -Value $content -NoNewline
        Invoke-Here cp $sent "$($script:pod):/tmp/copied.txt"
        Invoke-Here cp "$($script:pod):/tmp/copied.txt" $received
        Get-Content -Raw -LiteralPath $received | Should -Be $content
    }

    It 'adds a debug container that sees the target''s processes' {
        Invoke-Here debug $script:pod --image=pydebug.test/tools:1 --target=web --profile=general `
            --container=looker '--' python3 -c 'import signal; signal.pause()'
        Wait-Until -What 'the debug container' {
            (Get-TestPod $script:ns $script:pod).status.ephemeralContainerStatuses.state.PSObject.Properties['running']
        } | Out-Null
        Invoke-Here exec $script:pod --container=looker '--' python3 -c 'print(open("/proc/1/cmdline").read())' |
            Should -Match 'python3'
        Invoke-Here exec $script:pod --container=looker '--' python3 -c 'print(open("/proc/self/status").read())' |
            Should -Match 'CapEff:\s+00000000a80c25fb'
    }

    It 'refuses a debug container for a target that is not there' {
        Invoke-Kubectl @('-n', $script:ns, 'debug', $script:pod, '--image=pydebug.test/tools:1', '--target=nobody',
            '--profile=general', '--', 'true') -Fails |
            Should -Match 'targetContainerName: Not found: "nobody"'
    }

    It 'shows logs, also while they grow' {
        $name = New-TestPod $script:ns -Image 'tools' -Command python3, '-u', '-c',
            'import time; print("one"); time.sleep(1); print("two")' -Spec @{ restartPolicy = 'Never' }
        Invoke-Here logs --follow $name | Should -Be "one`ntwo"
        Invoke-Here logs --tail=1 $name | Should -Be 'two'
        Wait-Until -What 'the pod to be called complete' `
            -Seconds 20 { (Invoke-Here get pod $name) -match 'Completed' } | Should -Not -BeNullOrEmpty
    }

    It 'deletes a pod and waits for its end' {
        $name = New-TestPod $script:ns -Image 'tools'
        Invoke-Here delete pod $name --now | Should -Match 'deleted'
        Get-TestPod $script:ns $name | Should -BeNullOrEmpty
    }

    It 'makes a namespace and labels it' {
        $name = New-TestName
        Invoke-Kubectl @('create', 'namespace', $name) | Should -Match 'created'
        Invoke-Kubectl @('label', 'namespace', $name, 'pod-security.kubernetes.io/enforce=restricted') |
            Should -Match 'labeled'
        $text = @{ apiVersion = 'v1'; kind = 'Pod'; metadata = @{ name = 'loose' };
            spec = @{ containers = @(@{ name = 'web'; image = 'pydebug.test/tools:1' }) } } | ConvertTo-Json -Depth 5
        Invoke-Kubectl @('-n', $name, 'create', '-f', '-') -InputText $text -Fails |
            Should -Match 'violates PodSecurity "restricted:latest"'
        Invoke-Kubectl @('delete', 'namespace', $name) | Should -Match 'deleted'
    }

    It 'lets others do what their rules say and no more' {
        $viewer = "$($env:PYDEBUG_TEST_KUBECONFIG)-viewer"
        Invoke-Kubectl @('-n', $script:ns, 'get', 'pods') -Kubeconfig $viewer | Should -Match $script:pod
        Invoke-Kubectl @('-n', $script:ns, 'exec', $script:pod, '--', 'true') -Kubeconfig $viewer -Fails |
            Should -Match ("pods `"$($script:pod)`" is forbidden: User `"viewer`" cannot (get|create) resource " +
                "`"pods/exec`" in API group `"`" in the namespace `"$($script:ns)`"")
        Invoke-Kubectl @('-n', $script:ns, 'auth', 'can-i', 'patch', 'pods',
            '--subresource=ephemeralcontainers') -Kubeconfig $viewer -Fails | Should -Match 'no'
        Invoke-Kubectl @('-n', $script:ns, 'auth', 'can-i', 'patch', 'pods', '--subresource=ephemeralcontainers') `
            -Kubeconfig "$($env:PYDEBUG_TEST_KUBECONFIG)-debugger" | Should -Match 'yes'
    }
}

Describe 'Containers of the sandbox' -Skip:($env:PYDEBUG_TEST_KIND -ne 'sandbox') {
    BeforeAll {
        $script:ns = New-TestNamespace
        function Wait-WaitingReason {
            param([string] $Name, [string] $Reason)
            return Wait-Until -What "$Reason of pod $Name" {
                $states = @((Get-TestPod $script:ns $Name).status.containerStatuses)
                $waiting = $states ? $states[0].state.PSObject.Properties['waiting'] : $null
                $waiting -and $waiting.Value.reason -eq $Reason ? $waiting.Value : $null
            }
        }
    }

    AfterAll {
        Remove-TestNamespace $script:ns
    }

    It 'wait for the reason the kubelet gives: <Reason>' -ForEach @(
        @{ Reason = 'ErrImagePull'; Image = 'pydebug.test/nothing:1'; Message = 'failed to resolve reference' }
        @{ Reason = 'ImagePullBackOff'; Image = 'pydebug.test/nothing:1'; Message = 'Back-off pulling image' }
        @{ Reason = 'InvalidImageName'; Image = 'pydebug.test/Upper:1'; Message = 'must be lowercase' }
        @{ Reason = 'RunContainerError'; Command = @('nothing-here');
            Message = 'exec: "nothing-here": executable file not found in \$PATH' }
        @{ Reason = 'CreateContainerConfigError'; Security = @{ runAsNonRoot = $true };
            Message = 'container has runAsNonRoot and image will run as root' }
    ) {
        $image = Get-Variable Image -ValueOnly -ErrorAction Ignore
        $arguments = @{ Image = $image ? $image : 'tools'; NoWait = $true }
        foreach ($name in 'Command', 'Security') {
            if (Get-Variable $name -ValueOnly -ErrorAction Ignore) {
                $arguments[$name] = Get-Variable $name -ValueOnly
            }
        }
        $pod = New-TestPod $script:ns @arguments
        (Wait-WaitingReason $pod $Reason).message | Should -Match $Message
        Remove-TestPod $script:ns $pod
    }

    It 'are killed for want of memory, and say so' {
        $pod = New-TestPod $script:ns -Image 'tools' -MemoryLimit '32Mi' -NoWait -Spec @{ restartPolicy = 'Never' } `
            -Command python3, '-c', 'x = bytearray(200 << 20)'
        $state = Wait-Until -What 'the end of the container' {
            $states = @((Get-TestPod $script:ns $pod).status.containerStatuses)
            $states -and $states[0].state.PSObject.Properties['terminated'] ? $states[0].state.terminated : $null
        }
        $state.reason | Should -Be 'OOMKilled'
        $state.exitCode | Should -Be 137
    }

    It 'run as the user asked for, without rights, on a root that cannot be written' {
        $pod = New-TestPod $script:ns -Image 'tools' -Security @{
            runAsUser = 10001; runAsGroup = 10002; runAsNonRoot = $true; readOnlyRootFilesystem = $true;
            allowPrivilegeEscalation = $false
            capabilities = @{ drop = @('ALL') }; seccompProfile = @{ type = 'RuntimeDefault' }
        }
        $status = Invoke-PodPython $script:ns $pod 'print(open("/proc/self/status").read())'
        $status | Should -Match 'Uid:\s+10001'
        $status | Should -Match 'Gid:\s+10002'
        $status | Should -Match 'CapBnd:\s+0000000000000000'
        $status | Should -Match 'NoNewPrivs:\s+1'
        $status | Should -Match 'Seccomp:\s+2'
        { Invoke-PodPython $script:ns $pod 'open("/file", "w")' } | Should -Throw '*Read-only file system*'
        (Get-TestPod $script:ns $pod).status.containerStatuses[0].user.linux.uid | Should -Be 10001
    }

    It 'share loopback, /dev/shm and, where asked, processes with the others of their pod' {
        $pod = New-TestPod $script:ns -Spec @{ shareProcessNamespace = $true } -Containers (
            New-TestContainer web tools), (New-TestContainer second tools)
        Invoke-PodPython $script:ns $pod 'open("/dev/shm/note", "w").write("hello")' | Out-Null
        Invoke-PodPython $script:ns $pod 'print(open("/dev/shm/note").read())' second | Should -Match 'hello'
        Invoke-PodPython $script:ns $pod 'print(open("/proc/1/cmdline").read())' | Should -Match '/pause'
    }

    It 'start again after a failure, as often as the policy says' {
        $pod = New-TestPod $script:ns -Image 'tools' -NoWait -Command python3, '-c', 'raise SystemExit(3)'
        (Wait-WaitingReason $pod 'CrashLoopBackOff').message |
            Should -Match 'back-off 10s restarting failed container=web'
        $status = (Get-TestPod $script:ns $pod).status.containerStatuses[0]
        $status.lastState.terminated.exitCode | Should -Be 3
        $status.restartCount | Should -BeGreaterThan 0
        Remove-TestPod $script:ns $pod
    }
}

Describe 'The end of the sandbox' -Skip:([bool]$script:reason) {
    BeforeAll {
        $script:program = Join-Path $PSScriptRoot 'Sandbox/bin/Release/net10.0/Sandbox.dll'
        $script:images = Join-Path ($env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug') 'images'

        function Start-OwnSandbox {
            param([string] $State)
            $process = Start-Process dotnet -PassThru -RedirectStandardOutput "$State.log" `
                -RedirectStandardError "$State.err" -ArgumentList @(
                $script:program, '--images', $script:images, '--state', $State)
            Wait-Until -What 'the sandbox to serve' { Test-Path -LiteralPath (Join-Path $State 'ready') } | Out-Null
            $kubeconfig = Join-Path $State 'kubeconfig'
            Invoke-Kubectl @('create', '-f', '-') -Kubeconfig $kubeconfig -InputText (@{
                    apiVersion = 'v1'; kind = 'Pod'; metadata = @{ name = 'left' }
                    spec = @{ containers = @(@{ name = 'web'; image = 'pydebug.test/tools:1' }) }
                } | ConvertTo-Json -Depth 5) | Out-Null
            Invoke-Kubectl @('wait', 'pod/left', '--for=condition=Ready', '--timeout=30s') -Kubeconfig $kubeconfig |
                Out-Null
            return $process
        }

        function Get-Rest {
            # Mounts below a state directory, and cgroups that a sandbox made which the tests' own does not have.
            param([string] $State)
            Get-Content /proc/self/mounts | Where-Object { $_.Contains(" $State/") }
            $hash = [Convert]::ToHexString([System.Security.Cryptography.SHA256]::HashData(
                [System.Text.Encoding]::UTF8.GetBytes($State))).ToLowerInvariant().Substring(0, 8)
            Get-ChildItem -Path /sys/fs/cgroup/*/pydebug-sandbox-$hash,
                /sys/fs/cgroup/pydebug-sandbox-$hash -ErrorAction Ignore | ForEach-Object FullName
        }
    }

    It 'leaves nothing behind when it is asked to end' {
        $state = Join-Path $TestDrive 'asked'
        $process = Start-OwnSandbox $state
        Get-Rest $state | Should -Not -BeNullOrEmpty
        & kill -TERM $process.Id
        $process.WaitForExit(30000) | Should -BeTrue
        Get-Rest $state | Should -BeNullOrEmpty
        Join-Path $state 'kubeconfig' | Should -Not -Exist
    }

    It 'is cleaned up after a kill by --clean' {
        $state = Join-Path $TestDrive 'killed'
        $process = Start-OwnSandbox $state
        & kill -KILL $process.Id
        $process.WaitForExit(30000) | Should -BeTrue
        Get-Rest $state | Should -Not -BeNullOrEmpty
        & dotnet $script:program --clean $state
        $LASTEXITCODE | Should -Be 0
        Get-Rest $state | Should -BeNullOrEmpty
    }
}
