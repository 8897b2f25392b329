BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:real = $env:PYDEBUG_TEST_KIND -ne 'sandbox'
    if (-not $script:real) {
        Write-Warning ('SKIPPED: the tests of Deployments, native sidecars and init containers that never end. The ' +
            'sandbox has none of them; tests/cluster/test runs them.')
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace

    function Get-Waiting([string] $Function) {
        # A command whose main thread waits in a function of that name.
        return @('python3', '-c',
            "import time`ndef ${Function}():`n    while True:`n        time.sleep(1)`n${Function}()")
    }

    function Get-Function($Stacks) {
        return $Stacks.Frames.Name | Where-Object { $_ -notin '<module>', 'sleep' } | Sort-Object -Unique
    }
}

AfterAll {
    if ($env:PYDEBUG_TEST_KIND -ne 'sandbox') {
        Invoke-TestApi DELETE "/apis/apps/v1/namespaces/$script:ns/deployments/backend" -Allow 404 | Out-Null
    }
    Remove-TestNamespace $script:ns
}

Describe 'Pods by label, and as kubectl names them' {
    BeforeAll {
        $script:one = New-TestPod $script:ns -Image py313 -Command (Get-Waiting 'first_one') -Labels @{ app = 'shop' }
        $script:two = New-TestPod $script:ns -Image py313 -Command (Get-Waiting 'second_one') -Labels @{ app = 'shop' }
    }

    It 'finds all of a label side by side, and names what -First leaves out' {
        $stacks = Start-PodDebug -n $script:ns -LabelSelector app=shop | Get-PyStack
        Get-Function $stacks | Should -Be 'first_one', 'second_one'
        $newest = Start-PodDebug -n $script:ns -LabelSelector app=shop -First 1 -WarningVariable said `
            -WarningAction SilentlyContinue
        @($newest).Count | Should -Be 1
        "$said" | Should -Match '1 of 2 pods is taken; left out: 1 by -First 1'
    }

    It 'takes the objects and names that kubectl writes' {
        $list = Invoke-TestApi GET "/api/v1/namespaces/$script:ns/pods?labelSelector=app%3Dshop"
        $list | Start-PodDebug | Get-PyStack | ForEach-Object PodName | Sort-Object -Unique |
            Should -Be (@($script:one, $script:two) | Sort-Object)
        "pod/$script:two" | Start-PodDebug -n $script:ns | Get-PyStack | ForEach-Object PodName | Should -Be $script:two
    }

    It 'is tested before anything changes, and with a session as well' {
        $pod = New-TestPod $script:ns -Image py313 -Command (Get-Waiting 'untouched')
        $checks = Test-PodDebug $pod -n $script:ns -For Stack, Time, Heap
        $checks | Where-Object Status -EQ Fail | Should -BeNullOrEmpty
        ($checks | Where-Object Check -EQ Admission).Status | Should -Be Pass
        Get-EphemeralContainer $script:ns $pod | Should -BeNullOrEmpty
        $looked = Start-PodDebug $script:one -n $script:ns | Test-PodDebug
        ($looked | Where-Object { $_.Check -eq 'Python' -and $_.Detail -match 'CPython 3\.13' }).Status |
            Should -Be Pass
        ($looked | Where-Object Check -EQ Access).Status | Should -Be Pass
        Test-PodDebug 'nobody-here' -n $script:ns -Quiet | Should -BeFalse
    }

    It 'finds those of a label in all namespaces' {
        $label = New-TestName 'everywhere'
        $elsewhere = New-TestNamespace
        try {
            $here = New-TestPod $script:ns -Image py313 -Command (Get-Waiting 'here') -Labels @{ app = $label }
            $there = New-TestPod $elsewhere -Image py313 -Command (Get-Waiting 'there') -Labels @{ app = $label }
            $stacks = Start-PodDebug -LabelSelector "app=$label" -AllNamespaces | Get-PyStack
            $stacks | ForEach-Object { "$($_.Namespace)/$($_.PodName)" } | Sort-Object |
                Should -Be ("$($script:ns)/$here", "$elsewhere/$there" | Sort-Object)
            Get-Function $stacks | Should -Be 'here', 'there'
        }
        finally {
            Remove-TestNamespace $elsewhere
        }
    }

    It 'says so where a selector matches nothing' {
        $result = Get-Failure { Start-PodDebug -n $script:ns -LabelSelector app=nothing }
        Get-ErrorId $result.First | Should -Be 'NoPodMatches'
    }
}

Describe 'A Deployment, a native sidecar and an init container that never ends' -Skip:(-not $script:real) {
    BeforeAll {
        $web = New-TestContainer -Image py313 -Command (Get-Waiting 'serve')
        $labels = @{ app = 'backend' }
        $body = @{
            apiVersion = 'apps/v1'; kind = 'Deployment'; metadata = @{ name = 'backend' }
            spec       = @{
                replicas = 2; selector = @{ matchLabels = $labels }
                template = @{ metadata = @{ labels = $labels };
                    spec = @{ containers = @($web); terminationGracePeriodSeconds = 1 } }
            }
        }
        Invoke-TestApi POST "/apis/apps/v1/namespaces/$script:ns/deployments" $body | Out-Null
        $poller = (New-TestContainer poller -Image py313 -Command (Get-Waiting 'poll_config')) +
            @{ restartPolicy = 'Always' }
        $script:sidecar = New-TestPod $script:ns -Containers $web -Spec @{ initContainers = @($poller) } -NoWait
        $wait = New-TestContainer wait-db -Image py313 -Command (Get-Waiting 'wait_for_database')
        $script:stuck = New-TestPod $script:ns -Containers $web -Spec @{ initContainers = @($wait) } -NoWait
        Wait-TestPod $script:ns $script:sidecar
        Wait-Until -What 'the init container to run' -Seconds 90 {
            $status = (Get-TestPod $script:ns $script:stuck).status
            $status.PSObject.Properties['initContainerStatuses'] -and
                $status.initContainerStatuses[0].state.PSObject.Properties['running']
        } | Out-Null
        Wait-Until -What 'two pods of the Deployment' -Seconds 90 {
            (Invoke-TestApi GET "/apis/apps/v1/namespaces/$script:ns/deployments/backend").status.readyReplicas -eq 2
        } | Out-Null
    }

    It 'asks the pods that the Deployment controls, and no other of its labels' {
        New-TestPod $script:ns -Image py313 -Command (Get-Waiting 'stranger') -Labels @{ app = 'backend';
            stray = 'yes' } -NoWait | Out-Null
        $stacks = Start-PodDebug -n $script:ns -Deployment backend | Get-PyStack
        @($stacks.PodName | Sort-Object -Unique).Count | Should -Be 2
        Get-Function $stacks | Should -Be 'serve'
        $object = Invoke-TestApi GET "/apis/apps/v1/namespaces/$script:ns/deployments/backend"
        @($object | Start-PodDebug -OnePerNode -WarningAction SilentlyContinue).Count | Should -Be 1
    }

    It 'is followed by Watch-PyProcess from a pod that is deleted to the one that takes its place' {
        $session = Start-PodDebug -n $script:ns -Deployment backend -First 1 -WarningAction SilentlyContinue
        $pods = "/api/v1/namespaces/$script:ns/pods"
        $before = (Invoke-TestApi GET "${pods}?labelSelector=app%3Dbackend").items.metadata.uid
        $records = [System.Collections.Generic.List[object]]::new()
        $how = @{ IntervalSeconds = 0.5; DurationSeconds = 240; Follow = $true; Confirm = $false }
        $last = $session | Watch-PyProcess @how -WarningAction SilentlyContinue |
            ForEach-Object {
                if ($records.Count -eq 0) {
                    Invoke-TestApi DELETE "$pods/$($session.PodName)?gracePeriodSeconds=1" | Out-Null
                }
                $records.Add($_)
                $_
            } | Where-Object { -not $_.Gap -and $_.PodUid -ne $session.PodUid } | Select-Object -First 1
        $last.PodUid | Should -Not -BeIn $before
        $gaps = @($records | Where-Object Gap)
        $gaps.Count | Should -BeGreaterThan 0
        $gaps[-1].GapSeconds | Should -BeGreaterThan 0
        @(Get-EphemeralContainer $script:ns $last.PodName).Count | Should -Be 1
        Get-Function ($last | Get-PyStack) | Should -Be 'serve'
    }

    It 'reads a native sidecar where it is named, and the application else' {
        Get-Function (Start-PodDebug $script:sidecar -n $script:ns -c poller | Get-PyStack) | Should -Be 'poll_config'
        Get-Function (Start-PodDebug $script:sidecar -n $script:ns | Get-PyStack) | Should -Be 'serve'
    }

    It 'reads an init container while its pod is pending, and names it where the pod is asked for' {
        (Get-TestPod $script:ns $script:stuck).status.phase | Should -Be 'Pending'
        Get-Function (Start-PodDebug $script:stuck -n $script:ns -c wait-db | Get-PyStack) |
            Should -Be 'wait_for_database'
        $result = Get-Failure { Start-PodDebug $script:stuck -n $script:ns }
        Get-ErrorId $result.First | Should -Be 'PodNotRunning'
        "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match '-ContainerName wait-db'
    }
}
