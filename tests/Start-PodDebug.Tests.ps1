BeforeDiscovery {
    # What General keeps of the runtime's default capabilities.
    $script:kept = 'CHOWN', 'DAC_OVERRIDE', 'KILL', 'SETGID', 'SETUID', 'SYS_CHROOT'
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Start-PodDebug' {
    Context 'a pod that holds nothing but Python' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
        }

        It 'writes a session that says what was started' {
            $script:session | Should -BeOfType 'PyDebug.PodDebugSession'
            $script:session.Namespace | Should -Be $script:ns
            $script:session.PodName | Should -Be $script:pod
            $script:session.ContainerName | Should -Be 'web'
            $script:session.DebugContainer | Should -Match '^pydebug-[a-z0-9]{4,}$'
            $script:session.State | Should -Be 'Running'
            $script:session.Profile | Should -Be 'General'
            $script:session.Image | Should -Be 'pydebug.test/badapp:1'
            $script:session.NodeName | Should -Not -BeNullOrEmpty
            $script:session.PodUid | Should -Be (Get-TestPod $script:ns $script:pod).metadata.uid
            $script:session.Reused | Should -BeFalse
        }

        It 'adds one container, of the application''s own image, that shares the target''s processes' {
            $added = @(Get-EphemeralContainer $script:ns $script:pod)
            $added.Count | Should -Be 1
            $added[0].name | Should -Be $script:session.DebugContainer
            $added[0].image | Should -Be 'pydebug.test/badapp:1'
            $added[0].targetContainerName | Should -Be 'web'
            $added[0].imagePullPolicy | Should -Be 'IfNotPresent'
            $added[0].securityContext.capabilities.add | Should -Contain 'SYS_PTRACE'
        }

        It 'finds the container that is there, at once' {
            $time = Measure-Command { $again = Start-PodDebug $script:pod -Namespace $script:ns }
            $again.DebugContainer | Should -Be $script:session.DebugContainer
            $again.Reused | Should -BeTrue
            @(Get-EphemeralContainer $script:ns $script:pod).Count | Should -Be 1
            $time.TotalSeconds | Should -BeLessThan 3
        }

        It 'is readable in a table of 120 columns' {
            $lines = $script:session | Out-String -Width 120 -Stream
            $lines -join "`n" | Should -Match $script:pod
            $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
        }

        It 'goes on from JSON, where nothing secret is' {
            $json = $script:session | ConvertTo-Json -Depth 5
            if ($script:Server.Token) {
                $json | Should -Not -Match ([regex]::Escape($script:Server.Token))
            }
            $json | ConvertFrom-Json | Get-PyStack | Should -Not -BeNullOrEmpty
        }
    }

    It 'adds nothing with -WhatIf' {
        $pod = New-TestPod $script:ns
        Start-PodDebug $pod -Namespace $script:ns -WhatIf | Should -BeNullOrEmpty
        Get-EphemeralContainer $script:ns $pod | Should -BeNullOrEmpty
    }

    It 'adds another container with -Force' {
        $pod = New-TestPod $script:ns
        $first = Start-PodDebug $pod -Namespace $script:ns
        $second = Start-PodDebug $pod -Namespace $script:ns -Force
        $second.DebugContainer | Should -Not -Be $first.DebugContainer
        @(Get-EphemeralContainer $script:ns $pod).Count | Should -Be 2
    }

    It 'does not take one that was started for something else' {
        $pod = New-TestPod $script:ns
        $first = Start-PodDebug $pod -Namespace $script:ns
        $second = Start-PodDebug $pod -Namespace $script:ns -Environment @{ LANG = 'de' }
        $second.DebugContainer | Should -Not -Be $first.DebugContainer
        $added = Get-EphemeralContainer $script:ns $pod | Where-Object name -eq $second.DebugContainer
        ($added.env | Where-Object name -eq 'LANG').value | Should -Be 'de'
    }

    It 'starts several pods and does not let one that fails end the others' {
        $first, $second = (New-TestPod $script:ns), (New-TestPod $script:ns)
        $result = Get-Failure { $first, 'nobody-here', $second |
            ForEach-Object { [pscustomobject]@{ Namespace = $script:ns; PodName = $_ } } | Start-PodDebug }
        $result.Output.PodName | Sort-Object | Should -Be ($first, $second | Sort-Object)
        Get-ErrorId $result.First | Should -Be 'PodNotFound'
        "$($result.First.TargetObject)" | Should -Match 'nobody-here'
    }

    Context 'which container' {
        BeforeAll {
            $script:containers = @(
                New-TestContainer -Name 'web'
                New-TestContainer -Name 'metrics' -Command 'python3', '-c', 'import signal; signal.pause()'
            )
        }

        It 'takes the one that the annotation names' {
            $pod = New-TestPod $script:ns -Containers $script:containers `
                -Annotations @{ 'kubectl.kubernetes.io/default-container' = 'metrics' }
            (Start-PodDebug $pod -Namespace $script:ns).ContainerName | Should -Be 'metrics'
        }

        It 'lists them where none is named, and takes the named one' {
            $pod = New-TestPod $script:ns -Containers $script:containers
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns }
            Get-ErrorId $result.First | Should -Be 'ContainerAmbiguous'
            $result.First.Exception.Message | Should -Match 'web.*metrics'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match '-ContainerName'
            Get-EphemeralContainer $script:ns $pod | Should -BeNullOrEmpty
            (Start-PodDebug $pod -Namespace $script:ns -ContainerName metrics).ContainerName | Should -Be 'metrics'
        }
    }

    Context 'security profiles' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -Security @{ runAsUser = 10001;
                runAsNonRoot = $true } -Environment @{ HOME = '/tmp' }
        }

        It '<Profile> has kubectl debug''s meaning' -ForEach @(
            @{ Profile = 'General'; Add = @('SYS_PTRACE') + $script:kept; Drop = @('ALL') }
            @{ Profile = 'Baseline'; Add = @(); Drop = @() }
            @{ Profile = 'Restricted'; Add = @(); Drop = @('ALL') }
            @{ Profile = 'NetAdmin'; Add = @('NET_ADMIN', 'NET_RAW'); Drop = @() }
            @{ Profile = 'Trace'; Add = @('BPF', 'PERFMON', 'SYS_PTRACE') + $script:kept; Drop = @('ALL') }
        ) {
            $session = Start-PodDebug $script:pod -Namespace $script:ns -SecurityProfile $Profile
            $session.Profile | Should -Be $Profile
            $added = Get-EphemeralContainer $script:ns $script:pod | Where-Object name -eq $session.DebugContainer |
                ConvertTo-Json -Depth 9 | ConvertFrom-Json -AsHashtable
            $capabilities = $added.securityContext ? $added.securityContext.capabilities : $null
            @($capabilities ? $capabilities['add'] : @()) | Where-Object { $_ } | Sort-Object |
                Should -Be ($Add | Sort-Object)
            @($capabilities ? $capabilities['drop'] : @()) | Where-Object { $_ } | Should -Be $Drop
            if ($Profile -eq 'Restricted') {
                $added.securityContext.runAsUser | Should -Be 10001
                $added.securityContext.runAsNonRoot | Should -BeTrue
                $added.securityContext.allowPrivilegeEscalation | Should -BeFalse
                $added.securityContext.seccompProfile.type | Should -Be 'RuntimeDefault'
            }
            if ($Profile -eq 'General') {
                # Capabilities of another user than root would be inert.
                $added.securityContext.runAsUser | Should -Be 0
            }
        }

        It 'SysAdmin is privileged, asks for an image by name, and says what it means' {
            $before = @(Get-EphemeralContainer $script:ns $script:pod).Count
            $refused = Get-Failure { Start-PodDebug $script:pod -Namespace $script:ns -SecurityProfile SysAdmin }
            Get-ErrorId $refused.First | Should -Be 'ImageNotNamed'
            "$($refused.First.ErrorDetails.RecommendedAction)" | Should -Match '-Image'
            (Get-ErrorId (Get-Failure { Start-PodDebug $script:pod -Namespace $script:ns -For Bpftrace `
                -WhatIf }).First) | Should -Be 'ImageNotNamed'
            @(Get-EphemeralContainer $script:ns $script:pod).Count | Should -Be $before
            $session = Start-PodDebug $script:pod -Namespace $script:ns -SecurityProfile SysAdmin `
                -Image pydebug.test/badapp:1 -WarningVariable warnings -WarningAction SilentlyContinue
            @($warnings).Count | Should -Be 1
            "$warnings" | Should -Match 'take over the node.* 10 minutes after its last use'
            $added = Get-EphemeralContainer $script:ns $script:pod | Where-Object name -eq $session.DebugContainer
            $added.securityContext.privileged | Should -BeTrue
        }

        It '-For <For> picks <Profile>' -ForEach @(
            @{ For = 'Stack'; Profile = 'General' }
            @{ For = 'PySpy'; Profile = 'General' }
            @{ For = 'Memray'; Profile = 'General' }
            @{ For = 'Time'; Profile = 'Trace' }
            @{ For = 'Bpftrace'; Profile = 'SysAdmin'; Image = @{ Image = 'pydebug.test/badapp:1' } }
        ) {
            $named = $_['Image'] ?? @{}
            (Start-PodDebug $script:pod -Namespace $script:ns -For $For @named `
                -WarningAction SilentlyContinue).Profile | Should -Be $Profile
        }
    }

    Context 'a namespace with the restricted standard' {
        BeforeAll {
            $script:bank = New-TestNamespace -PodSecurity restricted
            $script:locked = New-TestPod $script:bank -Security @{
                runAsUser = 10001; runAsNonRoot = $true; allowPrivilegeEscalation = $false;
                readOnlyRootFilesystem = $true
                capabilities = @{ drop = @('ALL') }; seccompProfile = @{ type = 'RuntimeDefault' }
            }
        }

        AfterAll {
            Remove-TestNamespace $script:bank
        }

        It 'refuses a profile that was named, with every rule, and changes nothing' {
            $result = Get-Failure { Start-PodDebug $script:locked -Namespace $script:bank -SecurityProfile General }
            $result.Output | Should -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'AdmissionDenied'
            $result.First.CategoryInfo.Category | Should -Be 'PermissionDenied'
            $result.First.Exception.Message | Should -Match 'restricted'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match 'Restricted'
            Get-EphemeralContainer $script:bank $script:locked | Should -BeNullOrEmpty
        }

        It 'advises what to name in place of -For, which goes with no profile' {
            $result = Get-Failure { Start-PodDebug $script:locked -Namespace $script:bank -For Time }
            Get-ErrorId $result.First | Should -Be 'AdmissionDenied'
            "$($result.First.ErrorDetails.RecommendedAction)" |
                Should -Match '-SecurityProfile Restricted in place of -For Time passes it'
        }

        It 'uses Restricted where none was named, says so, and reads stacks there' {
            $session = Start-PodDebug $script:locked -Namespace $script:bank -WarningVariable warnings `
                -WarningAction SilentlyContinue
            $session.Profile | Should -Be 'Restricted'
            "$warnings" | Should -Match 'Restricted'
            $session | Get-PyStack | Where-Object Name -eq 'MainThread' | Should -Not -BeNullOrEmpty
        }

        It 'leaves the namespace''s labels as they are' {
            $labels = (Invoke-TestApi GET "/api/v1/namespaces/$($script:bank)").metadata.labels
            $labels.'pod-security.kubernetes.io/enforce' | Should -Be 'restricted'
        }
    }

    Context 'a namespace with the baseline standard and a target that is root' {
        BeforeAll {
            $script:base = New-TestNamespace -PodSecurity baseline
            $script:rooted = New-TestPod $script:base
        }

        AfterAll {
            Remove-TestNamespace $script:base
        }

        It 'says what is refused and names the profile that passes' {
            $result = Get-Failure { Start-PodDebug $script:rooted -Namespace $script:base }
            Get-ErrorId $result.First | Should -Be 'AdmissionDenied'
            $result.First.Exception.Message | Should -Match 'SYS_PTRACE|capabilities'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match '-SecurityProfile Baseline'
            Get-EphemeralContainer $script:base $script:rooted | Should -BeNullOrEmpty
        }

        It 'reads stacks with that profile' {
            Start-PodDebug $script:rooted -Namespace $script:base -SecurityProfile Baseline | Get-PyStack |
                Should -Not -BeNullOrEmpty
        }
    }

    Context '-Custom' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns
        }

        It 'merges a hashtable over the container' {
            $session = Start-PodDebug $script:pod -Namespace $script:ns `
                -Custom @{ env = @(@{ name = 'COLOUR'; value = 'red' }); workingDir = '/tmp' }
            $added = Get-EphemeralContainer $script:ns $script:pod | Where-Object name -eq $session.DebugContainer
            $added.workingDir | Should -Be '/tmp'
            ($added.env | Where-Object name -eq 'COLOUR').value | Should -Be 'red'
            $session | Get-PyProcess | Should -Not -BeNullOrEmpty
        }

        It 'merges JSON over the container' {
            $session = Start-PodDebug $script:pod -Namespace $script:ns -Custom '{"workingDir": "/srv"}'
            (Get-EphemeralContainer $script:ns $script:pod | Where-Object name -eq $session.DebugContainer).workingDir |
                Should -Be '/srv'
        }

        It 'alone needs KubernetesClient, which no plain question loads' {
            Invoke-ChildPwsh @"
Import-Module '$script:ModulePath/PyDebug.psd1'
function Show-Loaded {
    [AppDomain]::CurrentDomain.GetAssemblies().GetName().Name | Sort-Object -Unique |
        Where-Object { `$_ -in 'PyDebug.Engine', 'KubernetesClient' }
}
Start-PodDebug $script:pod -Namespace $script:ns | Get-PyStack | Out-Null
Show-Loaded
Start-PodDebug $script:pod -Namespace $script:ns -Custom '{"workingDir": "/srv"}' | Out-Null
Show-Loaded
"@ | Should -Be 'PyDebug.Engine', 'KubernetesClient', 'PyDebug.Engine'
        }

        It 'may not touch <_>' -ForEach 'name', 'command', 'targetContainerName' {
            $custom = @{ $_ = $_ -eq 'command' ? @('sh') : 'other' }
            $before = @(Get-EphemeralContainer $script:ns $script:pod).Count
            $result = Get-Failure { Start-PodDebug $script:pod -Namespace $script:ns -Custom $custom }
            Get-ErrorId $result.First | Should -Be 'CustomInvalid'
            @(Get-EphemeralContainer $script:ns $script:pod).Count | Should -Be $before
        }
    }

    Context 'images' {
        It 'starts the interpreter that the pod''s command names' {
            $pod = New-TestPod $script:ns -Command '/usr/bin/python3.13', '/srv/app.py'
            (Start-PodDebug $pod -Namespace $script:ns).Python | Should -Be '/usr/bin/python3.13'
        }

        It 'names -Image where the application''s image has no Python' {
            $pod = New-TestPod $script:ns -Image nopython
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns }
            Get-ErrorId $result.First | Should -Be 'PythonNotInImage'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match '-Image'
        }

        It 'takes another image by -Image, and by $env:PYDEBUG_IMAGE' {
            $pod = New-TestPod $script:ns -Image nopython
            $session = Start-PodDebug $pod -Namespace $script:ns -Image pydebug.test/tools:1
            $session.Image | Should -Be 'pydebug.test/tools:1'
            $result = Get-Failure { $session | Get-PyStack }
            Get-ErrorId $result.First | Should -Be 'NoPython'
            $env:PYDEBUG_IMAGE = 'pydebug.test/tools:1'
            try {
                (Start-PodDebug $pod -Namespace $script:ns).DebugContainer | Should -Be $session.DebugContainer
            }
            finally {
                $env:PYDEBUG_IMAGE = $null
            }
        }

        It 'gives the reason where the image cannot be had, within the time' {
            $pod = New-TestPod $script:ns
            $time = Measure-Command { $script:result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns `
                -Image pydebug.test/absent:1 -TimeoutSeconds 100 } }
            Get-ErrorId $script:result.First | Should -Be 'ImagePullFailed'
            $script:result.First.Exception.Message | Should -Match 'ErrImagePull|ImagePullBackOff'
            $script:result.First.Exception.Message | Should -Match 'pydebug.test/absent:1'
            $time.TotalSeconds | Should -BeLessThan 105
        }

        It 'gives the reason where the image must not be pulled' {
            $pod = New-TestPod $script:ns
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns -Image pydebug.test/absent:1 `
                -ImagePullPolicy Never -TimeoutSeconds 40 }
            Get-ErrorId $result.First | Should -Be 'ImagePullFailed'
            $result.First.Exception.Message | Should -Match 'ErrImageNeverPull'
        }

        It 'gives the reason where the image''s name is none' {
            $pod = New-TestPod $script:ns
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns -Image 'pydebug.test/Not A Name' `
                -TimeoutSeconds 40 }
            Get-ErrorId $result.First | Should -BeIn 'ImagePullFailed', 'RequestFailed'
            Get-ErrorId $result.First | Should -Be 'ImagePullFailed' -Because $result.First.Exception.Message
        }

        It 'refuses a user that is a name under runAsNonRoot before anything changes' {
            $pod = New-TestPod $script:ns -Image username
            $result = Get-Failure -Any { Start-PodDebug $pod -Namespace $script:ns -SecurityProfile Restricted }
            if ($result.First) {
                Get-ErrorId $result.First | Should -Be 'UserUnknown'
                Get-EphemeralContainer $script:ns $pod | Should -BeNullOrEmpty
            }
            else {
                # A server that tells the target's user in its status leaves nothing to refuse.
                $result.Output[0].User | Should -Be '10001'
            }
        }
    }

    It 'works under a memory limit of 128 MiB' {
        $pod = New-TestPod $script:ns -MemoryLimit '128Mi'
        Start-PodDebug $pod -Namespace $script:ns | Get-PyStack | Should -Not -BeNullOrEmpty
    }
}
