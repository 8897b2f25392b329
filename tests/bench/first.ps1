# What the module costs the client before it has said anything: CPU seconds of an import, of the first list of debug
# containers and of the first stacks, each in a PowerShell of its own. Dot-sourced by bench.ps1.

# What is run behind the import; $args is the namespace and the pod.
$script:FirstWays = [ordered]@{
    'Import-Module'      = ''
    'First Get-PodDebug'  = 'Get-PodDebug -Namespace {0} | Out-Null'
    'First Get-PyStack'  = 'Start-PodDebug -Namespace {0} -PodName {1} | Get-PyStack | Out-Null'
}

function Measure-ProcessCpu {
    # The CPU seconds that a PowerShell has taken when it has run a script.
    param([string] $Script)
    $program, $arguments = Get-PwshCommand
    $text = ("`$ErrorActionPreference = " +
        "'Stop'`n$Script`n[Diagnostics.Process]::GetCurrentProcess().TotalProcessorTime.TotalSeconds")
    $said = & $program @arguments -NoProfile -NonInteractive -Command $text
    if ($LASTEXITCODE -ne 0) {
        throw "A PowerShell ended with exit code ${LASTEXITCODE}: $said"
    }
    return [double]::Parse(@($said)[-1], [cultureinfo]::InvariantCulture)
}

function Measure-First {
    # Each way by this module and by an earlier build, in turn, over a start that imports nothing.
    param([string] $Module, [string] $Before, [int] $Runs)
    if (-not $Before) {
        Write-Warning 'SKIPPED: CPU against an earlier build. Missing: its module folder, in PYDEBUG_BENCH_BEFORE.'
    }
    $modules = [ordered]@{ '' = $Module }
    if ($Before) {
        $modules[', before'] = $Before
    }
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    try {
        $imports, $pods = @{}, @{}
        foreach ($which in $modules.Keys) {
            # One build's agent need not know another's debug container.
            $pods[$which] = New-Service $namespace 5 1
            $imports[$which] = "Import-Module '$($modules[$which])'"
            # The debug container that the stacks are read from, and what is cached on the disk.
            $stacks = $script:FirstWays['First Get-PyStack'] -f $namespace, $pods[$which]
            Measure-ProcessCpu "$($imports[$which])`n$stacks" | Out-Null
        }
        $seconds = @{}
        for ($run = 0; $run -lt $Runs; $run++) {
            $empty = Measure-ProcessCpu ''
            foreach ($name in $script:FirstWays.Keys) {
                foreach ($which in $run % 2 ? @($modules.Keys) : @($modules.Keys)[-1..-$modules.Count]) {
                    $script = "$($imports[$which])`n$($script:FirstWays[$name] -f $namespace, $pods[$which])"
                    $seconds["$name$which"] += @((Measure-ProcessCpu $script) - $empty)
                }
            }
        }
        foreach ($name in $script:FirstWays.Keys) {
            New-Result "$name, CPU" $seconds[$name] 's'
            if ($Before) {
                New-Result "$name, CPU, before" $seconds["$name, before"] 's'
                $ratio = (Get-Quantile $seconds[$name] 0.5) / (Get-Quantile $seconds["$name, before"] 0.5)
                New-Result "$name, CPU, against before" $ratio 'ratio' 1
            }
        }
    }
    finally {
        Remove-TestNamespace $namespace
    }
}
