# The demonstration: what a user types, with its real output. Started by build.ps1 -Task Demo on a cluster made for it.
param([Parameter(Mandatory)] [string] $Module)

$env:PYDEBUG_MODULE = $Module
$env:PYDEBUG_TEST_KUBECONFIG = $env:KUBECONFIG
. (Join-Path (Split-Path $PSScriptRoot) 'tests/common.ps1')
. (Join-Path (Split-Path $PSScriptRoot) 'tests/manifests.ps1')
Set-StrictMode -Off

$script:failures = 0

function Show-Step {
    # Echoes the command as typed at a prompt, then runs it: dot-sourced, in the script's own scope.
    # -Fails: an error is what it is there to show.
    param([string] $Text, [scriptblock] $Step, [switch] $Fails)
    if ($Text) {
        Write-Host "`n# $Text"
    }
    $lines = @($Step.ToString().TrimEnd() -split "`r?`n" | Where-Object { $_.Trim() })
    $margin = [regex]::Match($lines[0], '^ *').Length
    $lines = @($lines | ForEach-Object { $_.Substring([Math]::Min($margin, $_.Length)) })
    Write-Host "PS> $($lines[0])"
    $lines | Select-Object -Skip 1 | ForEach-Object { Write-Host ">>> $_" }
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    $ErrorActionPreference = 'Continue'
    $errors = 0
    # Made anew from its text, so that an error looks as at a prompt.
    . ([scriptblock]::Create($lines -join "`n")) *>&1 | ForEach-Object {
        if ($_ -is [System.Management.Automation.ErrorRecord]) {
            $errors++
        }
        $_ -is [System.Management.Automation.WarningRecord] ? "WARNING: $_" : $_
    } | Out-String -Width 120 -Stream | ForEach-Object { Write-Host $_.TrimEnd() }
    if ($Fails -ne ($errors -gt 0)) {
        $script:failures++
        Write-Host 'This step did not do what it is there to show.'
    }
    Write-Host ('({0:0.0} s)' -f $watch.Elapsed.TotalSeconds)
}

Write-Host 'Making the pods of examples/badapp'
foreach ($name in 'bad-app', 'bad-app-restricted', 'namespace-shop', 'backend', 'async') {
    New-ManifestObject (Join-Path $PSScriptRoot "badapp/$name.yaml")
}
Wait-TestPod default bad-app
Wait-TestPod default bad-app-restricted
Wait-TestPod shop backend-689b8cc9-9572s
Wait-TestPod default async-app

