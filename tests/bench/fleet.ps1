# Many pods at once: what their stacks take of time and of the client, against xargs and kubectl exec that send the same
# agent the same request; and 200 questions against 200 times one. Dot-sourced by bench.ps1.

$script:FleetPods = 50
$script:FleetThreads = 5

function New-Fleet {
    # Pods with a session each, written into a new folder, whose path is given.
    param([string] $Namespace)
    $command = 'python3', '-c', $script:Service, $script:FleetThreads, 1
    $pods = @(1..$script:FleetPods | ForEach-Object {
            New-TestPod -Namespace $Namespace -Image 'py313' -Command $command -Labels @{ app = 'fleet' } -NoWait
        })
    $pods | ForEach-Object { Wait-TestPod $Namespace $_ -Seconds 300 }
    $pods | ForEach-Object { Wait-PodLog $Namespace $_ 'waiting' | Out-Null }
    $sessions = @(Start-PodDebug -Namespace $Namespace -LabelSelector 'app=fleet' -TimeoutSeconds 300)
    if ($sessions.Count -ne $pods.Count) {
        throw "Of $($pods.Count) pods, $($sessions.Count) have a session."
    }
    $folder = [System.IO.Directory]::CreateTempSubdirectory('pydebug-').FullName
    ConvertTo-Json -InputObject $sessions -Depth 5 | Set-Content -LiteralPath (Join-Path $folder 'sessions.json')
    return $folder
}

function Invoke-Fleet {
    # fleet.py; gives what it printed.
    $said = & python3 -B (Join-Path $PSScriptRoot 'fleet.py') @args
    if ($LASTEXITCODE -ne 0) {
        throw "fleet.py $($args -join ' ') ended with exit code ${LASTEXITCODE}: $said"
    }
    return $said
}

function Get-ClientCommand {
    # The command line of a client of ours.
    param([string] $Folder, [string[]] $More)
    $program, $first = Get-PwshCommand
    return @($program) + $first + '-NoProfile', '-NonInteractive', '-File',
        (Join-Path $PSScriptRoot 'fleet_client.ps1'),
    '-Module', $Module, '-Folder', $Folder, '-Threads', $script:FleetThreads + $More
}

function Measure-Fleet {
    param([string] $Module, [int] $Runs, [int] $ManyRuns)
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    $folder = $null
    try {
        $folder = New-Fleet $namespace
        if (Get-Command kubectl -CommandType Application -ErrorAction Ignore) {
            Compare-Fleet $folder $Runs
        }
        else {
            Write-Warning 'SKIPPED: stacks of many pods against xargs and kubectl exec. Missing: kubectl (on PATH).'
        }
        Measure-Many $folder $ManyRuns
    }
    finally {
        Remove-TestNamespace $namespace
        if ($folder) {
            Remove-Item -LiteralPath $folder -Recurse -Force
        }
    }
}

function Compare-Fleet {
    # Both ways in turn, with the start of all programs in it.
    param([string] $Folder, [int] $Runs)
    Invoke-Fleet prepare $Folder
    $ours = Get-ClientCommand $Folder
    $theirs = 'python3', '-B', (Join-Path $PSScriptRoot 'fleet.py'), 'ask', $Folder, $script:FleetPods
    $seen = @{ ours = @(); theirs = @() }
    for ($run = 0; $run -lt $Runs; $run++) {
        foreach ($way in $run % 2 ? ('ours', 'theirs') : ('theirs', 'ours')) {
            $command = $way -eq 'ours' ? $ours : $theirs
            $seen[$way] += Invoke-Fleet measure @command | ConvertFrom-Json
            if ($way -eq 'theirs') {
                Invoke-Fleet check $Folder $script:FleetThreads
            }
        }
    }
    $name = "Stacks of $($script:FleetPods) pods at once"
    $peer = "xargs -P $($script:FleetPods) with kubectl exec"
    foreach ($what in ('seconds', 'wall', 1.0), ('cpu', 'CPU of the clients', 0.5)) {
        $field, $words, $goal = $what
        $ratios = @(for ($run = 0; $run -lt $Runs; $run++) { $seen.ours[$run].$field / $seen.theirs[$run].$field })
        New-Result "$name, $words, against $peer" $ratios 'ratio' $goal
        New-Result "$name, $words, PyDebug" $seen.ours.$field 's'
        New-Result "$name, $words, $peer" $seen.theirs.$field 's'
    }
    New-Result "$name, peak of the client's memory" @($seen.ours.bytes | ForEach-Object { $_ / 1e6 }) 'MB' 250
}

function Measure-Many {
    # Four questions to each pod at once, in one client, against what one takes.
    param([string] $Folder, [int] $Runs)
    # In the sandbox's process and its children is all that is not the client: API, runtime and agents.
    $state = Split-Path $env:PYDEBUG_TEST_KUBECONFIG
    $server = @(Get-ChildItem -Path '/proc/[0-9]*/cmdline' | Where-Object {
            $words = (Get-Content -Raw -LiteralPath $_ -ErrorAction Ignore) -split "`0"
            $words -like '*Sandbox.dll' -and $words -contains $state
        } | ForEach-Object { [int](Split-Path -Leaf (Split-Path $_)) })
    if ($server.Count -ne 1) {
        Write-Warning "SKIPPED: 200 questions at once. Missing: the sandbox, whose CPU is that of server and runtime."
        return
    }
    $each = 4
    $program, $arguments = Get-ClientCommand $Folder '-Each', $each, '-Server', $server[0]
    $seen = @(for ($run = 0; $run -lt $Runs; $run++) {
            $said = & $program @arguments
            if ($LASTEXITCODE -ne 0) {
                throw "A client that asks $each times ended with exit code ${LASTEXITCODE}: $said"
            }
            @($said)[-1] | ConvertFrom-Json
        })
    $count = $each * $script:FleetPods
    $name = "$count questions at once, $each to each of $($script:FleetPods) pods"
    New-Result "$name, wall, against their CPU one by one over two cores" @(
        $seen | ForEach-Object { $_.seconds / ($count * $_.one / 2) }) 'ratio' 2
    New-Result "$name, CPU of client, server, runtime and agents, against $count times one" @(
        $seen | ForEach-Object { $_.all / ($count * $_.one) }) 'ratio'
    New-Result "$name, wall" $seen.seconds 's'
    New-Result "One question of them, CPU of client, server, runtime and agent" $seen.one 's'
    New-Result "$name, open files that stay" $seen.files 'files' 0
    New-Result "$name, sockets that stay" $seen.sockets 'sockets' 0
}
