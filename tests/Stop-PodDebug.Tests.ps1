BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Stop-PodDebug' {
    It 'ends our processes and leaves the application alone' {
        $pod = New-TestPod $script:ns
        $session = Start-PodDebug $pod -Namespace $script:ns
        @(Get-PodProcessTable $script:ns $pod | Where-Object { Test-Keeper $_ }).Count | Should -Be 1
        $before = (Get-TestPod $script:ns $pod).status.containerStatuses[0].restartCount
        $session | Stop-PodDebug | Should -BeNullOrEmpty
        Wait-Until -What 'the keeper to end' -Seconds 5 { -not (Get-PodProcessTable $script:ns $pod |
            Where-Object { Test-Keeper $_ }) } | Should -BeTrue
        Wait-Until -What 'the API to say so' `
            -Seconds 20 { (Get-PodDebug $pod -Namespace $script:ns).State -eq 'Terminated' } | Should -BeTrue
        (Get-TestPod $script:ns $pod).status.containerStatuses[0].restartCount | Should -Be $before
        Request-Trouble $script:ns $pod '/' | Should -Match 'troubles'
    }

    It 'writes the session with -PassThru' {
        $pod = New-TestPod $script:ns
        $session = Start-PodDebug $pod -Namespace $script:ns
        $stopped = $session | Stop-PodDebug -PassThru
        $stopped.DebugContainer | Should -Be $session.DebugContainer
        $stopped.State | Should -Be 'Terminated'
    }

    It 'stops what Get-PodDebug lists, and is content with one that has ended' {
        $pod = New-TestPod $script:ns
        $session = Start-PodDebug $pod -Namespace $script:ns
        Get-PodDebug $pod -Namespace $script:ns | Stop-PodDebug
        $session | Stop-PodDebug -ErrorAction Stop | Should -BeNullOrEmpty
    }

    It 'is content with one whose pod is gone, or has been replaced by another of its name' {
        $pod = New-TestPod $script:ns
        $session = Start-PodDebug $pod -Namespace $script:ns
        Remove-TestPod $script:ns $pod
        $stopped = $session | Stop-PodDebug -PassThru -ErrorAction Stop
        $stopped.State | Should -Be 'Terminated'
        New-TestPod $script:ns -Name $pod | Out-Null
        $session | Stop-PodDebug -ErrorAction Stop
        Get-EphemeralContainer $script:ns $pod | Should -BeNullOrEmpty
    }

    It 'does nothing with -WhatIf' {
        $pod = New-TestPod $script:ns
        Start-PodDebug $pod -Namespace $script:ns | Stop-PodDebug -WhatIf
        @(Get-PodProcessTable $script:ns $pod | Where-Object { Test-Keeper $_ }).Count | Should -Be 1
    }

    It 'is followed by a new container at the next start' {
        $pod = New-TestPod $script:ns
        $first = Start-PodDebug $pod -Namespace $script:ns
        $first | Stop-PodDebug
        $second = Start-PodDebug $pod -Namespace $script:ns
        $second.DebugContainer | Should -Not -Be $first.DebugContainer
        $second | Get-PyProcess | Should -Not -BeNullOrEmpty
    }

    It 'leaves a session that says what to do' {
        $pod = New-TestPod $script:ns
        $session = Start-PodDebug $pod -Namespace $script:ns
        $session | Stop-PodDebug
        $result = Get-Failure { $session | Get-PyStack }
        Get-ErrorId $result.First | Should -Be 'DebugContainerGone'
        "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match 'Start-PodDebug'
    }
}
