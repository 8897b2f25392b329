#requires -Version 7.4
<#
.SYNOPSIS
    Builds, tests, demonstrates and packages PyDebug.
.DESCRIPTION
    Build    out/module/PyDebug, ready for Import-Module
    Test     the xunit tests, the agent's tests and the Pester tests on a cluster made for them
    Demo     a session on screen, on kind where it is there, else on the sandbox
    Bench    out/bench.json
    Package  out/PyDebug.<version>.nupkg
    Clean    removes what the other tasks made in the checkout
.PARAMETER Only
    Test: these parts alone: Xunit, Browser, Agent, Pester.
.PARAMETER Path
    Test: these Pester files alone, by their names.
.PARAMETER Filter
    Test: Pester tests whose full name matches this pattern.
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Demo', 'Bench', 'Package', 'Clean')]
    [string] $Task = 'Build',

    [string[]] $Only = @('Xunit', 'Browser', 'Agent', 'Pester'),

    [string[]] $Path = @(),

    [string] $Filter
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'
$env:DOTNET_NOLOGO = '1'
$env:MSBUILDDISABLENODEREUSE = '1'

$Only = $Only -split ','
$Path = $Path -split ','
if ([Console]::IsOutputRedirected) {
    $PSStyle.OutputRendering = 'PlainText'
}

$script:Out = Join-Path $PSScriptRoot 'out'
$script:Module = Join-Path $script:Out 'module/PyDebug'
$script:Cache = $env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug'

. (Join-Path $PSScriptRoot 'tests/environment.ps1')

function Invoke-Native {
    # Runs a program and stops the task where it fails.
    param([string] $Program, [string[]] $Arguments)
    & $Program @Arguments | Out-Host
    if ($LASTEXITCODE -ne 0) {
        throw "$Program $($Arguments -join ' ') ended with exit code $LASTEXITCODE."
    }
}

function Invoke-DotNetBuild {
    param([string] $Project, [string[]] $Properties = @())
    # No server is left behind: it would hold our standard output open.
    $fixed = '-c', 'Release', '-m:1', '-nodeReuse:false', '-p:UseSharedCompilation=false', '-v:quiet', '-nologo'
    Invoke-Native dotnet (@('build', (Join-Path $PSScriptRoot $Project)) + $fixed + $Properties)
}

function Test-Newer {
    # Whether anything below the paths changed after the file was written.
    param([string[]] $Sources, [string] $Than)
    if (-not (Test-Path -LiteralPath $Than)) {
        return $true
    }
    $made = (Get-Item -LiteralPath $Than).LastWriteTimeUtc
    $newer = Get-ChildItem -Path $Sources -File -Recurse |
        Where-Object { $_.FullName -notmatch '[\\/](bin|obj|__pycache__)[\\/]' -and $_.LastWriteTimeUtc -gt $made } |
        Select-Object -First 1
    return $null -ne $newer
}

function Install-Missing {
    # Installs Debian packages that bring the commands, where that is allowed; gives the names of those still missing.
    param([System.Collections.IDictionary] $Packages)
    $missing = @($Packages.Keys | Where-Object { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) })
    if ($missing.Count -eq 0) {
        return @()
    }
    $names = @($missing | ForEach-Object { $Packages[$_] } | Select-Object -Unique)
    if ((id -u) -eq '0' -and (Get-Command apt-get -CommandType Application -ErrorAction Ignore)) {
        Write-Host "Installing $($names -join ', ')"
        $env:DEBIAN_FRONTEND = 'noninteractive'
        & apt-get install --yes --no-install-recommends -qq @names | Out-Null
        if ($LASTEXITCODE -ne 0) {
            & apt-get update -qq | Out-Null
            & apt-get install --yes --no-install-recommends -qq @names | Out-Null
        }
    }
    return @($missing | Where-Object { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) } |
        ForEach-Object { $Packages[$_] })
}

function Install-ForSandbox {
    # What the sandbox and its images need; gives the names of what is missing. Without buildah, docker or podman the tools
    # image alone is missing, and its tests are skipped.
    Install-Missing @{ buildah = 'buildah' } | Out-Null
    return Install-Missing $script:SandboxPackages
}

