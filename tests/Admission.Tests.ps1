BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    # The sandbox has pod security alone.
    $script:served = if ($env:PYDEBUG_TEST_KIND -ne 'sandbox') {
        (Invoke-TestApi GET '/apis/admissionregistration.k8s.io/v1').resources.name
    }
    $script:validates = $script:served -contains 'validatingadmissionpolicies'
    $script:mutates = $script:served -contains 'mutatingadmissionpolicies'
    if ($env:PYDEBUG_TEST_KIND -eq 'sandbox') {
        Write-Warning 'SKIPPED: the tests of admission policies. The sandbox has none; tests/cluster/test runs them.'
    }
    elseif (-not ($script:validates -and $script:mutates)) {
        Write-Warning 'SKIPPED: tests of admission policies. This server does not serve both kinds of them.'
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:made = @()

    function New-AdmissionPolicy {
        # Makes a policy on a subresource of pods in one namespace, and waits until -Until says that it is in force.
        param(
            [string] $Kind,
            [string] $Namespace,
            [string] $Resource,
            [string] $Operation,
            [hashtable] $Spec,
            [scriptblock] $Until
        )
        $name = New-TestName 'pydebug-policy'
        $group = 'admissionregistration.k8s.io/v1'
        $plural = $Kind.ToLowerInvariant() -replace 'y$', 'ies'
        $rule = @{ apiGroups = @(''); apiVersions = @('v1'); operations = @($Operation); resources = @($Resource) }
        $policy = @{
            apiVersion = $group; kind = $Kind; metadata = @{ name = $name }
            spec       = @{ failurePolicy = 'Fail'; matchConstraints = @{ resourceRules = @($rule) } } + $Spec
        }
        $space = @{ namespaceSelector = @{ matchLabels = @{ 'kubernetes.io/metadata.name' = $Namespace } } }
        $binding = @{
            apiVersion = $group; kind = "${Kind}Binding"; metadata = @{ name = $name }
            spec       = @{ policyName = $name; matchResources = $space }
        }
        if ($Kind -like 'Validating*') {
            $binding.spec.validationActions = @('Deny')
        }
        $bindings = $plural -replace 'policies$', 'policybindings'
        $script:made += "/apis/$group/$bindings/$name", "/apis/$group/$plural/$name"
        Invoke-TestApi POST "/apis/$group/$plural" $policy | Out-Null
        Invoke-TestApi POST "/apis/$group/$bindings" $binding | Out-Null
        Wait-Until -What "policy $name to be in force" $Until | Out-Null
        return $name
    }

    function Request-DebugContainer {
        # What the server would make of a debug container; nothing is added. A refusal is its message.
        param([string] $Namespace, [string] $Pod, [hashtable] $Security, [string] $Image = 'pydebug.test/py311:1')
        $one = @{ name = "asked-$((New-TestName) -replace '.*-')"; image = $Image; securityContext = $Security }
        $path = "/api/v1/namespaces/$Namespace/pods/$Pod/ephemeralcontainers?dryRun=All"
        $body = @{ spec = @{ ephemeralContainers = @($one) } }
        $answer = Invoke-TestApi PATCH $path $body -ContentType 'application/strategic-merge-patch+json' -Allow 403, 422
        return $answer.kind -eq 'Pod' ? ($answer.spec.ephemeralContainers | Where-Object name -eq $one.name) :
            $answer.message
    }
}

AfterAll {
    $script:made | ForEach-Object { Invoke-TestApi DELETE $_ -Allow 404 | Out-Null }
}

