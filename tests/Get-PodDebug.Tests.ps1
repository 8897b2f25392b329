BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:pod = New-TestPod $script:ns
    $script:other = New-TestPod $script:ns
    $script:session = Start-PodDebug $script:pod -Namespace $script:ns
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-PodDebug' {
    It 'lists what Start-PodDebug started, the same but for the time' {
        $found = @(Get-PodDebug -Namespace $script:ns)
        $found.Count | Should -Be 1
        foreach ($name in 'Namespace', 'PodName', 'ContainerName', 'DebugContainer', 'Profile', 'Image', 'Python',
            'PodUid', 'NodeName') {
            $found[0].$name | Should -Be $script:session.$name -Because $name
        }
        $found[0].State | Should -Be 'Running'
        $found[0].Started | Should -BeGreaterThan ([DateTime]::UtcNow.AddMinutes(-10))
    }

    It 'shows who asked for it, as the server knows them, and what for' {
        $pod = New-TestPod $script:ns
        $reason = 'INC-12: "slow" checkout'
        $started = Start-PodDebug $pod -Namespace $script:ns -Reason $reason
        $found = Get-PodDebug $pod -Namespace $script:ns
        $found.Reason | Should -Be $reason
        $found.StartedBy | Should -Not -BeNullOrEmpty
        $found.StartedBy | Should -Be $started.StartedBy
        $review = @{ apiVersion = 'authentication.k8s.io/v1'; kind = 'SelfSubjectReview' }
        $found.StartedBy | Should -Be (
            Invoke-TestApi POST '/apis/authentication.k8s.io/v1/selfsubjectreviews' $review).status.userInfo.username
        $found | Format-List | Out-String | Should -Match ([regex]::Escape($reason))
        Get-ErrorId (Get-Failure { Start-PodDebug $pod -Namespace $script:ns -Reason "two`nlines" }).First |
            Should -Be 'ParameterInvalid'
    }

    It 'finds one pod''s by name, and nothing in another pod' {
        (Get-PodDebug $script:pod -Namespace $script:ns).DebugContainer | Should -Be $script:session.DebugContainer
        Get-PodDebug $script:other -Namespace $script:ns | Should -BeNullOrEmpty
    }

    It 'finds them in all namespaces' {
        (Get-PodDebug -AllNamespaces).DebugContainer | Should -Contain $script:session.DebugContainer
    }

    It 'leaves out debug containers of others' {
        $patch = @{ spec = @{ ephemeralContainers = @(@{ name = 'debugger-xyz'; image = 'pydebug.test/badapp:1';
            targetContainerName = 'web'
                        command = @('python3', '-c', 'import signal; signal.pause()') }) } }
        Invoke-TestApi PATCH "/api/v1/namespaces/$($script:ns)/pods/$($script:other)/ephemeralcontainers" $patch `
            -ContentType 'application/strategic-merge-patch+json' | Out-Null
        @(Get-EphemeralContainer $script:ns $script:other).Count | Should -Be 1
        (Get-PodDebug -Namespace $script:ns).DebugContainer | Should -Not -Contain 'debugger-xyz'
    }

    It 'says what to do about a pod that is not there' {
        $result = Get-Failure { Get-PodDebug 'nobody-here' -Namespace $script:ns }
        Get-ErrorId $result.First | Should -Be 'PodNotFound'
        "$($result.First.ErrorDetails.RecommendedAction)" | Should -Not -BeNullOrEmpty
    }

    It 'pipes into the other cmdlets' {
        Get-PodDebug -Namespace $script:ns | Get-PyProcess | Should -Not -BeNullOrEmpty
    }
}
