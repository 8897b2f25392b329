BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:memray = Test-MemrayPayload 'py313'
    # A question that cannot be answered without the capability, about a process of another user.
    $script:needs = @(
        @{ Capability = 'SYS_PTRACE'; Question = { param($s) $s | Get-PyStack } }
        @{
            Capability = 'DAC_OVERRIDE'
            Question   = { param($s, $to) $s | Copy-PodFile -Path /proc/1/root/tmp/private -Destination $to }
        }
    )
    if ($script:memray) {
        $report = { param($s) $s | Get-MemrayReport -DurationSeconds 1 -Confirm:$false }
        foreach ($one in 'CHOWN', 'SETGID', 'SETUID') {
            $script:needs += @{ Capability = $one; Question = $report }
        }
        # With another image the rehearsal runs in the target's root.
        $script:needs += @{ Capability = 'SYS_CHROOT'; Question = $report; Named = @{ Image = 'pydebug.test/py311:1' } }
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:program = @'
import os, time
with open("/tmp/private", "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
    file.write("private")
kept = []
print("ready", flush=True)
while True:
    kept.append(bytearray(999))
    time.sleep(0.01)
'@
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'The rights of a debug container' {
    Context 'General' {
        BeforeAll {
            $user = @{ runAsUser = 10001; runAsGroup = 10001 }
            $command = 'python3', '-c', $script:program
            $script:pod = New-TestPod $script:ns -Command $command -Security $user -ReadyLog 'ready'
            $script:all = 'SYS_PTRACE', 'CHOWN', 'DAC_OVERRIDE', 'KILL', 'SETGID', 'SETUID', 'SYS_CHROOT'
        }

        It 'asks for no capability beyond those that are shown to be needed here' {
            $session = Start-PodDebug $script:pod -Namespace $script:ns
            $added = Get-EphemeralContainer $script:ns $script:pod | Where-Object name -eq $session.DebugContainer
            $added.securityContext.capabilities.drop | Should -Be 'ALL'
            $added.securityContext.capabilities.add | Sort-Object | Should -Be ($script:all | Sort-Object)
        }

        It 'needs <Capability>' -ForEach $script:needs {
            $named = $_['Named'] ?? @{}
            $others = @($script:all | Where-Object { $_ -ne $Capability })
            $custom = @{ securityContext = @{ capabilities = @{ drop = @('ALL'); add = $others } } }
            $poor = Start-PodDebug $script:pod -Namespace $script:ns -Custom $custom @named
            $refused = Get-Failure { & $Question $poor (Join-Path $TestDrive "without-$Capability") }
            $refused.Output | Should -BeNullOrEmpty
            $able = Start-PodDebug $script:pod -Namespace $script:ns @named
            & $Question $able (Join-Path $TestDrive "with-$Capability") | Should -Not -BeNullOrEmpty
        }
    }

    Context 'ending what it started' {
        It 'needs KILL: a rehearsal of another user cannot be ended without' -Skip:(-not $script:memray) {
            $user = @{ runAsUser = 10001; runAsGroup = 10001 }
            $pod = New-TestPod $script:ns -Command 'python3', '-c', $script:program -Security $user -ReadyLog 'ready'
            $others = 'SYS_PTRACE', 'CHOWN', 'DAC_OVERRIDE', 'SETGID', 'SETUID', 'SYS_CHROOT'
            $seconds = foreach ($rights in $others, @($others + 'KILL')) {
                $custom = @{ securityContext = @{ capabilities = @{ drop = @('ALL'); add = $rights } } }
                $session = Start-PodDebug $pod -Namespace $script:ns -Custom $custom
                (Measure-Command { $session | Get-MemrayReport -DurationSeconds 1 -Confirm:$false }).TotalSeconds
            }
            # It ends by itself after a minute.
            $seconds[0] | Should -BeGreaterThan 50
            $seconds[1] | Should -BeLessThan ($seconds[0] - 15)
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'the target''s seccomp filter' {
        It 'is that of a debug container with profile <Profile>' -ForEach @(
            @{ Profile = 'General' }
            @{ Profile = 'Restricted' }
        ) {
            $security = @{ runAsUser = 10001; runAsGroup = 10001; seccompProfile = @{ type = 'RuntimeDefault' } }
            $command = 'python3', '-c', $script:program
            $pod = New-TestPod $script:ns -Command $command -Security $security -ReadyLog 'ready'
            $session = Start-PodDebug $pod -Namespace $script:ns -SecurityProfile $Profile
            $added = Get-EphemeralContainer $script:ns $pod | Where-Object name -eq $session.DebugContainer
            $added.securityContext.seccompProfile.type | Should -Be 'RuntimeDefault'
            $keeper = Get-PodProcessTable $script:ns $pod | Where-Object { Test-Keeper $_ }
            $status = Invoke-PodPython $script:ns $pod "print(open('/proc/$($keeper.Pid)/status').read())"
            $status | Should -Match '(?m)^Seccomp:\s+2$'
            # Where the node lets a process of the same user be read.
            if ($Profile -eq 'General') {
                $session | Get-PyStack | Should -Not -BeNullOrEmpty
            }
        }
    }

    Context 'a pod whose containers share their processes' {
        BeforeAll {
            $code = "import time`ndef {0}():`n    while True:`n        time.sleep(1)`nprint('ready', flush=True)`n{0}()"
            $containers = @(
                New-TestContainer -Name 'web' -Command 'python3', '-c', ($code -f 'work_of_web')
                New-TestContainer -Name 'side' -Command 'python3', '-c', ($code -f 'work_of_side')
            )
            $script:both = New-TestPod $script:ns -Containers $containers -Spec @{ shareProcessNamespace = $true }
            Wait-PodLog $script:ns $script:both 'ready' -Container web | Out-Null
            Wait-PodLog $script:ns $script:both 'ready' -Container side | Out-Null
            $script:session = Start-PodDebug $script:both -Namespace $script:ns -ContainerName web
        }

        It 'asks the processes of the target container alone' {
            @($script:session | Get-PyProcess).Count | Should -Be 1
            $stack = $script:session | Get-PyStack
            $stack.Frames.Name | Should -Contain 'work_of_web'
            $stack.Frames.Name | Should -Not -Contain 'work_of_side'
            $report = $script:session | Measure-PyTime -DurationSeconds 1 -Method Memory
            @($report).Count | Should -Be 1
            $side = Start-PodDebug $script:both -Namespace $script:ns -ContainerName side | Get-PyStack
            $side.Frames.Name | Should -Contain 'work_of_side'
            $side.Frames.Name | Should -Not -Contain 'work_of_web'
        }

        It 'refuses a process of another container by its number' {
            $other = Get-PodProcessTable $script:ns $script:both | Where-Object Command -Match 'work_of_side'
            $questions = @(
                { $script:session | Get-PyStack -ProcessId $other.Pid }
                { $script:session | Measure-PyTime -ProcessId $other.Pid -DurationSeconds 1 }
            )
            foreach ($question in $questions) {
                $refused = Get-Failure $question
                $refused.Output | Should -BeNullOrEmpty
                Get-ErrorId $refused.First | Should -Be 'ProcessOutside'
            }
        }

        It 'says that the target was started again, and goes on with the container that is there' {
            $main = Get-PodProcessTable $script:ns $script:both | Where-Object Command -Match 'work_of_web'
            Invoke-PodPython $script:ns $script:both "import os; os.kill($($main.Pid), 9)" -Container side | Out-Null
            Wait-Until -What 'the container to run again' {
                $status = (Get-TestPod $script:ns $script:both).status.containerStatuses | Where-Object name -eq 'web'
                $status.restartCount -gt 0 -and $status.state.PSObject.Properties['running']
            } | Out-Null
            $stale = Get-Failure { $script:session | Get-PyStack }
            Get-ErrorId $stale.First | Should -Be 'TargetRestarted' -Because "$($stale.First)"
            "$($stale.First.ErrorDetails.RecommendedAction)" | Should -Not -Match '-Force'
            $again = Start-PodDebug $script:both -Namespace $script:ns -ContainerName web
            $again.DebugContainer | Should -Be $script:session.DebugContainer
            ($again | Get-PyStack).Frames.Name | Should -Contain 'work_of_web'
        }
    }
}