Describe 'A cluster with a policy against what debug containers are' -Skip:(-not $script:validates) {
    BeforeAll {
        $script:ns = New-TestNamespace
        $user = @{ runAsUser = 10001; runAsGroup = 10001 }
        $script:pod = New-TestPod $script:ns -Image tools -Security $user -Command @(
            'python3', '-c', 'import time; time.sleep(3600)')
        $policy = @{
            validations = @(@{
                    expression = 'object.spec.ephemeralContainers.all(c, !has(c.securityContext) || ' +
                        '!has(c.securityContext.capabilities) || !has(c.securityContext.capabilities.add))'
                    message    = 'debug containers add no capability, ask team-platform'
                })
        }
        $rich = @{ capabilities = @{ add = @('SYS_PTRACE') } }
        $script:name =
            New-AdmissionPolicy ValidatingAdmissionPolicy $script:ns pods/ephemeralcontainers UPDATE $policy {
            (Request-DebugContainer $script:ns $script:pod $rich) -match 'denied request'
        }
    }

    AfterAll {
        Remove-TestNamespace $script:ns
    }

    It 'gets the profile that it takes, with one warning that has its words' {
        $session =
            Start-PodDebug $script:pod -Namespace $script:ns -WarningVariable said -WarningAction SilentlyContinue
        $session.Profile | Should -Be 'Restricted'
        @($said -match 'ask team-platform').Count | Should -Be 1
        $session | Get-PyProcess | Should -Not -BeNullOrEmpty
    }

    It 'refuses what is named, and nothing is added: <Name>' -ForEach @(
        @{ Name = 'a profile'; Arguments = @{ SecurityProfile = 'General' } }
        @{
            Name      = 'a context of your own'
            Arguments = @{ Custom = @{ securityContext = @{ capabilities = @{ add = @('SYS_PTRACE') } } } }
        }
        @{ Name = 'a purpose that needs it'; Arguments = @{ For = 'Time' } }
    ) {
        $before = @(Get-EphemeralContainer $script:ns $script:pod).Count
        $refused = Get-Failure { Start-PodDebug $script:pod -Namespace $script:ns @Arguments }
        $refused.Output | Should -BeNullOrEmpty
        Get-ErrorId $refused.First | Should -Be 'AdmissionDenied'
        "$($refused.First)" | Should -Match 'debug containers add no capability, ask team-platform'
        "$($refused.First)" | Should -Match $script:name
        @(Get-EphemeralContainer $script:ns $script:pod).Count | Should -Be $before
    }

    It 'and one against exec is told apart from rights that are missing' {
        $session = Start-PodDebug $script:pod -Namespace $script:ns -WarningAction SilentlyContinue
        $policy = @{ validations = @(@{ expression = 'false'; message = 'exec is for the night shift' }) }
        $until = {
            $answer = Get-Failure -Any { $session | Get-PyProcess }
            $answer.First -and (Get-ErrorId $answer.First) -eq 'AdmissionDenied'
        }
        New-AdmissionPolicy ValidatingAdmissionPolicy $script:ns pods/exec CONNECT $policy $until | Out-Null
        $refused = Get-Failure { $session | Get-PyStack }
        Get-ErrorId $refused.First | Should -Be 'AdmissionDenied'
        "$($refused.First)" | Should -Match 'exec is for the night shift'
        "$($refused.First.ErrorDetails.RecommendedAction)" | Should -Not -Match 'Role|SecurityProfile'
    }
}

