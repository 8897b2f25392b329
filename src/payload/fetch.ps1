#requires -Version 7.4
<#
.SYNOPSIS
    Takes py-spy out of its published wheels into the module's payload folder.
.DESCRIPTION
    A wheel comes from a folder in PIP_FIND_LINKS, from ../shared/wheelhouse beside the checkout, or from the index that
    this machine's pip is configured for, and must have the SHA-256 of py-spy.psd1. Where no wheel is to be had there
    is a warning and no payload: Invoke-PySpy then says so.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)]
    [string] $Destination
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false

$root = Split-Path (Split-Path $PSScriptRoot)
$recipe = Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'py-spy.psd1')
$cache = Join-Path $root 'out/wheels'

function Get-WheelFolder {
    foreach ($link in "$env:PIP_FIND_LINKS" -split '\s+' -ne '') {
        $link -replace '^file://', ''
    }
    Join-Path (Split-Path $root) 'shared/wheelhouse'
    $cache
}

function Test-Wheel([string] $Path, [string] $Sha256) {
    if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) {
        return $false
    }
    if ((Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash -eq $Sha256) {
        return $true
    }
    Write-Warning "'$Path' has another hash than the recipe asks for; it is not used."
    return $false
}

function Get-Pip {
    foreach ($candidate in @(, @('pip3')), @(, @('pip')), @(, @('python3', '-m', 'pip'))) {
        $command = @($candidate[0])
        if (Get-Command $command[0] -CommandType Application -ErrorAction Ignore) {
            $arguments = @($command | Select-Object -Skip 1) + '--version'
            & $command[0] @arguments *> $null
            if ($LASTEXITCODE -eq 0) {
                return , $command
            }
        }
    }
}

function Receive-Wheel([hashtable] $Wheel) {
    # Asks the index. A machine that reaches none fails within seconds.
    $pip = Get-Pip
    if (-not $pip) {
        return
    }
    $arguments = @($pip | Select-Object -Skip 1) + 'download', "$($recipe.Name)==$($recipe.Version)", '--no-deps', '--only-binary=:all:',
        '--disable-pip-version-check', '--quiet', '--timeout', '10', '--retries', '1', '--dest', $cache
    foreach ($platform in $Wheel.Platform) {
        $arguments += '--platform', $platform
    }
    $said = & $pip[0] @arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        Write-Verbose ($said -join "`n")
    }
}

function Find-Wheel([hashtable] $Wheel) {
    foreach ($attempt in 'folders', 'index') {
        if ($attempt -eq 'index') {
            Receive-Wheel $Wheel
        }
        foreach ($folder in Get-WheelFolder) {
            $path = Join-Path $folder $Wheel.File
            if (Test-Wheel $path $Wheel.Sha256) {
                return $path
            }
        }
    }
}

$target = Join-Path $Destination $recipe.Name
$hashes = [ordered]@{}
foreach ($machine in $recipe.Wheels.Keys | Sort-Object) {
    $path = Find-Wheel $recipe.Wheels[$machine]
    if (-not $path) {
        Write-Warning "No wheel of $($recipe.Name) $($recipe.Version) for $machine was found: Invoke-PySpy will not run there."
        continue
    }
    $folder = New-Item -ItemType Directory -Force (Join-Path $target $machine)
    $binary = Join-Path $folder $recipe.Name
    $zip = [IO.Compression.ZipFile]::OpenRead($path)
    try {
        [IO.Compression.ZipFileExtensions]::ExtractToFile($zip.GetEntry($recipe.Member), $binary, $true)
    }
    finally {
        $zip.Dispose()
    }
    $hashes[$machine] = (Get-FileHash -LiteralPath $binary -Algorithm SHA256).Hash.ToLowerInvariant()
}
if ($hashes.Count -gt 0) {
    [ordered]@{ version = $recipe.Version; license = $recipe.License; sha256 = $hashes } |
        ConvertTo-Json | Set-Content -LiteralPath (Join-Path $target 'manifest.json')
}
