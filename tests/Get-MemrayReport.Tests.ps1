BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    # The tests' services run Python 3.13.
    $script:missing = -not (Test-MemrayPayload 'py313')
    if ($script:missing) {
        Write-Warning ("SKIPPED: the tests of Get-MemrayReport. This build carries no memray for Python 3.13: " +
            'no wheel was found (PIP_FIND_LINKS, ../shared/wheelhouse, pip).')
    }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    . (Join-Path $PSScriptRoot 'memray.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Get-MemrayReport' -Skip:$script:missing {
    Context 'a service that leaks' {
        BeforeAll {
            $leak = @{ BADAPP_LEAK_MIB = 800 }
            $script:pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'leak',
                'sleepers' -Environment $leak -MemoryLimit '1Gi' -ReadyLog 'listens'
            $script:session = Start-PodDebug $script:pod -Namespace $script:ns
        }

        AfterAll {
            Remove-TestPod $script:ns $script:pod
        }

        It 'says with -WhatIf what would be done to which process, and does nothing' {
            $json = $script:session | ConvertTo-Json -Depth 5 -Compress
            $said = (Invoke-ChildPwsh @"
`$env:KUBECONFIG = '$env:KUBECONFIG'
Import-Module '$((Get-Module PyDebug).Path)'
'$json' | ConvertFrom-Json | Get-MemrayReport -DurationSeconds 7 -WhatIf
"@) -join ' '
            $said | Should -Match ('What if: Performing the operation "run memray [\d.]+ for 7 s inside ' +
                '\(pause about 10 ms, memory about 8 MiB, 1\.1 to 1\.6 times slower while it does nothing but ' +
                'allocate; undone at the end except for the loaded module\)"')
            $said | Should -Match ("on target `"$script:ns/$script:pod/web process 1, CPython 3\.13\.\d+ \(python3 " +
                "/srv/app\.py leak sleepers\)`"")
            Get-LoadedMemray $script:pod | Should -Be 0
        }

        It 'fails in a host that cannot ask, with the advice, and has done nothing' {
            $result = Get-Failure { $script:session | Get-MemrayReport -DurationSeconds 1 }
            $result.Output | Should -BeNullOrEmpty
            Get-ErrorId $result.First | Should -Be 'ConfirmationNeeded'
            $result.First.CategoryInfo.Category | Should -Be 'InvalidOperation'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match '-Confirm:\$false does it without asking'
            $result.First.TargetObject.PodName | Should -Be $script:pod
            Get-LoadedMemray $script:pod | Should -Be 0
        }

        It 'reports who keeps what, and how long until the limit' {
            $script:r = $script:session | Get-PyProcess |
                Get-MemrayReport -DurationSeconds 4 -Confirm:$false -WarningVariable warnings
            $warnings | Should -BeNullOrEmpty
            @($script:r).Count | Should -Be 1
            Assert-Leak $script:r 4
            $script:r.PodName | Should -Be $script:pod
            $script:r.ProcessId | Should -Be 1
            $script:r.CommandLine | Should -Be 'python3 /srv/app.py leak sleepers'
            $script:r.PythonVersion | Should -Match '^3\.13\.'
            $script:r.Allocations[0].FileName | Should -Be '/srv/troubles.py'
            $script:r.ContainerLimitBytes | Should -Be 1GB
            $script:r.SecondsToLimit | Should -BeGreaterThan 20
            $script:r.SecondsToLimit | Should -BeLessThan 2000
            $script:r.Rehearsal | Should -Be 'Same'
            $script:r.HeldMicroseconds | Should -BeGreaterThan 0
            $script:r.Timeline.Count | Should -BeGreaterThan 3
            $script:r.CapturePath | Should -BeNullOrEmpty
            [Math]::Abs(($script:r.Timestamp - $script:r.Started).TotalSeconds) | Should -BeLessThan 60
        }

        It 'stops the service for a moment alone, by a ticker in it' -Tag 'Alone' {
            if (-not (Get-Variable -Name r -Scope Script -ErrorAction Ignore)) {
                $script:r = $script:session | Get-MemrayReport -DurationSeconds 2 -Confirm:$false
            }
            $script:r.PauseMilliseconds | Should -BeGreaterThan 0
            # Some 10 ms on a quiet machine; a service that is stopped for as long as the attach takes has several
            # hundred.
            $script:r.PauseMilliseconds | Should -BeLessThan ([Math]::Max(150, 3 * $script:r.UsualPauseMilliseconds))
        }

        It 'shows the report in 120 columns' {
            $lines = @($script:r | Out-String -Width 120 -Stream)
            $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
            $text = $lines -join "`n"
            $text | Should -Match ("$script:pod/web  process 1  python3 /srv/app\.py.*  4\.\d s  memray [\d.]+  " +
                "pause [\d.]+ ms")
            $text | Should -Match 'Kept after 4\.\d s    [\d.]+ MiB in [\d,]+ allocations \([\d.]+ MiB/s\)'
            $text | Should -Match 'of 1\.00 GiB: the limit is reached in about \d+ (s|min) at this rate'
            $text | Should -Match 'remember \(troubles\.py:\d+\) < leak_worker \(troubles\.py:\d+\) +[\d.]+ MiB +[\d,]+'
            foreach ($what in $script:r.Allocations, $script:r.Timeline, $script:r.Sizes) {
                $what | Out-String -Width 120 -Stream | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
            }
            $script:r | Format-List | Out-String | Should -Match 'AttachPlace'
        }

        It 'draws what was kept and the peak, in bytes and in allocations' {
            $draw = { param($metric) Get-Content -Raw ($script:r |
                Export-StackProfile -Path (Join-Path $TestDrive "$metric.svg") -Metric $metric -PassThru) }
            $kept = Get-Content -Raw ($script:r | Export-StackProfile -Path (Join-Path $TestDrive 'kept.svg') -PassThru)
            $kept | Should -Be (& $draw 'Leaked')
            $kept | Should -Match '<title>remember\n/srv/troubles\.py:\d+\n[\d.]+ %, [\d.]+ MiB, [\d,]+ allocations'
            $kept | Should -Match 'memory kept'
            & $draw 'HighWatermark' | Should -Match 'memory at its peak'
            & $draw 'LeakedAllocations' | Should -Match 'data-unit="allocations"'
            $result = Get-Failure { $script:r |
                Export-StackProfile -Path (Join-Path $TestDrive 'none.svg') -Metric Cpu }
            $result.First.Exception.Message | Should -Match 'It has Leaked, HighWatermark, LeakedAllocations'
        }

        It 'survives JSON and CLIXML with nothing lost' {
            $draw = { param($object, $name) Get-Content -Raw ($object |
                Export-StackProfile -Path (Join-Path $TestDrive $name) -PassThru) }
            $live = & $draw $script:r 'live.svg'
            $file = Join-Path $TestDrive 'report.xml'
            $script:r | Export-Clixml -LiteralPath $file
            $again = Import-Clixml -LiteralPath $file
            & $draw $again 'clixml.svg' | Should -Be $live
            ($again | Out-String -Width 120) | Should -Be ($script:r | Out-String -Width 120)
            $json = $script:r | ConvertTo-Json -Depth 5 -WarningAction Stop
            & $draw ($json | ConvertFrom-Json) 'json.svg' | Should -Be $live
            ($json | ConvertFrom-Json).Allocations[0].Frames[0].Line |
                Should -Be $script:r.Allocations[0].Frames[0].Line
        }

        It 'keeps the capture on -KeepCapture, for its owner alone, and reads it again in the pod' {
            $path = Join-Path $TestDrive 'capture.bin'
            $kept = $script:session | Get-MemrayReport -DurationSeconds 2 -KeepCapture -Path $path -Confirm:$false
            Assert-Leak $kept 2
            $kept.CapturePath | Should -Be $path
            (Get-Item $path).Length | Should -Be $kept.CaptureBytes
            if (-not $IsWindows) {
                (Get-Item $path).UnixMode | Should -Be '-rw-------'
            }
            $again = $script:session | Get-MemrayReport -CapturePath $path
            $again.LeakedBytes | Should -Be $kept.LeakedBytes
            $again.PeakBytes | Should -Be $kept.PeakBytes
            $again.ProcessId | Should -Be 1
            "$($again.Allocations[0])" | Should -Be "$($kept.Allocations[0])"
            $again.CapturePath | Should -Be $path
            $again | Out-String -Width 120 | Should -Match 'from a capture  process 1'

            $folder = New-Item -ItemType Directory (Join-Path $TestDrive 'captures')
            $named = $script:session |
                Get-MemrayReport -DurationSeconds 1 -KeepCapture -Path $folder.FullName -Confirm:$false
            Split-Path $named.CapturePath | Should -Be $folder.FullName
            Split-Path $named.CapturePath -Leaf |
                Should -Match "^memray-$script:ns-$script:pod-web-1-\d{8}T\d{6}Z\.bin$"
        }

        It 'refuses a capture that is cut, or of something else' {
            $whole = [System.IO.File]::ReadAllBytes((Join-Path $TestDrive 'capture.bin'))
            [System.IO.File]::WriteAllBytes((Join-Path $TestDrive 'cut.bin'), $whole[0..200])
            Set-Content -LiteralPath (Join-Path $TestDrive 'other.bin') -Value 'something else'
            foreach ($name in 'cut.bin', 'other.bin') {
                { $script:session | Get-MemrayReport -CapturePath (Join-Path $TestDrive $name) -ErrorAction Stop } |
                    Should -Throw -ErrorId 'CaptureInvalid*' -Because $name
            }
        }

        It 'tracks in every mode, and says what that costs: <Name>' -ForEach @(
            @{ Name = 'Native'; Arguments = @{ Native = $true }; Cost = '-Native unwinds' }
            @{ Name = 'PythonAllocators'; Arguments = @{ PythonAllocators = $true };
                Cost = '-PythonAllocators tracks every object' }
            @{ Name = 'Aggregate'; Arguments = @{ Aggregate = $true }; Cost = '-Aggregate keeps sums' }
        ) {
            $report = $script:session | Get-MemrayReport -DurationSeconds 2 -Confirm:$false -WarningVariable warned `
                -WarningAction SilentlyContinue @Arguments
            "$warned" | Should -Match $Cost
            $report.Native | Should -Be ($Name -eq 'Native')
            $report.PythonAllocators | Should -Be ($Name -eq 'PythonAllocators')
            $report.Aggregated | Should -Be ($Name -eq 'Aggregate')
            ($report.AllocatedBytes -eq $null) | Should -Be ($Name -eq 'Aggregate')
            $top = $report.Allocations[0]
            $top.Function | Should -Be 'remember'
            $top.FileName | Should -Be '/srv/troubles.py'
            $top.Bytes | Should -BeGreaterThan (20 * 65536)
        }

        It 'ends at -MaximumCaptureBytes, and reports what it has' {
            $pod = New-TestPod $script:ns -Command 'python3', '/srv/app.py' -Arguments 'hot' -ReadyLog 'listens'
            $report = Start-PodDebug $pod -Namespace $script:ns |
                Get-MemrayReport -DurationSeconds 60 -PythonAllocators -MaximumCaptureBytes 1MB -Confirm:$false `
                    -WarningVariable warned -WarningAction SilentlyContinue
            Remove-TestPod $script:ns $pod
            $report.EndReason | Should -Be 'Limit'
            $report.DurationSeconds | Should -BeLessThan 60
            "$warned" | Should -Match 'ended early|reached'
            $report.Warnings | Should -Match '-MaximumCaptureBytes'
        }

        It 'refuses a second report at the same time, and the first goes on' {
            $json = $script:session | ConvertTo-Json -Depth 5 -Compress
            $job = Start-ThreadJob {
                Import-Module $using:script:ModulePath/PyDebug.psd1
                $using:json | ConvertFrom-Json | Get-MemrayReport -DurationSeconds 14 -Confirm:$false
            }
            Wait-Until -What 'the first to track' -Seconds 30 {
                $job.State -ne 'NotStarted' -and
                    ($job.State -ne 'Running' -or $job.Progress.StatusDescription -match 'captured')
            } | Out-Null
            "$($job.Error)" | Should -BeNullOrEmpty
            $result = Get-Failure { $script:session | Get-MemrayReport -DurationSeconds 1 -Confirm:$false }
            Get-ErrorId $result.First | Should -Be 'MemrayBusy'
            $first = $job | Receive-Job -Wait -AutoRemoveJob
            $first.DurationSeconds | Should -BeGreaterThan 13.8
            $first.Allocations[0].Function | Should -Be 'remember'
        }

        It 'leaves the service at work, nothing of ours behind, and nothing stopped' {
            Request-Trouble $script:ns $script:pod '/work?ms=5' | Should -Match 'worked'
            Wait-Until -What 'the agents to end' -Seconds 5 { -not (Get-AgentProcess $script:ns $script:pod) } |
                Should -BeTrue
            Get-PodProcessTable $script:ns $script:pod | Where-Object State -in 'Z', 'T', 't' | Should -BeNullOrEmpty
        }
    }

    Context 'a Python' {
        It 'is not touched with a memray that is not the one of the build' {
            $pod = New-TestPod $script:ns -Image py313 -Command 'python3', '-c', $script:program -ReadyLog 'ready'
            $session = Start-PodDebug $pod -Namespace $script:ns
            # A copy of the module with the payload of another Python in the place of this one's, named as the right
            # one.
            $copy = Join-Path $TestDrive 'PyDebug'
            Copy-Item -Recurse (Get-Module PyDebug).ModuleBase $copy
            $folder = Get-Item "$copy/bin/payload/memray/*/cp313.tar.zlib" |
                Select-Object -First 1 -ExpandProperty DirectoryName
            $other = Get-Item "$folder/runtime.tar.zlib", "$folder/cp311.tar.zlib" -ErrorAction Ignore |
                Select-Object -First 1
            Copy-Item -Force $other "$folder/cp313.tar.zlib"
            $manifest = "$copy/bin/payload/memray/manifest.json"
            $changed = Get-Content -Raw $manifest | ConvertFrom-Json
            $changed.payloads.PSObject.Properties.Value | Where-Object cp313 |
                ForEach-Object { $_.cp313.sha256 = '0' * 64 }
            $changed | ConvertTo-Json -Depth 8 | Set-Content $manifest
            $json = $session | ConvertTo-Json -Depth 5 -Compress
            $said = Invoke-ChildPwsh @"
`$env:KUBECONFIG = '$env:KUBECONFIG'
Import-Module '$copy/PyDebug.psd1'
try { '$json' | ConvertFrom-Json | Get-MemrayReport -DurationSeconds 1 -Confirm:`$false -ErrorAction Stop }
catch { "`$(`$_.FullyQualifiedErrorId) `$_" }
"@
            "$said" | Should -Match 'What came for memray-cp313 has another hash than was announced'
            Get-LoadedMemray $pod | Should -Be 0
            Remove-TestPod $script:ns $pod
        }
    }

    Context 'bad input' {
        BeforeAll {
            $script:idle = New-TestPod $script:ns -Image tools -Command 'sh', '-c',
                'sleep 3600 & exec python3 -c "import time; time.sleep(3600)"'
            $script:session = Start-PodDebug $script:idle -Namespace $script:ns
        }

        It 'is refused before anything is asked: <Name>' -ForEach @(
            @{ Name = 'no duration'; Arguments = @{ DurationSeconds = 0 }; Id = 'ParameterArgumentValidationError' }
            @{ Name = 'too small a capture'; Arguments = @{ MaximumCaptureBytes = 1 };
                Id = 'ParameterArgumentValidationError' }
            @{ Name = 'a depth of none'; Arguments = @{ Depth = 0 }; Id = 'ParameterArgumentValidationError' }
            @{ Name = 'a path for nothing'; Arguments = @{ Path = 'x.bin' }; Id = 'ParameterInvalid' }
            @{ Name = 'a folder that is not there'; Arguments = @{ KeepCapture = $true; Path = '/nowhere/x.bin' };
                Id = 'DestinationInvalid' }
            @{ Name = 'a capture that is not there'; Arguments = @{ CapturePath = '/nowhere/x.bin' };
                Id = 'SourceInvalid' }
            @{ Name = 'a capture and a duration'; Arguments = @{ CapturePath = 'x.bin'; DurationSeconds = 5 };
                Id = 'AmbiguousParameterSet' }
        ) {
            { $script:session | Get-MemrayReport @Arguments -Confirm:$false -ErrorAction Stop } |
                Should -Throw -ErrorId "$Id*"
        }

        It 'a file that exists, with -NoClobber' {
            $path = Join-Path $TestDrive 'there.bin'
            Set-Content -LiteralPath $path -Value 'mine'
            { $script:session | Get-MemrayReport -KeepCapture -Path $path -NoClobber -Confirm:$false } |
                Should -Throw -ErrorId 'DestinationExists*'
            Get-Content -LiteralPath $path | Should -Be 'mine'
        }

        It 'a process that is gone, and one that is no Python' {
            $result = Get-Failure { $script:session |
                Get-MemrayReport -ProcessId 4000 -DurationSeconds 1 -Confirm:$false }
            Get-ErrorId $result.First | Should -Be 'ProcessGone'
            $sleep = (Get-PodProcessTable $script:ns $script:idle | Where-Object Command -match '^sleep').Pid
            $result = Get-Failure { $script:session |
                Get-MemrayReport -ProcessId $sleep -DurationSeconds 1 -Confirm:$false }
            Get-ErrorId $result.First | Should -Be 'NoPython'
        }

        It 'a process that another one traces' {
            $trace = "import ctypes, time; l = ctypes.CDLL(None); l.ptrace(0x4206, 1, None, None); time.sleep(60)"
            Invoke-PodPython $script:ns $script:idle ("import subprocess, sys; subprocess.Popen([sys.executable, " +
                "'-c', '''$trace'''], stdin=-3, stdout=-3, stderr=-3)") | Out-Null
            Wait-Until -What 'the tracer' -Seconds 10 {
                (Invoke-PodPython $script:ns $script:idle ("print([l for l in open('/proc/1/status') if " +
                    "l.startswith('TracerPid')])")) -notmatch 'TracerPid:\\t0'
            } | Out-Null
            $result = Get-Failure { $script:session | Get-MemrayReport -ProcessId 1 -DurationSeconds 1 -Confirm:$false }
            Get-ErrorId $result.First | Should -Be 'ProcessTraced'
            "$($result.First.ErrorDetails.RecommendedAction)" | Should -Match 'nothing was changed'
        }
    }
}

Describe 'Get-MemrayReport, every Python' {
    It 'has its memray: <_>' -ForEach 'py39', 'py311', 'py314', 'py315' {
        if (-not (Test-MemrayPayload $_)) {
            Set-ItResult -Skipped `
                -Because 'this build carries none: no wheel was found (PIP_FIND_LINKS, ../shared/wheelhouse, pip)'
        }
        $pod = New-TestPod $script:ns -Image $_ -Command 'python3', '-c', $script:program -ReadyLog 'ready'
        $report = Start-PodDebug $pod -Namespace $script:ns | Get-MemrayReport -DurationSeconds 2 -Confirm:$false
        Assert-Leak $report 2
        $report.AttachMethod | Should -BeIn 'Thread', 'RemoteDebugging'
        Invoke-TestApi GET "/api/v1/namespaces/$script:ns/pods/$pod/log" -AsText | Should -Not -Match 'WRONG'
        Remove-TestPod $script:ns $pod
    }
}
