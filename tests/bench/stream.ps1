# What comes through an exec stream, and how fast. Dot-sourced by bench.ps1.

$script:CopyGoal = 0.75
$script:ClientGoal = 64
$script:RecoveryGoal = 995
$script:CopyImage = 'tools'

function New-CopySource {
    # A pod whose container has a file of so many megabytes that no compression makes smaller, and a tar for kubectl cp.
    param([string] $Namespace, [int] $Megabytes)
    $name = New-TestPod -Namespace $Namespace -Image $script:CopyImage -Command 'python3', '-c',
        'import signal; signal.pause()'
    $program = @"
import os
with open('/tmp/large', 'wb') as file:
    for _ in range($Megabytes):
        file.write(os.urandom(1 << 20))
"@
    Invoke-PodExec $Namespace $name 'python3', '-c', $program | Out-Null
    return $name
}

function Measure-Client {
    # The most memory of a pwsh that copies the file, over what it has when module and session are there, in MiB.
    param([string] $Namespace, [string] $Pod, [string] $Destination)
    $script = @'
param($Module, $Namespace, $Pod, $Destination)
Import-Module $Module
$session = Start-PodDebug $Pod -Namespace $Namespace
[GC]::Collect(2, 'Forced', $true, $true)
$rest = (Get-Content /proc/self/status | Select-String '^VmRSS:\s+(\d+)').Matches.Groups[1].Value
[IO.File]::WriteAllText('/proc/self/clear_refs', '5')
$session | Copy-PodFile -FromTarget -Path /tmp/large -Destination $Destination | Out-Null
$peak = (Get-Content /proc/self/status | Select-String '^VmHWM:\s+(\d+)').Matches.Groups[1].Value
([long]$peak - [long]$rest) / 1024
'@
    $file = Join-Path ([IO.Path]::GetTempPath()) "$(New-TestName 'client').ps1"
    Set-Content -LiteralPath $file -Value $script
    try {
        $program, $arguments = Get-PwshCommand
        $said = & $program @arguments -NoProfile -NonInteractive -File $file $Module $Namespace $Pod $Destination
        if ($LASTEXITCODE -ne 0) {
            throw "The copy in a process of its own ended with exit code ${LASTEXITCODE}: $said"
        }
        return [double]$said[-1]
    }
    finally {
        Remove-Item -LiteralPath $file
    }
}

function Measure-Copy {
    # A file out of a pod, checked, against kubectl cp from the same server.
    param([int] $Megabytes, [int] $Runs)
    if (-not (Get-Command kubectl -CommandType Application -ErrorAction Ignore)) {
        Write-Warning 'SKIPPED: Copy-PodFile against kubectl cp. Missing: kubectl (1.31 or later, on PATH).'
        return
    }
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    $folder = New-Item -ItemType Directory (Join-Path ([IO.Path]::GetTempPath()) (New-TestName 'copy'))
    try {
        $pod = New-CopySource $namespace $Megabytes
        $session = Start-PodDebug $pod -Namespace $namespace
        $path = Join-Path $folder 'large'
        $ours = { $session | Copy-PodFile -FromTarget -Path /tmp/large -Destination $path }
        $theirs = { Invoke-Kubectl cp --namespace $namespace "${pod}:/tmp/large" $path }
        & $ours | Out-Null
        $hash = (Get-FileHash -LiteralPath $path).Hash
        Compare-Way "A file of $Megabytes MiB" $ours $theirs $Runs $script:CopyGoal -Peer 'kubectl cp'
        & $theirs | Out-Null
        if ((Get-FileHash -LiteralPath $path).Hash -ne $hash) {
            throw 'Copy-PodFile and kubectl cp brought different files.'
        }
        $client = @(for ($run = 0; $run -lt $Runs; $run++) { Measure-Client $namespace $pod $path })
        New-Result "A file of $Megabytes MiB, memory of the client over that at rest" $client 'MiB' $script:ClientGoal
    }
    finally {
        Remove-TestNamespace $namespace
        Remove-Item -LiteralPath $folder -Recurse -Force
    }
}

function Invoke-BenchTest {
    # Builds the xunit tests and runs one class of them; gives whether it passed.
    param([string] $Class, [switch] $Explicit)
    $project = Join-Path (Split-Path $PSScriptRoot) 'PyDebug.Tests'
    # No server is left behind: it would hold our standard output open.
    $fixed = '-c', 'Release', '-m:1', '-nodeReuse:false', '-p:UseSharedCompilation=false', '-v:quiet', '-nologo'
    & dotnet build (Join-Path $project 'PyDebug.Tests.csproj') @fixed | Out-Host
    $which = $Explicit ? @('-explicit', 'only') : @()
    & dotnet (Join-Path $project 'bin/Release/net10.0/PyDebug.Tests.dll') @which -class "PyDebug.Tests.$Class" |
        Out-Host
    return $LASTEXITCODE -eq 0
}

function Measure-Token {
    # Everything that can go wrong in a PowerShell of its own: in how many logs of it, transcripts too, the token is.
    New-Result 'Faults whose id is another, or whose logs have the token' (
        (Invoke-BenchTest 'Module.TokenTests' -Explicit) ? 0 : 1) 'runs' 0
}

function Measure-Fuzz {
    # So many times as many changed inputs as in the suite, for every reader of what comes from outside.
    param([int] $Times)
    $env:PYDEBUG_FUZZ = $Times
    try {
        $passed = Invoke-BenchTest 'Engine.MutationTests'
    }
    finally {
        $env:PYDEBUG_FUZZ = $null
    }
    New-Result "Readers of changed inputs, $Times times those of the suite, that failed" ($passed ? 0 : 1) 'runs' 0
}

function Measure-Transfer {
    # Transfers in number, over connections that a server in this process breaks: how many are taken for whole and are
    # not, and how many come whole through up to five cuts.
    param([int] $Transfers, [int] $Recoveries)
    $counts = Join-Path ([IO.Path]::GetTempPath()) (New-TestName 'counts')
    $env:PYDEBUG_COUNTS, $env:PYDEBUG_TRANSFERS, $env:PYDEBUG_RECOVERIES = $counts, $Transfers, $Recoveries
    try {
        $null = Invoke-BenchTest 'Module.TransferCounts' -Explicit
        $counted = @{}
        Get-Content -LiteralPath $counts | ConvertFrom-Json | ForEach-Object { $counted[$_.name] = $_ }
    }
    finally {
        Remove-Item -LiteralPath $counts -ErrorAction Ignore
        $env:PYDEBUG_COUNTS, $env:PYDEBUG_TRANSFERS, $env:PYDEBUG_RECOVERIES = $null, $null, $null
    }
    New-Result ("$Transfers transfers over faults, silently short or with a wrong exit " +
        "code") $counted.Transfers.wrong 'transfers' 0
    $share = 1000 * $counted.Recoveries.whole / $Recoveries
    New-Result "$Recoveries transfers with up to 5 cuts, whole of 1,000" $share 'transfers' $script:RecoveryGoal `
        -AtLeast
}

function Measure-Stream {
    # $Megabytes: the size of the file that is copied; $Transfers and $Recoveries: how many of each.
    param([int] $Megabytes, [int] $Runs, [int] $Transfers, [int] $Recoveries)
    Measure-Token
    Measure-Transfer $Transfers $Recoveries
    Measure-Copy $Megabytes $Runs
}
