# Where the parts of payloads come from: folders in PIP_FIND_LINKS, ../shared/wheelhouse beside the checkout, what was
# fetched before, and then the index or the archive that this machine is configured for. Each must have its SHA-256.

$script:Root = Split-Path (Split-Path $PSScriptRoot)
$script:Cache = Join-Path $script:Root 'out/wheels'

function Get-SourceFolder {
    foreach ($link in "$env:PIP_FIND_LINKS" -split '\s+' -ne '') {
        $link -replace '^file://', ''
    }
    Join-Path (Split-Path $script:Root) 'shared/wheelhouse'
    $script:Cache
}

function Test-Source([string] $Path, [string] $Sha256) {
    if (-not (Test-Path -LiteralPath $Path -PathType Leaf)) {
        return $false
    }
    if ((Get-FileHash -LiteralPath $Path -Algorithm SHA256).Hash -eq $Sha256) {
        return $true
    }
    Write-Warning "'$Path' has another hash than the recipe asks for; it is not used."
    return $false
}

function Find-Source([string] $File, [string] $Sha256, [scriptblock] $Receive) {
    # Returns the path of a file; where no folder has it, -Receive is to put it into the cache.
    foreach ($attempt in 'folders', 'network') {
        if ($attempt -eq 'network') {
            $null = New-Item -ItemType Directory -Force $script:Cache
            $null = & $Receive
        }
        foreach ($folder in Get-SourceFolder) {
            $path = Join-Path $folder $File
            if (Test-Source $path $Sha256) {
                return $path
            }
        }
    }
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

function Receive-Wheel([string] $Name, [string] $Version, [string[]] $Options) {
    # Asks the index. A machine that reaches none fails within seconds.
    $pip = Get-Pip
    if (-not $pip) {
        return
    }
    $arguments = @($pip | Select-Object -Skip 1) + 'download', "$Name==$Version", '--no-deps', '--only-binary=:all:',
        '--disable-pip-version-check', '--quiet', '--timeout', '10', '--retries', '1', '--dest', $script:Cache
    $arguments += $Options
    $said = & $pip[0] @arguments 2>&1
    if ($LASTEXITCODE -ne 0) {
        Write-Verbose ($said -join "`n")
    }
}

function Get-DebianArchive {
    # The addresses of Debian's archive in this machine's apt sources. apt itself tells them only once it has its lists.
    $sources = Get-ChildItem -Path '/etc/apt/sources.list', '/etc/apt/sources.list.d/*' -File -ErrorAction Ignore |
        Where-Object Extension -in '.list', '.sources'
    $lines = $sources | ForEach-Object { Get-Content -LiteralPath $_ }
    @($lines | Select-String '^\s*(?:URIs:|deb\s+(?:\[[^]]*\]\s*)?)\s*(\S+/debian)/?(?:\s|$)' |
            ForEach-Object { $_.Matches[0].Groups[1].Value } | Select-Object -Unique)
}

function Receive-DebianFile([string] $Path, [string] $File, [string] $Sha256) {
    # Asks the Debian archive of this machine's apt.
    $helper = '/usr/lib/apt/apt-helper'
    if (-not (Test-Path -LiteralPath $helper)) {
        return
    }
    foreach ($site in Get-DebianArchive) {
        $target = Join-Path $script:Cache $File
        $options = '-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=10'
        $said = & $helper @options download-file "$site/$Path/$File" $target "SHA256:$Sha256" 2>&1
        if ($LASTEXITCODE -eq 0) {
            return
        }
        Remove-Item -LiteralPath $target -ErrorAction Ignore
        Write-Verbose ($said -join "`n")
    }
}
