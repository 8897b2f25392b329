#requires -Version 7.4
<#
.SYNOPSIS
    Takes py-spy and lean payloads of memray out of their published wheels into the module's payload folder.
.DESCRIPTION
    A wheel comes from a folder in PIP_FIND_LINKS, from ../shared/wheelhouse beside the checkout, or from the index that
    this machine's pip is configured for, and must have the SHA-256 of its recipe. Where no wheel is to be had, Debian's
    own memray serves the CPython it was built for, marked as unproven; for the others there is a warning and no
    payload: the cmdlet that needs it then says so.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)]
    [string] $Destination
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $false

. (Join-Path $PSScriptRoot 'sources.ps1')

function New-PySpyPayload {
    $recipe = Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'py-spy.psd1')
    $target = Join-Path $Destination $recipe.Name
    $hashes = [ordered]@{}
    foreach ($machine in $recipe.Wheels.Keys | Sort-Object) {
        $wheel = $recipe.Wheels[$machine]
        $path = Find-Source $wheel.File $wheel.Sha256 {
            Receive-Wheel $recipe.Name $recipe.Version ($wheel.Platform | ForEach-Object { '--platform', $_ })
        }
        if (-not $path) {
            Write-Warning ("No wheel of $($recipe.Name) $($recipe.Version) for $machine was found: " +
                'Invoke-PySpy will not run there.')
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
}

function Invoke-Make([string[]] $Arguments, [string] $Out) {
    # Runs the program that makes payloads; gives what it says of the one it made.
    $said = & python3 -I -B (Join-Path $PSScriptRoot 'lean/make.py') @Arguments $Out
    if ($LASTEXITCODE -ne 0) {
        throw "No payload could be made of $($Arguments[1])."
    }
    return $said | ConvertFrom-Json -AsHashtable
}

function Find-Package([hashtable[]] $Packages) {
    # The Debian packages, all of them or none.
    $found = foreach ($package in $Packages) {
        $path = Find-Source $package.File $package.Sha256 {
            Receive-DebianFile $package.Path $package.File $package.Sha256
        }
        if (-not $path) {
            return
        }
        $path
    }
    return $found
}

function New-MemrayPayload {
    $recipe = Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'memray.psd1')
    if (-not (Get-Command python3 -CommandType Application -ErrorAction Ignore)) {
        Write-Warning 'python3 is missing, which makes the payloads of memray: Get-MemrayReport will not run.'
        return
    }
    $target = Join-Path $Destination $recipe.Name
    $payloads = [ordered]@{}
    $missing = @()
    foreach ($machine in $recipe.Wheels.Keys | Sort-Object) {
        $made = [ordered]@{}
        foreach ($kind in $recipe.Wheels[$machine].Keys | Sort-Object { [int]($_ -replace '\D') }) {
            $wheel = $recipe.Wheels[$machine][$kind]
            $version = $kind -replace '\D'
            $path = Find-Source ($recipe.File -f $machine, $kind) $wheel.Sha256 {
                Receive-Wheel $recipe.Name $recipe.Version @('--platform', "manylinux2014_$machine",
                    '--implementation', 'cp', '--python-version', $version, '--abi', $kind)
            }
            $file = "$machine/$kind.tar.zlib"
            if ($path) {
                $used = $path
                $about = Invoke-Make @('memray', $path, $machine) (Join-Path $target $file)
                $made[$kind] = [ordered]@{ file = $file } + $about + [ordered]@{ proven = $wheel.Proven }
                continue
            }
            $missing += "$kind on $machine"
            $debian = $recipe.Debian[$machine] ? $recipe.Debian[$machine][$kind] : $null
            $packages = $debian ? @(Find-Package $debian) : @()
            if ($packages) {
                $used = $packages[0]
                $about = Invoke-Make (@('debian', $machine) + $packages) (Join-Path $target $file)
                $made[$kind] = [ordered]@{ file = $file } + $about + [ordered]@{ proven = $false; source = 'Debian' }
            }
        }
        if ($made.Count -gt 0) {
            $sources = @(Find-Package $recipe.Runtime[$machine])
            if ($sources) {
                $file = "$machine/runtime.tar.zlib"
                $about = Invoke-Make (@('runtime', $machine) + $sources) (Join-Path $target $file)
                $made['runtime'] = [ordered]@{ file = $file } + $about + [ordered]@{ proven = $true }
            }
            else {
                # Another C++ runtime than the pinned one may ask for a newer glibc than the application has.
                Write-Warning ("The pinned C++ runtime for $machine cannot be had from Debian's archive: " +
                    'Get-MemrayReport will not run where the image has none.')
            }
            $payloads[$machine] = $made
        }
    }
    if ($missing) {
        Write-Warning "No wheels of $($recipe.Name) $($recipe.Version) were found for $($missing -join ', ')."
    }
    if ($payloads.Count -eq 0) {
        Write-Warning 'Get-MemrayReport will not run.'
        return
    }
    Invoke-Make @('license', $used) (Join-Path $target 'LICENSE')
    [ordered]@{ version = $recipe.Version; license = $recipe.License; payloads = $payloads } |
        ConvertTo-Json -Depth 5 | Set-Content -LiteralPath (Join-Path $target 'manifest.json')
    foreach ($machine in $payloads.Keys) {
        $names = foreach ($kind in $payloads[$machine].Keys) {
            $about = $payloads[$machine][$kind]
            $about.proven ? $kind : $about['source'] ? "$kind (from $($about.source), unproven)" : "$kind (unproven)"
        }
        Write-Host "memray $($recipe.Version) for ${machine}: $($names -join ', ')"
    }
}

New-PySpyPayload
New-MemrayPayload
