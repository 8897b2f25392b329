# What tests of Invoke-Bpftrace share. Dot-sourced in BeforeDiscovery.

function Test-BpftraceMissing {
    # Whether these tests cannot be had here; says why.
    $cache = $env:PYDEBUG_CACHE ? $env:PYDEBUG_CACHE : '/var/cache/pydebug'
    if (-not (Test-Path -LiteralPath '/sys/kernel/btf/vmlinux')) {
        Write-Warning 'SKIPPED: the tests of Invoke-Bpftrace. This kernel does not describe its types (no BTF).'
        return $true
    }
    if (-not (Test-Path -LiteralPath (Join-Path $cache 'images/debug-tools/config.json'))) {
        Write-Warning ('SKIPPED: the tests of Invoke-Bpftrace. The tools image was not made here: ' +
            '"tests/images/make debug-tools" says why.')
        return $true
    }
    return $false
}