function Update-Maml {
    # The MAML is kept in the repository; where PlatyPS is found it is made anew from the pages.
    $pages = Join-Path $PSScriptRoot 'en-US'
    $maml = Join-Path $pages 'PyDebug.dll-Help.xml'
    if (-not (Test-Newer @((Join-Path $pages '*.md')) $maml) -or
        -not (Get-Module -ListAvailable Microsoft.PowerShell.PlatyPS)) {
        return
    }
    $scratch = Join-Path $script:Out 'maml'
    # PlatyPS brings a YamlDotNet of its own, which must not stay in this process.
    $make = "Import-Module Microsoft.PowerShell.PlatyPS; Get-ChildItem -Path '$pages/*.md' | Import-MarkdownCommandHelp | " +
        "Export-MamlCommandHelp -OutputFolder '$scratch' -Force"
    $program, $first = Get-PwshCommand
    & $program @first -NoProfile -Command $make | Out-Null
    $made = Join-Path $scratch 'PyDebug/PyDebug.dll-Help.xml'
    if ($LASTEXITCODE -ne 0 -or -not (Test-Path -LiteralPath $made)) {
        throw 'PlatyPS made no MAML from the pages in en-US.'
    }
    Copy-Item -LiteralPath $made -Destination $maml
}

function Invoke-Build {
    Update-Maml
    $sources = @('src', 'en-US', 'PyDebug.psd1', 'Directory.Build.props', 'Directory.Packages.props', 'build.ps1') |
        ForEach-Object { Join-Path $PSScriptRoot $_ }
    $stamp = Join-Path $script:Out 'module/built'
    if (-not (Test-Newer $sources $stamp)) {
        return
    }
    Invoke-DotNetBuild 'src/PyDebug/PyDebug.csproj' '-p:CopyLocalLockFileAssemblies=true'
    if (Test-Path -LiteralPath $script:Module) {
        Remove-Item -LiteralPath $script:Module -Recurse -Force
    }
    $dependencies = New-Item -ItemType Directory -Force (Join-Path $script:Module 'bin/dependencies')
    $bin = $dependencies.Parent.FullName
    $built = Join-Path $PSScriptRoot 'src/{0}/bin/Release/net8.0'
    Copy-Item -Path "$($built -f 'PyDebug')/PyDebug.dll" -Destination $bin
    Copy-Item -Path "$($built -f 'PyDebug.Engine')/*.dll" -Destination $dependencies
    Copy-Item -Path (Join-Path $PSScriptRoot 'PyDebug.psd1') -Destination $script:Module
    Copy-Item -Path (Join-Path $PSScriptRoot 'src/PyDebug/*.ps1xml') -Destination $script:Module
    Copy-Item -Path (Join-Path $PSScriptRoot 'src/agent') -Destination (Join-Path $bin 'agent') -Recurse
    Get-ChildItem -Path (Join-Path $bin 'agent') -Directory -Recurse -Filter '__pycache__' | Remove-Item -Recurse -Force
    $help = New-Item -ItemType Directory -Force (Join-Path $script:Module 'en-US')
    Get-ChildItem -Path (Join-Path $PSScriptRoot 'en-US') -File | Where-Object Extension -in '.txt', '.xml' |
        Copy-Item -Destination $help
    $payload = New-Item -ItemType Directory -Force (Join-Path $bin 'payload')
    $fetch = Join-Path $PSScriptRoot 'src/payload/fetch.ps1'
    if (Test-Path -LiteralPath $fetch) {
        & $fetch -Destination $payload.FullName
    }
    Set-Content -LiteralPath $stamp -Value ''
    Write-Host "Built $script:Module"
}

function Invoke-XunitProject {
    # Builds a test project, runs it and counts.
    param([string] $Name)
    Invoke-DotNetBuild "tests/$Name/$Name.csproj"
    $report = Join-Path $script:Out "$Name.xml"
    Remove-Item -LiteralPath $report -ErrorAction Ignore
    $tests = Join-Path $PSScriptRoot "tests/$Name/bin/Release/net10.0/$Name.dll"
    & dotnet $tests -noColor -noLogo -result-xml $report | Out-Host
    $code = $LASTEXITCODE
    $total = New-Total
    if (Test-Path -LiteralPath $report) {
        foreach ($assembly in ([xml](Get-Content -LiteralPath $report -Raw)).assemblies.assembly) {
            $total.Passed += [int]$assembly.passed
            $total.Failed += [int]$assembly.failed + [int]$assembly.errors
            $total.Skipped += [int]$assembly.skipped
        }
    }
    return Confirm-Total $total $code $Name
}

function Invoke-XunitTest {
    return Invoke-XunitProject 'PyDebug.Tests'
}

function Invoke-BrowserTest {
    if ($missing = @(Install-Missing @{ chromium = 'chromium' })) {
        Write-Warning "The pictures are not looked at in a browser. Missing: $($missing -join ', ')."
    }
    return Invoke-XunitProject 'PyDebug.Browser'
}

