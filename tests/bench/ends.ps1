# How questions end whose client is killed, stopped or has enough, at random moments. Dot-sourced by bench.ps1.

$script:BackGoal = 5
$script:GoneGoal = 30

function Start-Lane {
    # A PowerShell that makes trials on a pod of its own (ends_lane.ps1), and the file that it writes them to.
    param([string] $Namespace, [int] $Number, [int] $Trials, [int] $Seed, [double] $Seconds)
    $pod = New-TestPod $Namespace -Command 'python3', '/srv/app.py' -ReadyLog 'listens'
    $file = Join-Path ([IO.Path]::GetTempPath()) "$(New-TestName 'ends').jsonl"
    $program, $arguments = Get-PwshCommand
    $start = [System.Diagnostics.ProcessStartInfo]::new($program)
    @($arguments) + @(
        '-NoProfile', '-NonInteractive', '-File', (Join-Path $PSScriptRoot 'ends_lane.ps1'), '-Module', $Module
        '-Namespace', $Namespace, '-Pod', $pod, '-Report', $file, '-First', $Number, '-Trials', $Trials, '-Seed', $Seed
        '-MostSeconds', $Seconds
    ) | ForEach-Object { $start.ArgumentList.Add("$_") }
    return [pscustomobject]@{ Process = [System.Diagnostics.Process]::Start($start); File = $file; Pod = $pod }
}

function Measure-Ends {
    # $Runs trials of each way to end (killed, stopped, had enough), spread over the cmdlets that stream, some side by
    # side; as many as there is time for.
    param([int] $Runs, [double] $Seconds, [string] $Trace, [int] $Lanes = 4, [int] $Seed = 1)
    $namespace = New-TestNamespace (New-TestName 'pydebug-bench')
    $started = @()
    try {
        $all = 3 * $Runs
        for ($lane = 0; $lane -lt $Lanes; $lane++) {
            $share = [Math]::Floor($all / $Lanes) + ($lane -lt $all % $Lanes ? 1 : 0)
            $started += Start-Lane $namespace $lane $share ($Seed + $lane) $Seconds
        }
        $started | ForEach-Object { $_.Process.WaitForExit() }
        $trials = @($started | Where-Object { Test-Path -LiteralPath $_.File } |
                ForEach-Object { Get-Content -LiteralPath $_.File | ConvertFrom-Json })
        $trials | ForEach-Object { ConvertTo-Json -Compress $_ } | Set-Content -LiteralPath $Trace
        # What was not tried is no success.
        if ($trials.Count -lt $all) {
            Write-Warning "$($trials.Count) of $all ends were tried."
        }
        $isLate = { $_.Back -gt $script:BackGoal -or $_.Gone -gt $script:GoneGoal -or $_.Stopped }
        foreach ($late in $trials | Where-Object $isLate) {
            Write-Warning "$($late | ConvertTo-Json -Compress)"
        }
        # Nor is what had ended by itself.
        $trials | Where-Object { -not $_.UnderWay } | Group-Object How, Command | ForEach-Object {
            Write-Warning "$($_.Count) had ended before ($($_.Name)): $($_.Group[0].Why)"
        }
        foreach ($lane in $started) {
            $pod = Get-TestPod $namespace $lane.Pod
            if ($pod.status.containerStatuses[0].restartCount) {
                throw "The application in pod $($lane.Pod) ended."
            }
        }
        # Every one of them has to be within: the worst is what counts.
        foreach ($way in $trials | Group-Object How) {
            $name = "$($way.Count) ends at random moments ($($way.Name))"
            $before = @($way.Group | Where-Object { -not $_.UnderWay }).Count
            New-Result "$name, ended by themselves before" $before 'ends' 0
            New-Result "$name, the slowest return" @(($way.Group.Back |
                Measure-Object -Maximum).Maximum) 's' $script:BackGoal
            New-Result "$name, the last of ours gone" @(($way.Group.Gone |
                Measure-Object -Maximum).Maximum) 's' $script:GoneGoal
            New-Result "$name, processes left stopped" @(($way.Group.Stopped | Measure-Object -Sum).Sum) 'processes' 0
        }
    }
    finally {
        foreach ($lane in $started) {
            if (-not $lane.Process.HasExited) {
                $lane.Process.Kill($true)
            }
            Remove-Item -LiteralPath $lane.File -ErrorAction Ignore
        }
        Remove-TestNamespace $namespace
    }
}