Describe 'A cluster with a policy that changes each debug container' -Skip:(-not $script:mutates) {
    It 'is taken as it is, with one warning and no second container: <Name>' -ForEach @(
        @{
            Name   = 'an image mirror'
            Change = 'image: "pydebug.test/py313:1"'
            Done   = 'c.image == "pydebug.test/py313:1"'
            Says   = 'image pydebug.test/py313:1 (not pydebug.test/py311:1)'
            Shown  = @{ Image = 'pydebug.test/py313:1'; User = 'root'; Profile = 'General' }
        }
        @{
            Name   = 'a user'
            Change = 'securityContext: Object.spec.ephemeralContainers.securityContext{runAsUser: 10001}'
            Done   =
                'has(c.securityContext) && has(c.securityContext.runAsUser) && c.securityContext.runAsUser == 10001'
            Says   = 'runAsUser 10001 (not 0)'
            Shown  = @{ Image = 'pydebug.test/py311:1'; User = '10001'; Profile = 'Restricted' }
        }
    ) {
        $ns = New-TestNamespace
        $command = 'python3', '-c', 'import time; time.sleep(3600)'
        $pod = New-TestPod $ns -Image tools -Command $command -Security @{ runAsUser = 10001; runAsGroup = 10001 }
        $apply = 'Object{spec: Object.spec{ephemeralContainers: object.spec.ephemeralContainers.filter(c, ' +
            "!($Done)).map(c, Object.spec.ephemeralContainers{name: c.name, $Change})}}"
        $policy = @{
            reinvocationPolicy = 'Never'
            mutations          = @(@{
                    patchType = 'ApplyConfiguration'; applyConfiguration = @{ expression = $apply }
                })
        }
        New-AdmissionPolicy MutatingAdmissionPolicy $ns pods/ephemeralcontainers UPDATE $policy {
            $answer = Request-DebugContainer $ns $pod @{ runAsUser = 0 }
            $answer.image -eq 'pydebug.test/py313:1' -or $answer.securityContext.runAsUser -eq 10001
        } | Out-Null
        $names = foreach ($turn in 1, 2) {
            $session = Start-PodDebug $pod -Namespace $ns -Image pydebug.test/py311:1 -WarningVariable said `
                -WarningAction SilentlyContinue
            @($said).Count | Should -Be 1
            "$said" | Should -Match ([regex]::Escape($Says))
            $Shown.Keys | ForEach-Object { $session.$_ | Should -Be $Shown[$_] }
            $session.Reused | Should -Be ($turn -eq 2)
            $session | Get-PyProcess | Should -Not -BeNullOrEmpty
            $session.DebugContainer
        }
        @($names | Sort-Object -Unique).Count | Should -Be 1
        @(Get-EphemeralContainer $ns $pod).Count | Should -Be 1
        Remove-TestNamespace $ns
    }
}

Describe 'A container that was planted under the mark of PyDebug' -Skip:($env:PYDEBUG_TEST_KIND -eq 'sandbox') {
    It 'is not taken, unless it is what would be asked for: <Name>' -ForEach @(
        @{ Name = 'the very same'; Change = {}; Taken = $true }
        @{ Name = 'another image'; Change = { param($c) $c.image = 'pydebug.test/py311:1' } }
        @{ Name = 'more rights'; Change = { param($c) $c.securityContext.capabilities.add += 'SYS_ADMIN' } }
        @{ Name = 'another program'; Change = { param($c) $c.command[-1] = 'import time; time.sleep(3600)' } }
    ) {
        $ns = New-TestNamespace
        $command = 'python3', '-c', 'import time; time.sleep(3600)'
        $model = New-TestPod $ns -Image tools -Command $command
        $session = Start-PodDebug $model -Namespace $ns
        $planted = Get-EphemeralContainer $ns $model | Where-Object name -eq $session.DebugContainer
        & $Change $planted
        $pod = New-TestPod $ns -Image tools -Command $command
        $path = "/api/v1/namespaces/$ns/pods/$pod/ephemeralcontainers"
        $body = @{ spec = @{ ephemeralContainers = @($planted) } }
        Invoke-TestApi PATCH $path $body -ContentType 'application/strategic-merge-patch+json' | Out-Null
        Wait-Until -What 'the planted container to run' {
            $status = (Get-TestPod $ns $pod).status
            $status.PSObject.Properties['ephemeralContainerStatuses'] -and
            $status.ephemeralContainerStatuses[0].state.PSObject.Properties['running']
        } | Out-Null
        $own = Start-PodDebug $pod -Namespace $ns
        $own.Reused | Should -Be ([bool]$_['Taken'])
        $own.DebugContainer -eq $planted.name | Should -Be ([bool]$_['Taken'])
        Remove-TestNamespace $ns
    }
}
