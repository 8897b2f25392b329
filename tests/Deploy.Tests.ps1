BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:real = $env:PYDEBUG_TEST_KIND -ne 'sandbox'
    if (-not $script:real) {
        Write-Warning ('SKIPPED: the tests of the Roles and the admission policy in deploy/. The sandbox has ' +
            'neither; tests/cluster/test runs them.')
    }
    # Each right that a start takes, and what is missing without it.
    $script:rights = @(
        @{ Resource = 'pods'; Verb = 'get'; Id = 'Forbidden' }
        @{ Resource = 'pods/ephemeralcontainers'; Verb = 'patch'; Id = 'EphemeralContainersForbidden' }
        @{ Resource = 'pods/exec'; Verb = 'get'; Id = 'Forbidden' }
        @{ Resource = 'pods/exec'; Verb = 'create'; Id = 'Forbidden' }
    )
    # The rules of the other Roles, and what is asked that cannot be had without.
    $found = { param($as, $pod, $ns) Start-PodDebug -LabelSelector app=roles -Namespace $ns -Force @as }
    $script:minimal = @(
        , @('question', 'pods/exec', 'get', { param($as, $pod, $ns, $s) $s | Get-PyProcess @as })
        , @('question', 'pods/exec', 'create', { param($as, $pod, $ns, $s) $s | Get-PyProcess @as })
        , @('get-poddebug', 'pods', 'get', { param($as, $pod, $ns) Get-PodDebug $pod -Namespace $ns @as })
        , @('get-poddebug', 'pods', 'list', { param($as, $pod, $ns) Get-PodDebug -Namespace $ns @as })
        , @('test-poddebug', 'pods', 'list', { param($as, $pod, $ns) Test-PodDebug -l app=roles -n $ns @as })
        , @('start-poddebug-workload', 'pods', 'get', $found)
        , @('start-poddebug-workload', 'pods', 'list', $found)
        , @('start-poddebug-workload', 'pods/ephemeralcontainers', 'patch', $found)
        , @('start-poddebug-workload', 'pods/exec', 'get', $found)
        , @('start-poddebug-workload', 'pods/exec', 'create', $found)
    )
    $script:minimal += foreach ($kind in 'deployment', 'statefulset', 'daemonset', 'replicaset', 'job') {
        $ask = [scriptblock]::Create("param(`$as, `$pod, `$ns) Start-PodDebug $kind/nothing -Namespace `$ns @as")
        , @('start-poddebug-workload', "${kind}s", 'get', $ask)
    }
    $script:minimal += foreach ($right in $script:rights) {
        $ask = { param($as, $pod, $ns) Test-PodDebug $pod -Namespace $ns @as }
        , @('test-poddebug', $right.Resource, $right.Verb, $ask)
    }
    $script:minimal = $script:minimal |
        ForEach-Object { @{ Role = $_[0]; Resource = $_[1]; Verb = $_[2]; Ask = $_[3] } }
    $script:questions = @(
        @{ Name = 'Get-PyProcess'; Ask = { param($s, $as) $s | Get-PyProcess @as } }
        @{ Name = 'Get-PyStack'; Ask = { param($s, $as) $s | Get-PyStack @as } }
        @{ Name = 'Get-PyTask'; Ask = { param($s, $as) $s | Get-PyTask @as }; May = 'AsyncioNotLoaded' }
        @{ Name = 'Measure-PyTime'; Ask = { param($s, $as) $s | Measure-PyTime @as -DurationSeconds 1 } }
        @{ Name = 'Get-PyHeap'; Ask = { param($s, $as) $s | Get-PyHeap @as -DurationSeconds 1 } }
        @{ Name = 'Watch-PyProcess'; Ask = { param($s, $as) $s | Watch-PyProcess @as -DurationSeconds 3 } }
        @{ Name = 'Invoke-PySpy'; Ask = { param($s, $as) $s | Invoke-PySpy @as }; May = 'ToolUnavailable' }
        @{ Name = 'Get-MemrayReport'; Ask = { param($s, $as) $s |
            Get-MemrayReport @as -DurationSeconds 1 -Confirm:$false }; May = 'MemrayNoPayload' }
        @{ Name = 'Invoke-Bpftrace'; Ask = { param($s, $as) $s |
            Invoke-Bpftrace @as -Script FileOpen -DurationSeconds 1 }; May = 'ToolUnavailable', 'NoCapability' }
        @{ Name = 'Copy-PodFile'; Ask = { param($s, $as) $s |
            Copy-PodFile @as -Path /etc/hostname -Destination ([IO.Path]::GetTempPath()) -Force } }
    )
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    . (Join-Path $PSScriptRoot 'manifests.ps1')
    $script:deploy = Join-Path $script:Repository 'deploy'

    function New-RoleUser([string] $Name, $Role) {
        # A service account that has exactly a Role, as connection parameters.
        $group = "/apis/rbac.authorization.k8s.io/v1/namespaces/$script:ns"
        $Role.metadata.name = $Name
        Invoke-TestApi POST "/api/v1/namespaces/$script:ns/serviceaccounts" @{ metadata = @{ name = $Name } } | Out-Null
        Invoke-TestApi POST "$group/roles" $Role | Out-Null
        Invoke-TestApi POST "$group/rolebindings" @{
            metadata = @{ name = $Name }
            roleRef  = @{ apiGroup = 'rbac.authorization.k8s.io'; kind = 'Role'; name = $Name }
            subjects = @(@{ kind = 'ServiceAccount'; name = $Name; namespace = $script:ns })
        } | Out-Null
        $path = "/api/v1/namespaces/$script:ns/serviceaccounts/$Name/token"
        $token = (Invoke-TestApi POST $path @{ spec = @{ expirationSeconds = 3600 } }).status.token
        return @{
            Server                   = "$($script:Server.Address)"
            AccessToken              = ConvertTo-SecureString $token -AsPlainText -Force
            CertificateAuthorityData = [Convert]::ToBase64String($script:Server.Authority)
        }
    }

    function Get-Role([string] $Name) {
        return ConvertFrom-Manifest (Join-Path $script:deploy "roles/$Name.yaml") | ConvertFrom-Json
    }

    function Wait-Role([string] $Name, $Role) {
        # Until the server knows of each right that a service account has by its Role.
        $subject = "system:serviceaccount:$($script:ns):$Name"
        foreach ($rule in $Role.rules) {
            foreach ($resource in $rule.resources) {
                foreach ($verb in $rule.verbs) {
                    $plain, $part = $resource -split '/'
                    $asked = @{
                        namespace = $script:ns; verb = $verb; group = $rule.apiGroups[0]
                        resource = $plain; subresource = $part
                    }
                    Wait-Until -What "$verb on $resource for $Name" {
                        (Invoke-TestApi POST '/apis/authorization.k8s.io/v1/subjectaccessreviews' @{
                            spec = @{ user = $subject; resourceAttributes = $asked }
                        }).status.allowed
                    } | Out-Null
                }
            }
        }
    }

    function Get-RoleWithout([string] $Name, [string] $Resource, [string] $Verb) {
        $role = Get-Role $Name
        $role.rules = @($role.rules | ForEach-Object {
                # A rule may name several resources: the others keep what they have.
                $others = @($_.resources | Where-Object { $_ -ne $Resource })
                $left = @($_.verbs | Where-Object { $_ -ne $Verb })
                $is = $_.resources -contains $Resource
                if ($others) {
                    [pscustomobject]@{ apiGroups = $_.apiGroups; resources = $others; verbs = $_.verbs }
                }
                if ($is -and $left) {
                    [pscustomobject]@{ apiGroups = $_.apiGroups; resources = @($Resource); verbs = $left }
                }
            })
        return $role
    }
}

