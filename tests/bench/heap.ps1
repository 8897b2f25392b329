# What Get-PyHeap finds, held against what the target says of itself, and what it costs. Dot-sourced by bench.ps1. It
# needs no cluster: the agent's own code looks at processes of the test images' Pythons, objgraph of this machine's
# python3.

function Measure-HeapCost {
    param([int] $Runs)
    $images = Join-Path ($env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug') 'images'
    if ((id -u) -ne '0' -or -not (Get-ChildItem $images -Filter 'py3*' -ErrorAction Ignore)) {
        Write-Warning 'SKIPPED: every benchmark of Get-PyHeap. Missing: root, or the test images (tests/images/make).'
        return
    }
    & python3 -B (Join-Path $PSScriptRoot 'heap_cost.py') --runs $Runs | ConvertFrom-Json | ForEach-Object {
        $least = $_.Name -match '^(Leak rates within|Right holder, 30 kinds of leak, 3\.1)'
        $goal = switch -Regex ($_.Name) {
            '^Objects off' { 0 }
            '^Blocks off, 3\.1[2-5]' { 1 }
            'busy server, .*: ratio$' { 1 }
            '^Leak rates within' { 95 }
            '^False' { 1 }
            '^Right holder, 30 kinds of leak, 3\.1' { 90 }
            '^Verified but wrong, 10' { 0 }
            '^p99 of requests during' { 1.1 }
            '^1 GiB: until' { 1 }
            '^1 GiB, a part .*CPU' { 4 }
            '^1 GiB, -Complete: CPU' { 15 }
            '^1 GiB, .*: memory' { 64 }
            '^1 GiB: Orders' { 1 }
            'pause by Get-PyHeap' { 0 }
        }
        New-Result $_.Name $_.Values $_.Unit $goal -AtLeast:$least
    }
    if ($LASTEXITCODE -ne 0) {
        throw "heap_cost.py ended with exit code $LASTEXITCODE."
    }
}
