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
    Test: these parts alone: Xunit, Browser, Agent, Pester. Bench: this one alone: Stacks, Time, Memray, Heap,
    Stream, Room, Watch, Fleet, Ends or Fuzz.
.PARAMETER Path
    Test: these Pester files alone, by their names.
.PARAMETER Filter
    Test: Pester tests whose full name matches one of these patterns; a semicolon parts them.
.PARAMETER Quick
    Test: what a change is tried with first, in minutes: xunit, the agent's tests that need no containers, and one
    Pester file (Get-PyStack, or those that -Path names).
#>
[CmdletBinding()]
param(
    [ValidateSet('Build', 'Test', 'Demo', 'Bench', 'Package', 'Clean')]
    [string] $Task = 'Build',

    [string[]] $Only = @('Xunit', 'Browser', 'Agent', 'Pester'),

    [string[]] $Path = @(),

    [string] $Filter,

    [switch] $Quick
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'
$env:DOTNET_NOLOGO = '1'
$env:MSBUILDDISABLENODEREUSE = '1'

$Only = $Only -split ','
$Path = $Path -split ','
if ($Quick) {
    $Only = @($Only | Where-Object { $_ -ne 'Browser' })
    $Path = "$Path" ? $Path : @('Get-PyStack')
}
if ([Console]::IsOutputRedirected) {
    $PSStyle.OutputRendering = 'PlainText'
}

$script:Out = Join-Path $PSScriptRoot 'out'
$script:Module = Join-Path $script:Out 'module/PyDebug'
$script:Cache = $env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug'

. (Join-Path $PSScriptRoot 'tests/environment.ps1')
. (Join-Path $PSScriptRoot 'tests/suites.ps1')

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

function Invoke-AptGet {
    # Runs apt-get as root. What it says is shown where it fails, and nothing else.
    param([string[]] $Arguments)
    $env:DEBIAN_FRONTEND = 'noninteractive'
    $said = & apt-get -qq -o Dpkg::Use-Pty=0 @Arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        Write-Host ($said -join "`n")
    }
    return $LASTEXITCODE -eq 0
}

function Update-PackageList {
    # Fetches apt's lists where it has none: without them it knows no package.
    if (-not (& apt-get indextargets 'Created-By: Packages' 2>$null)) {
        $null = Invoke-AptGet 'update'
    }
}

function Install-Missing {
    # Installs Debian packages that bring the commands, where that is allowed; gives the names of those still missing.
    param([System.Collections.IDictionary] $Packages)
    $absent = { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) }
    $missing = @($Packages.Keys | Where-Object $absent)
    if ($missing.Count -eq 0) {
        return @()
    }
    $names = @($missing | ForEach-Object { $Packages[$_] } | Select-Object -Unique)
    if ((id -u) -eq '0' -and (Get-Command apt-get -CommandType Application -ErrorAction Ignore)) {
        Write-Host "Installing $($names -join ', ')"
        Update-PackageList
        $install = @('install', '--yes', '--no-install-recommends') + $names
        # Lists grow old: what they name may have gone from the archive.
        if (-not (Invoke-AptGet $install) -and (Invoke-AptGet 'update')) {
            $null = Invoke-AptGet $install
        }
    }
    return @($missing | Where-Object $absent | ForEach-Object { $Packages[$_] })
}

function Install-ForSandbox {
    # What the sandbox and its images need; gives the names of what is missing. Without buildah, docker or podman the
    # tools image alone is missing, and its tests are skipped.
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
    $make = "Import-Module Microsoft.PowerShell.PlatyPS; Get-ChildItem -Path '$pages/*.md' | " +
        "Import-MarkdownCommandHelp | Export-MamlCommandHelp -OutputFolder '$scratch' -Force"
    $program, $first = Get-PwshCommand
    & $program @first -NoProfile -Command $make | Out-Null
    $made = Join-Path $scratch 'PyDebug/PyDebug.dll-Help.xml'
    if ($LASTEXITCODE -ne 0 -or -not (Test-Path -LiteralPath $made)) {
        throw 'PlatyPS made no MAML from the pages in en-US.'
    }
    Copy-Item -LiteralPath $made -Destination $maml
}

