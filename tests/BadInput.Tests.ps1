BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace

    function Assert-Failure {
        # One error, with its id, a category, the target and advice; nothing on the output.
        param([psobject] $Result, [string] $Id, [string] $Message)
        $Result.Output | Should -BeNullOrEmpty
        Get-ErrorId $Result.First | Should -Be $Id -Because $Result.First.Exception.Message
        $Result.First.CategoryInfo.Category | Should -Not -Be 'NotSpecified'
        "$($Result.First.ErrorDetails.RecommendedAction)" | Should -Not -BeNullOrEmpty
        $Result.First.Exception.Message | Should -Match $Message
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Bad input' {
    Context 'where to' {
        It 'no such pod' {
            Assert-Failure (Get-Failure { Start-PodDebug nobody-here -Namespace $script:ns }) PodNotFound 'nobody-here'
        }

        It 'no such namespace' {
            Assert-Failure (
                Get-Failure { Start-PodDebug bad-app -Namespace nowhere-at-all }) NamespaceNotFound 'nowhere-at-all'
        }

        It 'no such container' {
            $pod = New-TestPod $script:ns
            Assert-Failure (Get-Failure { Start-PodDebug $pod -Namespace $script:ns `
                -ContainerName other }) ContainerNotFound 'other'
        }

        It 'no such context' {
            Assert-Failure (
                Get-Failure { Start-PodDebug bad-app -Context no-such-context }) ContextNotFound 'no-such-context'
        }

        It 'no such kubeconfig' {
            Assert-Failure (
                Get-Failure { Start-PodDebug bad-app -Kubeconfig /nowhere/config }) KubeconfigInvalid '/nowhere/config'
        }

        It 'a kubeconfig that is none' {
            $file = Join-Path $TestDrive 'config'
            Set-Content -LiteralPath $file -Value "clusters: [ {`n  name:"
            Assert-Failure (Get-Failure { Start-PodDebug bad-app -Kubeconfig $file }) KubeconfigInvalid 'config'
        }

        It 'a server that does not answer' {
            $token = ConvertTo-SecureString 'x' -AsPlainText
            $authority = [Convert]::ToBase64String($script:Server.Authority)
            $time = Measure-Command {
                $script:result = Get-Failure { Start-PodDebug bad-app -Server https://127.0.0.1:1 -AccessToken $token `
                    -CertificateAuthorityData $authority }
            }
            Assert-Failure $script:result ConnectionFailed '127.0.0.1'
            $time.TotalSeconds | Should -BeLessThan 30
        }

        It 'a token that the server does not know, which is not repeated' {
            $token = ConvertTo-SecureString 'not-the-token-at-all' -AsPlainText
            $authority = [Convert]::ToBase64String($script:Server.Authority)
            $result = Get-Failure { Start-PodDebug bad-app -Server $script:Server.Address -AccessToken $token `
                -CertificateAuthorityData $authority }
            Assert-Failure $result Unauthorized '.'
            $result.First | Out-String | Should -Not -Match 'not-the-token-at-all'
        }

        It 'a server with a certificate of another authority' {
            $key = [System.Security.Cryptography.RSA]::Create(2048)
            $request = [System.Security.Cryptography.X509Certificates.CertificateRequest]::new('CN=other', $key,
                'SHA256', [System.Security.Cryptography.RSASignaturePadding]::Pkcs1)
            $request.CertificateExtensions.Add(
                [System.Security.Cryptography.X509Certificates.X509BasicConstraintsExtension]::new($true, $false, 0,
                    $true))
            $other =
                $request.CreateSelfSigned([DateTimeOffset]::UtcNow.AddDays(-1), [DateTimeOffset]::UtcNow.AddDays(1))
            $authority =
                [Convert]::ToBase64String([System.Text.Encoding]::ASCII.GetBytes($other.ExportCertificatePem()))
            $token = ConvertTo-SecureString 'x' -AsPlainText
            Assert-Failure (Get-Failure { Start-PodDebug bad-app -Server $script:Server.Address -AccessToken $token `
                -CertificateAuthorityData $authority }) TlsFailed '.'
        }
    }

    Context 'pods that cannot be debugged' {
        It 'one that is pending, with the reason' {
            $pod = New-TestPod $script:ns -Image 'pydebug.test/absent:1' -NoWait
            Wait-Until -What 'the image to be missed' {
                $status = (Get-TestPod $script:ns $pod).status
                $status.PSObject.Properties['containerStatuses'] -and
                    $status.containerStatuses[0].state.PSObject.Properties['waiting'] -and
                    $status.containerStatuses[0].state.waiting.reason -match 'Err|BackOff'
            } | Out-Null
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns }
            Get-ErrorId $result.First | Should -BeIn 'PodNotRunning', 'TargetNotRunning'
            $result.First.Exception.Message | Should -Match 'ErrImagePull|ImagePullBackOff|ErrImageNeverPull'
        }

        It 'one that has finished' {
            $pod = New-TestPod $script:ns -Command 'python3', '-c', 'pass' -Spec @{ restartPolicy = 'Never' } -NoWait
            Wait-Until -What 'the pod to finish' { (Get-TestPod $script:ns $pod).status.phase -eq 'Succeeded' } |
                Out-Null
            Assert-Failure (Get-Failure { Start-PodDebug $pod -Namespace $script:ns }) PodFinished $pod
        }

        It 'one whose container crashes again and again' {
            $pod = New-TestPod $script:ns -Command 'python3', '-c', 'raise SystemExit(3)' -NoWait
            Wait-Until -What 'the container to crash' {
                $status = (Get-TestPod $script:ns $pod).status
                $status.PSObject.Properties['containerStatuses'] -and
                    $status.containerStatuses[0].restartCount -gt 0 -and
                    -not $status.containerStatuses[0].state.PSObject.Properties['running']
            } | Out-Null
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns -TimeoutSeconds 20 }
            Get-ErrorId $result.First | Should -BeIn 'TargetNotRunning', 'TargetRestarted', 'TargetNotVisible'
        }

        It 'one that another pod of the same name has replaced' {
            $pod = New-TestPod $script:ns
            $session = Start-PodDebug $pod -Namespace $script:ns
            Remove-TestPod $script:ns $pod
            New-TestPod $script:ns -Name $pod | Out-Null
            Assert-Failure (Get-Failure { $session | Get-PyStack }) PodReplaced $pod
        }

        It 'one that is gone' {
            $pod = New-TestPod $script:ns
            $session = Start-PodDebug $pod -Namespace $script:ns
            Remove-TestPod $script:ns $pod
            Assert-Failure (Get-Failure { $session | Get-PyStack }) PodNotFound $pod
        }

        It 'one on Windows' {
            $pod = New-TestPod $script:ns -Spec @{ os = @{ name = 'windows' };
                nodeSelector = @{ 'kubernetes.io/os' = 'windows' } } -NoWait
            Assert-Failure (Get-Failure { Start-PodDebug $pod -Namespace $script:ns }) PodIsWindows $pod
        }
    }

    Context 'processes' {
        It 'no Python in the target' {
            $pod = New-TestPod $script:ns -Image tools -Command 'sleep', '3600'
            $session = Start-PodDebug $pod -Namespace $script:ns
            Assert-Failure (Get-Failure { $session | Get-PyStack }) NoPython 'Python'
        }

        It 'a process that is gone' {
            $pod = New-TestPod $script:ns -ReadyLog 'listens'
            $session = Start-PodDebug $pod -Namespace $script:ns
            Assert-Failure (Get-Failure { $session | Get-PyStack -ProcessId 4242 }) ProcessGone '4242'
        }

        It 'a process that is gone, beside one that is there' {
            $pod = New-TestPod $script:ns -ReadyLog 'listens'
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns | Get-PyStack -ProcessId 1, 4242 }
            $result.Output | Should -Not -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'ProcessGone'
        }

        It 'a process whose number another one has by now' {
            $pod = New-TestPod $script:ns -Image tools -Command 'sh', '-c', 'while true; do python3 /srv/app.py; done'
            $session = Start-PodDebug $pod -Namespace $script:ns
            $process = Wait-Until -What 'the service' { $session | Get-PyProcess }
            Invoke-PodPython $script:ns $pod "import os; os.kill($($process.ProcessId), 9)" | Out-Null
            $result = Get-Failure { $process | Get-PyStack }
            Get-ErrorId $result.First | Should -Be 'ProcessGone'
        }

        It 'a process that is no Python' {
            $pod = New-TestPod $script:ns -Image tools -Command 'sh', '-c', 'python3 /srv/app.py; true'
            $session = Start-PodDebug $pod -Namespace $script:ns
            Wait-Until -What 'the service' { $session | Get-PyProcess } | Out-Null
            Assert-Failure (Get-Failure { $session | Get-PyStack -ProcessId 1 }) NoPython 'sh'
        }

        It 'an image whose Python has no _ctypes' {
            $pod = New-TestPod $script:ns -Image noctypes
            $result = Get-Failure { Start-PodDebug $pod -Namespace $script:ns | Get-PyStack }
            Get-ErrorId $result.First | Should -Be 'NoCtypes'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match '-Image'
        }
    }

    Context 'names from the target' {
        BeforeAll {
            $script:pod = New-TestPod $script:ns -Image names
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
            $script:stacks = @(Wait-Until -What 'all threads' { $found = @($script:session |
                Get-PyStack); $found.Count -ge 9 ? $found : $null })
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'keep separators, spaces and other alphabets' {
            $names = $script:stacks.Frames.Name
            'render; part 2', 'count 12', 'say "hi"\path', 'обработать', '<lambda>' |
                ForEach-Object { $names | Should -Contain $_ }
            $script:stacks.Frames.FileName | Should -Contain '/srv/svc;blue/views.py'
            $script:stacks.Frames.FileName | Should -Contain '/srv/модуль 7.py'
        }

        It 'put no control character and no mark of direction on the screen or into objects' {
            $bad = '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]'
            $script:stacks | ForEach-Object { "$_" } | Should -Not -Match $bad
            $script:stacks | Out-String -Width 120 | Should -Not -Match $bad
            $script:stacks.Frames.Name + $script:stacks.Frames.FileName + $script:stacks.Name | Where-Object { $_ } |
                Where-Object { $_ -match "$bad|[\r\n]" } | Should -BeNullOrEmpty
            $script:stacks.Frames | ForEach-Object { "$_" } | Should -Not -Match "$bad|[\r\n]"
            $script:session | Get-PyProcess | Out-String -Width 120 | Should -Not -Match $bad
        }

        It 'are as harmless in a report of time and its pictures' {
            $report = $script:session | Measure-PyTime -DurationSeconds 2 -WarningAction SilentlyContinue
            $bad = '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]'
            $shown = $report, $report.Waits, $report.Threads | Out-String -Width 120
            $shown | Should -Not -Match $bad
            $report | ConvertTo-Json -Depth 5 | Should -Not -Match $bad
            $names = $report.Waits.Frames.Name + $report.Cpu.Frames.Name
            'render; part 2', 'say "hi"\path', 'обработать' | ForEach-Object { $names | Should -Contain $_ }
            $svg = $report | Export-StackProfile -Path (Join-Path $TestDrive 'names.svg') -PassThru
            [xml]$picture = Get-Content -Raw -LiteralPath $svg
            $picture.OuterXml | Should -Not -Match $bad
        }

        It 'stay apart from each other' {
            @($script:stacks | Where-Object Name -like 'odd*' | ForEach-Object { $_.Frames.Name -join '|' } |
                Sort-Object -Unique).Count | Should -Be 8
        }
    }
}
