BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:memray = Test-MemrayPayload 'py313'
    $script:questions = @(
        @{ Name = 'Get-PyProcess'; Question = { param($s) $s | Get-PyProcess } }
        @{ Name = 'Get-PyStack'; Question = { param($s) $s | Get-PyStack } }
        @{ Name = 'Measure-PyTime'; Question = { param($s) $s | Measure-PyTime -DurationSeconds 1 } }
        @{ Name = 'Get-PyHeap'; Question = { param($s) $s | Get-PyHeap -TimeoutSeconds 300 } }
        @{
            Name     = 'Copy-PodFile'
            Question = { param($s, $to) $s | Copy-PodFile -Path /proc/1/root/etc/passwd -Destination $to }
        }
    )
    if (Test-Path -LiteralPath (Join-Path (Get-Module PyDebug).ModuleBase 'bin/payload/py-spy/manifest.json')) {
        $script:questions += @{ Name = 'Invoke-PySpy'; Question = { param($s) $s | Invoke-PySpy } }
    }
    if ($script:memray) {
        $script:questions += @{
            Name     = 'Get-MemrayReport'
            Question = { param($s) $s | Get-MemrayReport -DurationSeconds 3 -Confirm:$false }
        }
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'A target that looks for a way out, root without a capability' {
    BeforeAll {
        $security = @{
            runAsUser = 0; capabilities = @{ drop = @('ALL') }; seccompProfile = @{ type = 'RuntimeDefault' }
        }
        # It never rests, and other tests run beside it.
        $file = Join-Path $PSScriptRoot 'agent/targets/hostile.py'
        $source = "import os`nos.nice(10)`n" + (Get-Content -Raw -LiteralPath $file)
        $command = 'python3', '-u', '-c', $source
        $script:pod = New-TestPod $script:ns -Image py313 -Command $command -Security $security -ReadyLog '"ready"'
        $script:session = Start-PodDebug $script:pod -Namespace $script:ns -SecurityProfile General
        $script:seen = 0

        function Get-Reached {
            # What it came upon since the last look, as [what, can be read, can be written].
            $log = Invoke-TestApi GET "/api/v1/namespaces/$script:ns/pods/$script:pod/log" -AsText
            $lines = @($log -split "`n" | Where-Object { $_ -match '^\["(reached|traced)"' })
            $new = @($lines | Select-Object -Skip $script:seen)
            $script:seen = $lines.Count
            foreach ($line in $new) {
                , @(($line | ConvertFrom-Json)[1..3])
            }
        }
    }

    It 'reaches nothing of ours while <Name> answers' -ForEach $script:questions {
        $answer = & $Question $script:session (Join-Path $TestDrive 'copied')
        $answer | Should -Not -BeNullOrEmpty
        $reached = @(Get-Reached)
        if ($Name -eq 'Get-MemrayReport') {
            $answer.Allocations[0].Function | Should -Be 'keep'
            $answer.EndReason | Should -Be 'Time'
            # Its rehearsal is what it is itself, and holds what that was handed: the payload, and captures.
            $handed = '^fd (/memfd:pydebug-|/.*/#\d+ \(deleted\)$)'
            $written = @($reached | Where-Object { $_[2] } | ForEach-Object { $_[0] -replace '/.*#\d+ ', '/#0 ' })
            $captures = 'fd /memfd:pydebug-trial (deleted)', 'fd /#0 (deleted)'
            $written | Where-Object { $_ -notin $captures } | Should -BeNullOrEmpty
            $reached = @($reached | Where-Object { $_[0] -notmatch $handed })
        }
        $reached | ForEach-Object { $_ -join ' ' } | Should -BeNullOrEmpty
    }
}