function Invoke-AgentTest {
    $total = New-Total
    if (Install-Missing @{ python3 = 'python3' }) {
        Write-Warning 'The agent''s tests are skipped. Missing: python3.'
        $total.Skipped++
        return $total
    }
    if ((id -u) -eq '0' -and -not (Install-ForSandbox)) {
        # The reader is held to the Pythons in the test images.
        $null = New-TestImage
    }
    $modules = Get-ChildItem -Path (Join-Path $PSScriptRoot 'tests/agent/test_*.py') |
        ForEach-Object { "tests.agent.$($_.BaseName)" }
    # Those that wait more than they measure run side by side, those that measure time by themselves. The cluster's are
    # about what the one-node cluster is made with.
    $parts = [ordered]@{ reader = 'reader'; injection = 'inject|memray'; time = 'time|timing'; runtime = '' }
    $groups = $modules | Group-Object {
        $module = $_
        $parts.Keys.Where({ $module -match "\.test_($($parts[$_]))" }, 'First', 1)[0]
    } -AsHashTable -AsString
    foreach ($round in @('injection'), @('reader', 'runtime', 'cluster'), @('time')) {
        $started = @($round | ForEach-Object {
                Start-Unittest $_ ($_ -eq 'cluster' ? @('discover', '-s', 'tests/cluster') : $groups[$_])
            })
        foreach ($part in $started | ForEach-Object { Complete-Unittest $_ }) {
            foreach ($name in 'Passed', 'Failed', 'Skipped') {
                $total.$name += $part.$name
            }
        }
    }
    return $total
}

function Start-Unittest {
    # Starts Python's unittest; what it prints goes to a file.
    param([string] $Name, [string[]] $Arguments)
    $log = Join-Path $script:Out "unittest-$Name.log"
    $start = [System.Diagnostics.ProcessStartInfo]::new('/bin/sh')
    @('-c', 'log=$1; shift; exec "$@" >"$log" 2>&1', 'sh', $log, 'python3', '-B', '-m', 'tests.unittests') + $Arguments |
        ForEach-Object { $start.ArgumentList.Add($_) }
    $start.WorkingDirectory = $PSScriptRoot
    return [pscustomobject]@{ Process = [System.Diagnostics.Process]::Start($start); Log = $log }
}

function Complete-Unittest {
    # Waits for a run, shows what it printed, and counts by its closing lines. One that does not end has failed.
    param([psobject] $Run)
    if (-not $Run.Process.WaitForExit([TimeSpan]::FromMinutes(15))) {
        $Run.Process.Kill($true)
        $Run.Process.WaitForExit()
        Add-Content -LiteralPath $Run.Log -Value "`nIt did not end in 15 minutes."
    }
    $text = Get-Content -Raw -LiteralPath $Run.Log
    Write-Host $text
    $total = New-Total
    $ran = $text -match '(?m)^Ran (\d+) tests? in' ? [int]$Matches[1] : 0
    foreach ($word in 'failures', 'errors', 'unexpected successes') {
        $total.Failed += $text -match "(?m)^FAILED \(.*\b$word=(\d+)" ? [int]$Matches[1] : 0
    }
    $total.Skipped = $text -match '(?m)^(?:OK|FAILED) \(.*\bskipped=(\d+)' ? [int]$Matches[1] : 0
    $total.Passed = [Math]::Max(0, $ran - $total.Failed - $total.Skipped)
    return Confirm-Total $total $Run.Process.ExitCode 'unittest'
}

function Invoke-PesterTest {
    $total = New-Total
    $missing = @()
    if (-not $env:PYDEBUG_TEST_KUBECONFIG) {
        $missing = Install-ForSandbox
        if ((id -u) -ne '0') {
            $missing += 'root'
        }
    }
    if ($missing) {
        Write-Warning "The Pester tests are skipped. Missing: $($missing -join ', ')."
        $total.Skipped++
        return $total
    }
    $packages = Join-Path $script:Out 'packages'
    $project = Join-Path $PSScriptRoot '.config/Pester.csproj'
    Invoke-Native dotnet @('restore', $project, '--packages', $packages, '-v:quiet')
    $cluster = $null
    try {
        if (-not $env:PYDEBUG_TEST_KUBECONFIG) {
            $cluster = Start-TestCluster
            $env:PYDEBUG_TEST_KUBECONFIG = $cluster.Kubeconfig
            $env:PYDEBUG_TEST_KIND = $cluster.Kind
        }
        $env:PYDEBUG_MODULE = $env:PYDEBUG_MODULE ? $env:PYDEBUG_MODULE : $script:Module
        $report = Join-Path $script:Out 'pester.json'
        Remove-Item -LiteralPath $report -ErrorAction Ignore
        $runner = Join-Path $PSScriptRoot 'tests/run.ps1'
        $run = @('-NoProfile', '-NonInteractive', '-File', $runner, '-Report', $report)
        if ("$Path") {
            $run += '-Names', ($Path -join ',')
        }
        if ($Filter) {
            $run += '-Filter', $Filter
        }
        $program, $arguments = Get-PwshCommand
        & $program @arguments @run | Out-Host
        $code = $LASTEXITCODE
        if (Test-Path -LiteralPath $report) {
            $total = Get-Content -LiteralPath $report -Raw | ConvertFrom-Json
        }
        return Confirm-Total $total $code 'Pester'
    }
    finally {
        if ($cluster) {
            Stop-TestCluster $cluster
            $env:PYDEBUG_TEST_KUBECONFIG = $null
        }
    }
}