Describe 'The Roles in deploy/roles' -Skip:(-not $script:real) {
    BeforeAll {
        $script:Server = Get-TestServer
        $script:ns = New-TestNamespace
        $script:pod = New-TestPod $script:ns -Labels @{ app = 'roles' }
        $script:starts = New-RoleUser starts (Get-Role start-poddebug)
        $script:asks = New-RoleUser asks (Get-Role question)
        $script:finds = New-RoleUser finds (Get-Role start-poddebug-workload)
        $starts = $script:starts
        Wait-Until -What 'the Role to hold' { (
            Get-Failure -Any { Get-PodDebug $script:pod -Namespace $script:ns @starts }).Errors.Count -eq 0 } | Out-Null
        $script:session = Start-PodDebug $script:pod -Namespace $script:ns @starts
    }

    AfterAll {
        Remove-TestNamespace $script:ns
    }

    It 'start a session with start-poddebug, and take it again' {
        $starts = $script:starts
        $script:session.State | Should -Be Running
        (Start-PodDebug $script:pod -Namespace $script:ns @starts).Reused | Should -BeTrue
    }

    It 'answer <Name> with question alone' -ForEach $script:questions {
        $result = Get-Failure -Any { & $Ask $script:session $script:asks }
        $allowed = @($_['May'])
        @($result.Errors | ForEach-Object { Get-ErrorId $_ } | Where-Object { $_ -notin $allowed }) |
            Should -BeNullOrEmpty
        if ($result.Errors.Count -eq 0) {
            $result.Output | Should -Not -BeNullOrEmpty
        }
    }

    It 'hold no right that a start can do without: <Verb> on <Resource>' -ForEach $script:rights {
        $less = New-RoleUser (New-TestName 'less') (Get-RoleWithout start-poddebug $Resource $Verb)
        $pod = $script:pod
        Wait-Until -What 'the Role to hold' {
            (Test-PodDebug $pod -Namespace $script:ns @less |
                Where-Object { $_.Check -eq 'Permission' -and $_.Status -eq 'Fail' }).Count -le 1
        } | Out-Null
        $before = @(Get-EphemeralContainer $script:ns $pod).Count
        $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns -Force @less }
        Get-ErrorId $result.First | Should -Be $Id
        "$($result.First)" | Should -Match ([regex]::Escape($Verb))
        @(Get-EphemeralContainer $script:ns $pod).Count | Should -Be $before
        $check = Test-PodDebug $pod -Namespace $script:ns @less |
            Where-Object { $_.Check -eq 'Permission' -and $_.Status -eq 'Fail' }
        $check.Detail | Should -Match "^$Verb on $([regex]::Escape($Resource)) "
    }

    It 'hold no right that can be done without: <Role>, <Verb> on <Resource>' -ForEach $script:minimal {
        $name = New-TestName 'least'
        $without = Get-RoleWithout $Role $Resource $Verb
        $less = New-RoleUser $name $without
        Wait-Role $name $without
        $before = @(Get-EphemeralContainer $script:ns $script:pod).Count
        # Test-PodDebug says it in its answer.
        $isCheck = $Role -eq 'test-poddebug' -and $Verb -ne 'list'
        $count = $isCheck ? 0 : 1
        $result = Get-Failure -Count $count { & $Ask $less $script:pod $script:ns $script:session }
        if ($isCheck) {
            $failed = @($result.Output | Where-Object { $_.Check -eq 'Permission' -and $_.Status -eq 'Fail' })
            $failed.Count | Should -Be 1 -Because "$($failed.Detail)"
            $failed.Detail | Should -Match "^$Verb on $([regex]::Escape($Resource)) "
        }
        else {
            $id = $Verb -eq 'patch' ? 'EphemeralContainersForbidden' : 'Forbidden'
            Get-ErrorId $result.First | Should -Be $id -Because "$($result.First)"
            "$($result.First)" | Should -Match "\b$Verb\b.*$([regex]::Escape($Resource))"
            $result.Output | Should -BeNullOrEmpty
        }
        @(Get-EphemeralContainer $script:ns $script:pod).Count | Should -Be $before
        if ("$Ask" -match '/nothing') {
            # With the whole Role that is answered.
            $result = Get-Failure { & $Ask $script:finds $script:pod $script:ns }
            Get-ErrorId $result.First | Should -Be 'WorkloadNotFound'
        }
    }

    It 'are all looked at, rule by rule' -ForEach @{ minimal = $script:minimal; rights = $script:rights } {
        $seen = @($minimal | ForEach-Object { "$($_.Role) $($_.Verb) $($_.Resource)" }) +
            @($rights | ForEach-Object { "start-poddebug $($_.Verb) $($_.Resource)" })
        $has = Get-ChildItem (Join-Path $script:deploy 'roles') | ForEach-Object {
            $file = $_.BaseName
            foreach ($rule in (Get-Role $file).rules) {
                foreach ($resource in $rule.resources) {
                    foreach ($verb in $rule.verbs) { "$file $verb $resource" }
                }
            }
        }
        $has | Sort-Object | Should -Be ($seen | Sort-Object)
    }

    It 'list with get-poddebug, test with test-poddebug, and find a label''s pods with start-poddebug-workload' {
        $gets = New-RoleUser gets (Get-Role get-poddebug)
        $tests = New-RoleUser tests (Get-Role test-poddebug)
        $finds = $script:finds
        Wait-Until -What 'the Role to hold' {
            $found = Get-Failure -Any { Start-PodDebug -LabelSelector app=roles -Namespace $script:ns @finds }
            $found.Errors.Count -eq 0
        } | Out-Null
        (Get-PodDebug -Namespace $script:ns @gets).DebugContainer | Should -Contain $script:session.DebugContainer
        Test-PodDebug $script:pod -Namespace $script:ns -Quiet @tests | Should -BeTrue
        Get-ErrorId (Get-Failure { Start-PodDebug -Deployment nothing -Namespace $script:ns @finds }).First |
            Should -Be 'WorkloadNotFound'
    }

    It 'stop it with question alone' {
        $asks = $script:asks
        ($script:session | Stop-PodDebug -PassThru @asks).State | Should -Be Terminated
    }
}