try {
    . Show-Step 'From a pod''s name to its stacks: nothing is built, pulled or restarted' {
        Start-PodDebug bad-app | Get-PyStack
    }
    . Show-Step 'The second time the container is there already' {
        Start-PodDebug bad-app
    }
    . Show-Step 'Records, not text' {
        $stacks = Start-PodDebug bad-app | Get-PyStack
    }
    . Show-Step '' {
        $stacks | Where-Object Name -like 'lock*' |
            Select-Object Name, State, WaitsFor, @{ n = 'At'; e = { "$($_.Frames[0])" } }
    }
    . Show-Step '' {
        "$($stacks | Where-Object Name -eq 'reader')"
    }
    . Show-Step 'A pod of three containers: the error says what to do' -Fails {
        Start-PodDebug backend-689b8cc9-9572s -Namespace shop
    }
    . Show-Step 'The processes of uwsgi, and the stacks of its workers' {
        Start-PodDebug -Namespace shop -PodName backend-689b8cc9-9572s -ContainerName uwsgi | Get-PyProcess
    }
    . Show-Step '' {
        Start-PodDebug -Namespace shop -PodName backend-689b8cc9-9572s -ContainerName uwsgi |
            Get-PyProcess | Where-Object Role -eq Worker | Get-PyStack
    }
    if (Get-Command Get-PyTask -ErrorAction Ignore) {
        . Show-Step 'What an asyncio service waits for' {
            Start-PodDebug async-app | Get-PyTask
        }
    }
    $null = New-Item -ItemType Directory -Force (Join-Path $PSScriptRoot '../out')
    Push-Location (Join-Path $PSScriptRoot '../out')
    . Show-Step 'Where all of the time goes, with nothing stopped' {
        Start-PodDebug bad-app -For Time | Get-PyProcess | Measure-PyTime -DurationSeconds 10 | Tee-Object -Variable t
    }
    . Show-Step 'Which lines wait for the GIL' {
        $t.Waits | Where-Object Reason -eq Gil | Sort-Object Seconds -Descending | Select-Object -First 3
    }
    . Show-Step 'The same as a picture, coloured by reason' {
        $t | Export-StackProfile -Path wall.svg -Force -PassThru | Select-Object Name, Length
    }
    . Show-Step 'Without any privilege: the memory sampler, which says so' {
        Start-PodDebug bad-app-restricted -SecurityProfile Restricted | Measure-PyTime -DurationSeconds 5
    }
    Pop-Location
    $pySpy = Get-ChildItem -Path (Join-Path $Module 'bin/payload') -Recurse -File -Filter 'py-spy'
    if ($pySpy) {
        . Show-Step 'The stacks as py-spy sees them' {
            Start-PodDebug bad-app | Invoke-PySpy
        }
        Push-Location (Join-Path $PSScriptRoot '../out')
        . Show-Step 'Where the workers spend their time, as a picture' {
            Start-PodDebug -Namespace shop -PodName backend-689b8cc9-9572s -ContainerName uwsgi |
                Get-PyProcess | Where-Object Role -eq Worker |
                Invoke-PySpy -Record -DurationSeconds 5 -IncludeIdle | Tee-Object -Variable p
        }
        . Show-Step '' {
            $p | Export-StackProfile -Path flame.svg -Force -PassThru | Select-Object Name, Length
        }
        Pop-Location
    }
    else {
        Write-Host "`n# SKIPPED: py-spy. No wheel of it was found when the module was built."
    }
    $cache = $env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug'
    if ((Test-Path -LiteralPath (Join-Path $cache 'images/debug-tools/config.json')) -and
        (Test-Path /sys/kernel/btf/vmlinux)) {
        . Show-Step 'What the kernel sees of it, from a tools image' {
            $s = Start-PodDebug bad-app -For Bpftrace -Image pydebug.test/debug-tools:1
            $s | Invoke-Bpftrace -Script SyscallTime -DurationSeconds 3 |
                Sort-Object Total -Descending | Select-Object -First 4
        }
        . Show-Step '' {
            $s | Invoke-Bpftrace -DurationSeconds 3 -Program 'profile:hz:99 { @samples[comm, tid] = count(); }'
        }
        Push-Location (Join-Path $PSScriptRoot '../out')
        . Show-Step 'Which Python code is at a probe, and what that cost' {
            $s | Get-PyProcess |
                Invoke-Bpftrace -Program 'tracepoint:syscalls:sys_enter_futex { @[pystack] = count(); }' `
                    -DurationSeconds 3 |
                Tee-Object -Variable futexes | Sort-Object Value -Descending | Select-Object -First 3
        }
        . Show-Step '' {
            $futexes[0].Cost
        }
        . Show-Step '' {
            $futexes | Export-StackProfile -Path futexes.svg -Force -PassThru | Select-Object Name, Length
        }
        Pop-Location
    }
    else {
        Write-Host "`n# SKIPPED: bpftrace. The tools image was not made here, or this kernel has no BTF."
    }
    $null = New-TestPod default -Name bad-app-leak -Command 'python3', '/srv/app.py' -Arguments 'leak', 'sleepers'
    Push-Location (Join-Path $PSScriptRoot '../out')
    . Show-Step 'What fills the memory, what grows, and who holds it, with nothing held and nothing injected' {
        Start-PodDebug bad-app-leak -For Heap | Get-PyProcess | Get-PyHeap -DurationSeconds 6 | Tee-Object -Variable h
    }
    . Show-Step 'What became of it meanwhile' {
        Compare-PyHeap $h (Start-PodDebug bad-app-leak | Get-PyHeap) | Select-Object -First 5
    }
    . Show-Step 'Bytes by who holds them, as a picture' {
        $h | Export-StackProfile -Path held.svg -Force -PassThru | Select-Object Name, Length
    }
    Pop-Location
    if (Get-ChildItem -Path (Join-Path $Module 'bin/payload') -Recurse -File -Filter 'cp313.tar.zlib') {
        New-ManifestObject (Join-Path $PSScriptRoot 'badapp/bad-app-limit.yaml')
        Wait-TestPod default bad-app-limit
        . Show-Step 'Where the memory goes, in a process without memray: what would be done to it' {
            Start-PodDebug bad-app-limit | Get-PyProcess | Get-MemrayReport -DurationSeconds 8 -WhatIf
        }
        Push-Location (Join-Path $PSScriptRoot '../out')
        . Show-Step 'Who keeps what, and how long until the limit' {
            $r = Start-PodDebug bad-app-limit | Get-PyProcess | Get-MemrayReport -DurationSeconds 8 -Confirm:$false; $r
        }
        . Show-Step 'The same as a picture, in bytes' {
            $r | Export-StackProfile -Path leaks.svg -Force -PassThru | Select-Object Name, Length
        }
        Pop-Location
        Wait-Until -What 'the end at the limit' -Seconds 120 {
            Get-PodDebug bad-app-limit | Where-Object { $_.State -eq 'Terminated' -and $_.TargetLastEndReason }
        } | Out-Null
        . Show-Step 'The limit bites, and what happened is there to be read' {
            Get-PodDebug bad-app-limit
        }
        Wait-Until -What 'the container to run again' -Seconds 120 {
            (Get-TestPod default bad-app-limit).status.containerStatuses[0].state.PSObject.Properties['running']
        } | Out-Null
        . Show-Step 'The next report says it, too, and what the last one knew' {
            Start-PodDebug bad-app-limit | Get-MemrayReport -DurationSeconds 3 -Confirm:$false
        }
    }
    else {
        Write-Host "`n# SKIPPED: memray. None for the application's Python, 3.13, was found when the module was built."
    }
    . Show-Step 'What was started, and its end' {
        Get-PodDebug -AllNamespaces
    }
    . Show-Step '' {
        Get-PodDebug -AllNamespaces | Stop-PodDebug -PassThru
    }
}
finally {
    Remove-TestPod default bad-app
    Remove-TestPod default bad-app-restricted
    Remove-TestPod default bad-app-leak
    Remove-TestPod default bad-app-limit
    Remove-TestPod default async-app
    Remove-TestNamespace shop
}
if ($script:failures) {
    Write-Host "`n$($script:failures) steps failed."
}
exit ($script:failures ? 1 : 0)