function New-Total {
    return [pscustomobject]@{ Passed = 0; Failed = 0; Skipped = 0 }
}

function Confirm-Total {
    # A runner that failed or ran nothing has failed, whatever it counted.
    param([psobject] $Total, [int] $Code, [string] $Runner)
    if (($Code -ne 0 -and $Total.Failed -eq 0) -or $Total.Passed + $Total.Failed + $Total.Skipped -eq 0) {
        Write-Host "$Runner ended with exit code $Code and counted $($Total.Passed) passed, $($Total.Failed) failed."
        $Total.Failed++
    }
    return $Total
}

function Invoke-Test {
    Invoke-Build
    $totals = [ordered]@{}
    foreach ($part in 'Xunit', 'Browser', 'Agent', 'Pester') {
        if ($part -in $Only) {
            Write-Host "== $part"
            try {
                $totals[$part] = & "Invoke-${part}Test"
            }
            catch {
                Write-Host "$_`n$($_.ScriptStackTrace)"
                $totals[$part] = Confirm-Total (New-Total) 1 $part
            }
        }
    }
    foreach ($part in $totals.Keys) {
        $counted = $totals[$part]
        Write-Host ('{0,-7} {1} passed, {2} failed, {3} skipped' -f
            $part, $counted.Passed, $counted.Failed, $counted.Skipped)
    }
    $sum = New-Total
    foreach ($name in 'Passed', 'Failed', 'Skipped') {
        $sum.$name = ($totals.Values | Measure-Object -Property $name -Sum).Sum
    }
    Write-Host "$($sum.Passed) passed, $($sum.Failed) failed, $($sum.Skipped) skipped"
    return $sum.Failed -eq 0 ? 0 : 1
}

function Invoke-Demo {
    Invoke-Build
    $missing = @(Install-ForSandbox)
    if ($missing) {
        throw "Missing Debian packages: $($missing -join ', '). As root they are installed by this task."
    }
    $cluster = Start-TestCluster -Kind
    try {
        $program, $arguments = Get-PwshCommand
        $env:KUBECONFIG = $cluster.Kubeconfig
        $demo = Join-Path $PSScriptRoot 'examples/demo.ps1'
        & $program @arguments -NoProfile -NonInteractive -File $demo -Module $script:Module | Out-Host
        return $LASTEXITCODE
    }
    finally {
        Stop-TestCluster $cluster
    }
}

function Invoke-Bench {
    Invoke-Build
    $bench = Join-Path $PSScriptRoot 'tests/bench/bench.ps1'
    if (-not (Test-Path -LiteralPath $bench)) {
        throw 'There are no benchmarks in tests/bench.'
    }
    $cluster = $null
    try {
        if (-not $env:PYDEBUG_TEST_KUBECONFIG) {
            $cluster = Start-TestCluster
            $env:PYDEBUG_TEST_KUBECONFIG = $cluster.Kubeconfig
            $env:PYDEBUG_TEST_KIND = $cluster.Kind
        }
        $program, $arguments = Get-PwshCommand
        $report = Join-Path $script:Out 'bench.json'
        & $program @arguments -NoProfile -NonInteractive -File $bench -Module $script:Module -Report $report | Out-Host
        return $LASTEXITCODE
    }
    finally {
        if ($cluster) {
            Stop-TestCluster $cluster
        }
    }
}

function Invoke-Package {
    Invoke-Build
    Get-ChildItem -Path $script:Out -Filter 'PyDebug.*.nupkg' | Remove-Item
    Compress-PSResource -Path $script:Module -DestinationPath $script:Out
    Get-ChildItem -Path $script:Out -Filter 'PyDebug.*.nupkg' | ForEach-Object { Write-Host "Packed $($_.FullName)" }
}

function Invoke-Clean {
    Get-ChildItem -Path $PSScriptRoot -Directory -Recurse -Force |
        Where-Object { $_.Name -in 'bin', 'obj', '__pycache__' -and $_.FullName -notmatch '[\\/]\.git[\\/]' } |
        Remove-Item -Recurse -Force -ErrorAction Ignore
    Remove-Item -LiteralPath $script:Out -Recurse -Force -ErrorAction Ignore
}

New-Item -ItemType Directory -Force $script:Out | Out-Null
$code = & "Invoke-$Task"
exit ($code -is [int] ? $code : 0)