Describe 'The policy in deploy/admission-policy.yaml' -Skip:(-not $script:real) {
    BeforeAll {
        $script:space = New-TestNamespace
        $script:tested = New-TestPod $script:space -Image py313 -Command 'python3', '-c',
            'import time; time.sleep(3600)'
        $script:group = '/apis/admissionregistration.k8s.io/v1'
        $text = Get-Content -Raw -LiteralPath (Join-Path $script:deploy 'admission-policy.yaml')
        $parts = @($text -split '(?m)^---$' | ForEach-Object {
                $file = Join-Path $TestDrive "$([guid]::NewGuid()).yaml"
                Set-Content -LiteralPath $file $_
                ConvertFrom-Manifest $file | ConvertFrom-Json
            })
        $keeper = & (Join-Path $script:deploy 'keeper.ps1') -Image 'pydebug.test/py311:1' -Module $script:ModulePath
        Invoke-TestApi POST '/api/v1/namespaces/kube-system/configmaps' ($keeper | ConvertFrom-Json) | Out-Null
        Invoke-TestApi POST "$script:group/validatingadmissionpolicies" $parts[0] | Out-Null
        Invoke-TestApi POST "$script:group/validatingadmissionpolicybindings" $parts[1] | Out-Null
        $label = @{ metadata = @{ labels = @{ pydebug = 'only' } } }
        Invoke-TestApi PATCH "/api/v1/namespaces/$script:space" $label -ContentType 'application/merge-patch+json' |
            Out-Null

        function Add-Container([hashtable] $Container, [string] $More = '?dryRun=All') {
            $path = "/api/v1/namespaces/$script:space/pods/$script:tested/ephemeralcontainers$More"
            $body = @{ spec = @{ ephemeralContainers = @($Container) } }
            $answer = Invoke-TestApi PATCH $path $body -ContentType 'application/strategic-merge-patch+json' -Allow 403,
                422
            return $answer.kind -eq 'Pod' ? '' : $answer.message
        }
        Wait-Until -What 'the policy to be in force' {
            (Add-Container @{ name = 'plain'; image = 'pydebug.test/py313:1';
                command = @('sleep', '1') }) -match 'only PyDebug'
        } | Out-Null
    }

    AfterAll {
        Invoke-TestApi DELETE "$script:group/validatingadmissionpolicybindings/pydebug-only" -Allow 404 | Out-Null
        Invoke-TestApi DELETE "$script:group/validatingadmissionpolicies/pydebug-only" -Allow 404 | Out-Null
        Invoke-TestApi DELETE '/api/v1/namespaces/kube-system/configmaps/pydebug-keeper' -Allow 404 | Out-Null
        Remove-TestNamespace $script:space
    }

    It 'lets PyDebug''s in, of the application''s image and of one that is allowed' {
        (Start-PodDebug $script:tested -Namespace $script:space -For Time | Get-PyStack).Count | Should -BeGreaterThan 0
        (Start-PodDebug $script:tested -Namespace $script:space -Image pydebug.test/py311:1).State | Should -Be Running
    }

    It 'lets in nothing else: <Name>' -ForEach @(
        @{ Name = 'another image'; Change = { param($c) $c.image = 'pydebug.test/py314:1' }; Says = 'image is neither' }
        @{ Name = 'another program'; Change = { param($c) $c.command[5] += "`nprint(1)" }; Says = 'only PyDebug' }
        @{
            Name   = 'another program in its variable'
            Change = { param($c) ($c.env | Where-Object name -EQ 'PYDEBUG_KEEPER').value = 'print(1)' }
            Says   = 'only PyDebug'
        }
        @{
            Name   = 'no program'
            Change = { param($c) $c.env = @($c.env | Where-Object name -NE 'PYDEBUG_KEEPER') }
            Says   = 'only PyDebug'
        }
        @{ Name = 'arguments'; Change = { param($c) $c.args = @('x') }; Says = 'only PyDebug' }
        @{ Name = 'a privileged one'; Change = { param($c) $c.securityContext = @{ privileged = $true } };
            Says = 'no more rights' }
        @{ Name = 'another capability'; Change = { param($c) $c.securityContext = @{ capabilities = @{ add = @(
            'SYS_ADMIN') } } }; Says = 'no more rights' }
        @{ Name = 'a variable'; Change = { param($c) $c.env += @(@{ name = 'LD_PRELOAD'; value = '/tmp/x.so' }) };
            Says = 'mount nothing' }
    ) {
        Start-PodDebug $script:tested -Namespace $script:space | Out-Null
        $ours = Get-EphemeralContainer $script:space $script:tested | Select-Object -First 1 | ConvertTo-Json -Depth 8 |
            ConvertFrom-Json -AsHashtable
        $ours.name = 'planted'
        Add-Container $ours | Should -BeNullOrEmpty
        & $Change $ours
        Add-Container $ours | Should -Match $Says
    }

    It 'is told by Test-PodDebug before anything changes' {
        $check = Test-PodDebug $script:tested -Namespace $script:space -For Bpftrace -Image pydebug.test/py311:1 |
            Where-Object Check -EQ Admission
        $check.Status | Should -Be Fail
        $check.Detail | Should -Match 'no more rights than PyDebug'
    }
}
