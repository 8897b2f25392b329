# What Watch-PyProcess takes of a processor, and what it costs processes that it watches, against nothing at all.
# Dot-sourced by bench.ps1.

$script:WatchWays = 'nothing', 'nothing again', 'watched'

# The loop of requests as the first of sixteen processes, each of the others with twenty threads that wait.
$script:Watched = @'
import os, threading, time
for _ in range(15):
    if os.fork() == 0:
        for _ in range(19):
            threading.Thread(target=lambda: [time.sleep(0.5) for _ in iter(int, 1)], daemon=True).start()
        while True:
            time.sleep(0.5)
'@
$script:Watched += "`n" + (Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'request_loop.py')).Replace(
    'from __future__ import annotations', '')

function Measure-WatchShare {
    # The agent's share of a CPU at the usual interval, by the kernel's counters, and its peak beside a plain
    # question's.
    param([int] $Processes, [double] $Goal, [int] $Runs)
    $python = (Get-Command python3).Source
    $shares, $peaks = @(), @()
    for ($run = 0; $run -lt $Runs; $run++) {
        $line = & $python -B (Join-Path $PSScriptRoot 'watch_cost.py') '/usr/bin/python3' $Processes 20 60 2 2>$null
        if ($LASTEXITCODE -ne 0) {
            throw "watch_cost.py ended with exit code $LASTEXITCODE."
        }
        $found = $line | ConvertFrom-Json
        $shares += $found.share
        $peaks += $found.rss / $found.stack
    }
    New-Result "Watching $Processes processes of 20 threads for a minute, its start included" $shares '% of a CPU' $Goal
    New-Result "Peak of the agent that watches $Processes processes, against reading stacks" $peaks 'ratio' $null
}

function Invoke-WatchWay {
    # Leaves the pod alone or watches it; gives the window's ends in seconds since 1970.
    param([string] $Way, [psobject] $Session, [int] $Seconds)
    $epoch = { [DateTime]::UtcNow.Subtract([DateTime]::UnixEpoch).TotalSeconds }
    $from = & $epoch
    if ($Way -eq 'watched') {
        $records = @($Session | Watch-PyProcess -DurationSeconds $Seconds)
        if (@($records | Group-Object ProcessId).Count -ne 16) {
            throw "Of 16 processes, $(@($records | Group-Object ProcessId).Count) were watched."
        }
    }
    else {
        Start-Sleep -Seconds $Seconds
    }
    return [pscustomobject]@{ From = $from + $script:Margin; To = (& $epoch) - $script:Margin }
}

function Measure-Watch {
    # Rounds of all ways in random order, each against the same round's window of nothing.
    param([int] $Pairs, [int] $Seconds, [int] $Runs)
    Measure-WatchShare 1 0.5 $Runs
    Measure-WatchShare 16 2 $Runs
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    $ratios = @{}
    try {
        $command = 'python3', '-u', '-c', $script:Watched, 5000, 8, 0
        $pod = New-TestPod -Namespace $namespace -Image 'py313' -Command $command -ReadyLog '"requests"'
        $session = Start-PodDebug -Namespace $namespace -PodName $pod
        Invoke-WatchWay 'watched' $session 4 | Out-Null
        for ($pair = 0; $pair -lt $Pairs; $pair++) {
            $seen = @{}
            foreach ($way in $script:WatchWays | Get-Random -Shuffle) {
                $window = Invoke-WatchWay $way $session $Seconds
                $seen[$way] = Get-Service $namespace $pod $window.From $window.To -Lines (4 * $Seconds)
            }
            foreach ($way in $script:WatchWays | Select-Object -Skip 1) {
                $ratios["$way/p99"] += , ($seen[$way].P99 / $seen['nothing'].P99)
                $ratios["$way/throughput"] += , ($seen[$way].Requests / $seen['nothing'].Requests)
            }
        }
    }
    finally {
        Remove-TestNamespace $namespace
    }
    foreach ($what in 'p99', 'throughput') {
        # A target that fares better is not one that is harmed: a busy machine gives the one window more than the other.
        $worse = { param($Values) @($Values | ForEach-Object { [Math]::Max(0, $what -eq 'p99' ? $_ - 1 : 1 - $_) }) }
        $most = ($ratios["nothing again/$what"] | ForEach-Object { [Math]::Abs($_ - 1) } |
            Measure-Object -Maximum).Maximum
        New-Result "$what of a target, nothing again against nothing" $ratios["nothing again/$what"] 'ratio' $null
        New-Result "$what of a target among 16 that are watched, against nothing" $ratios["watched/$what"] 'ratio' $null
        $harm = & $worse $ratios["watched/$what"]
        New-Result ("$what of a target among 16 that are watched: how much worse, against two of " +
            "nothing") $harm 'ratio' $most
    }
}
