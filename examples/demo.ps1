# The demonstration: what a user types, with its real output. Started by build.ps1 -Task Demo on a cluster made for it.
param([Parameter(Mandatory)] [string] $Module)

$env:PYDEBUG_MODULE = $Module
$env:PYDEBUG_TEST_KUBECONFIG = $env:KUBECONFIG
. (Join-Path (Split-Path $PSScriptRoot) 'tests/common.ps1')
. (Join-Path (Split-Path $PSScriptRoot) 'tests/manifests.ps1')
Set-StrictMode -Off

$script:failures = 0

function Show-Step {
    # Echoes the lines as typed at a prompt, then runs them in the caller's scope.
    param([string] $Text, [scriptblock] $Step)
    Write-Host "`n# $Text"
    $first = $true
    foreach ($line in $Step.ToString().Trim("`r", "`n") -split "`n") {
        Write-Host ('{0} {1}' -f ($first ? 'PS>' : '>>>'), ($line -replace '^ {4}', ''))
        $first = $false
    }
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    try {
        # Errors are part of what is shown, where the step is there to show one.
        . $Step *>&1 | Out-String -Width 120 -Stream | ForEach-Object { Write-Host $_.TrimEnd() }
    }
    catch {
        $script:failures++
        Write-Host "The step failed: $_"
    }
    Write-Host ('({0:0.0} s)' -f $watch.Elapsed.TotalSeconds)
}

Write-Host 'Making the pods of examples/badapp'
foreach ($name in 'bad-app', 'namespace-shop', 'backend', 'async') {
    New-ManifestObject (Join-Path $PSScriptRoot "badapp/$name.yaml")
}
Wait-TestPod default bad-app
Wait-TestPod shop backend-689b8cc9-9572s
Wait-TestPod default async-app

try {
    Show-Step 'From a pod''s name to its stacks: nothing is built, pulled or restarted' {
        Start-PodDebug bad-app | Get-PyStack
    }
    Show-Step 'The second time the container is there already' {
        Start-PodDebug bad-app
    }
    Show-Step 'Records, not text' {
        $stacks = Start-PodDebug bad-app | Get-PyStack
        $stacks | Where-Object WaitsFor -like '*lock*' | Select-Object Name, State, WaitsFor, @{ n = 'At'; e = { "$($_.Frames[0])" } }
        "$($stacks | Where-Object Name -eq 'reader')"
    }
    Show-Step 'A pod of three containers: the error says what to do' {
        Start-PodDebug backend-689b8cc9-9572s -Namespace shop
    }
    Show-Step 'uwsgi''s workers' {
        Start-PodDebug -Namespace shop -PodName backend-689b8cc9-9572s -ContainerName uwsgi |
            Get-PyProcess | Tee-Object -Variable processes
        $processes | Where-Object Role -eq Worker | Get-PyStack
    }
    if (Get-Command Get-PyTask -ErrorAction Ignore) {
        Show-Step 'What an asyncio service waits for' {
            Start-PodDebug async-app | Get-PyTask
        }
    }
    Show-Step 'What was started, and its end' {
        Get-PodDebug -AllNamespaces
        Get-PodDebug -AllNamespaces | Stop-PodDebug -PassThru
    }
}
finally {
    Remove-TestPod default bad-app
    Remove-TestPod default async-app
    Remove-TestNamespace shop
}
if ($script:failures) {
    Write-Host "`n$($script:failures) steps failed."
}
exit ($script:failures ? 1 : 0)