function Update-Payload {
    # Makes the payloads anew. Their manifests, which the assembly takes in, keep their time where they say the same.
    $kept = Join-Path $script:Out 'payload'
    $new = New-Item -ItemType Directory -Force (Join-Path $script:Out 'payload.new')
    & (Join-Path $PSScriptRoot 'src/payload/fetch.ps1') -Destination $new.FullName
    foreach ($manifest in Get-ChildItem -Path $new -Recurse -Filter 'manifest.json') {
        $before = Join-Path $kept ([IO.Path]::GetRelativePath($new.FullName, $manifest.FullName))
        if ((Test-Path -LiteralPath $before) -and
            [IO.File]::ReadAllText($before) -ceq [IO.File]::ReadAllText($manifest.FullName)) {
            $manifest.LastWriteTimeUtc = (Get-Item -LiteralPath $before).LastWriteTimeUtc
        }
    }
    Remove-Item -LiteralPath $kept -Recurse -Force -ErrorAction Ignore
    Move-Item -LiteralPath $new.FullName -Destination $kept
}

function Invoke-Build {
    Update-Maml
    $sources = @('src', 'en-US', 'PyDebug.psd1', 'Directory.Build.props', 'Directory.Packages.props', 'build.ps1') |
        ForEach-Object { Join-Path $PSScriptRoot $_ }
    $stamp = Join-Path $script:Out 'module/built'
    if (-not (Test-Newer $sources $stamp)) {
        return
    }
    Update-Payload
    Invoke-DotNetBuild 'src/compiled/compiled.csproj'
    if (Test-Path -LiteralPath $script:Module) {
        Remove-Item -LiteralPath $script:Module -Recurse -Force
    }
    $dependencies = New-Item -ItemType Directory -Force (Join-Path $script:Module 'bin/dependencies')
    $bin = $dependencies.Parent.FullName
    $built = Join-Path $PSScriptRoot 'src/{0}/bin/Release/net8.0'
    Copy-Item -Path "$($built -f 'PyDebug')/PyDebug.dll" -Destination $bin
    Copy-Item -Path "$($built -f 'PyDebug.Engine')/*.dll" -Destination $dependencies
    Copy-Item -Path (Join-Path $PSScriptRoot 'src/compiled/bin') -Destination (Join-Path $bin 'compiled') -Recurse
    # Each build's loader has a name of its own, which the manifest of the module says.
    $loader = Get-Item "$($built -f 'PyDebug.Loader')/PyDebug.Loader.*.dll"
    Copy-Item -LiteralPath $loader -Destination $bin
    $manifest = Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'PyDebug.psd1')
    $manifest = $manifest.Replace('bin/PyDebug.Loader.dll', "bin/$($loader.Name)")
    Set-Content -LiteralPath (Join-Path $script:Module 'PyDebug.psd1') -Value $manifest -NoNewline
    Copy-Item -Path (Join-Path $PSScriptRoot 'src/PyDebug/*.ps1*') -Destination $script:Module
    $help = New-Item -ItemType Directory -Force (Join-Path $script:Module 'en-US')
    Get-ChildItem -Path (Join-Path $PSScriptRoot 'en-US') -File | Where-Object Extension -in '.txt', '.xml' |
        Copy-Item -Destination $help
    Copy-Item -Path (Join-Path $script:Out 'payload') -Destination (Join-Path $bin 'payload') -Recurse
    Set-Content -LiteralPath $stamp -Value ''
    Write-Host "Built $script:Module"
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
        $parted = 'Stacks', 'Time', 'Memray', 'Heap', 'Stream', 'Room', 'Watch', 'Fleet', 'Ends', 'Pauses', 'Fuzz'
        $some = @($Only | Where-Object { $_ -in $parted })
        $parts = $some ? @('-Only', $some[0]) : @()
        & $program @arguments -NoProfile -NonInteractive -File $bench -Module $script:Module -Report $report @parts |
            Out-Host
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
