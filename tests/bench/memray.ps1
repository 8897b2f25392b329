# What Get-MemrayReport costs the process that it tracks, in each mode, against nothing and against memray's own attach.
# Dot-sourced by bench.ps1. It needs no cluster: the agent tracks processes of this machine's python3.

$script:PauseGoal = 15
$script:ResidentGoal = 8

function Find-MemrayPeer {
    # A Python that has the whole memray, or nothing after a warning that says what is missing.
    $python = $env:PYDEBUG_MEMRAY ? $env:PYDEBUG_MEMRAY : 'python3'
    $missing = @()
    & $python -c 'import memray' 2>$null
    if ($LASTEXITCODE -ne 0) {
        $missing += 'a memray for this python3 (in the Python that PYDEBUG_MEMRAY names)'
    }
    if (-not (Get-Command gdb -CommandType Application -ErrorAction Ignore)) {
        $missing += 'gdb'
    }
    if ($missing) {
        Write-Warning "SKIPPED: memray's own attach, beside Get-MemrayReport. Missing: $($missing -join ', ')."
        return
    }
    return $python
}

function Measure-MemrayCost {
    param([int] $Runs)
    $version = & python3 -c 'import sys; print(*sys.version_info[:2], sep="")'
    $payloads = Join-Path $Module 'bin/payload/memray'
    if (-not (Get-ChildItem -Path $payloads -Recurse -File -Filter "cp$version.tar.zlib" -ErrorAction Ignore)) {
        Write-Warning ("SKIPPED: what Get-MemrayReport costs. This build has no memray for this machine's Python " +
            "($version).")
        return
    }
    $arguments = '-B', (Join-Path $PSScriptRoot 'memray_cost.py'), '--runs', $Runs
    $peer = Find-MemrayPeer
    if ($peer) {
        $arguments += '--peer', $peer
    }
    & python3 @arguments | ConvertFrom-Json | ForEach-Object {
        $goal = switch -Regex ($_.Name) {
            '^memray, default, .*longest gap while' { $script:PauseGoal }
            '^memray, default, .*resident memory' { $script:ResidentGoal }
        }
        New-Result $_.Name $_.Values $_.Unit $goal
    }
    if ($LASTEXITCODE -ne 0) {
        throw "memray_cost.py ended with exit code $LASTEXITCODE."
    }
}
