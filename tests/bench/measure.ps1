# Measuring two ways against each other. Dot-sourced by bench.ps1.

function Measure-Seconds {
    # How long the script block takes.
    param([scriptblock] $Action)
    $watch = [System.Diagnostics.Stopwatch]::StartNew()
    & $Action | Out-Null
    return $watch.Elapsed.TotalSeconds
}

function Get-Quantile {
    # The value that a share of the sorted values stays below, between neighbours in proportion.
    param([double[]] $Values, [double] $Share)
    $sorted = @($Values | Sort-Object)
    $place = ($sorted.Count - 1) * $Share
    $below = [int][Math]::Floor($place)
    $above = [int][Math]::Ceiling($place)
    return $sorted[$below] + ($sorted[$above] - $sorted[$below]) * ($place - $below)
}

function New-Result {
    # One entry of the report: the median of the values, and the distance of their quartiles as the spread. A goal is
    # the most that the value should be, -AtLeast the least.
    param([string] $Name, [double[]] $Values, [string] $Unit, [Nullable[double]] $Goal, [switch] $AtLeast)
    $value = [Math]::Round((Get-Quantile $Values 0.5), 3)
    return [pscustomobject][ordered]@{
        Name   = $Name
        Value  = $value
        Unit   = $Unit
        Goal   = $Goal
        Met    = $null -eq $Goal ? $null : $AtLeast ? $value -ge $Goal : $value -le $Goal
        Runs   = $Values.Count
        Spread = [Math]::Round((Get-Quantile $Values 0.75) - (Get-Quantile $Values 0.25), 3)
    }
}

function Compare-Way {
    # Runs both ways in turn, each first in every other run, so that what the machine does besides hits both alike.
    # Gives our seconds, their seconds and the ratio of the two.
    param(
        [string] $Name,
        [scriptblock] $Ours,
        [scriptblock] $Theirs,
        [int] $Runs,
        [Nullable[double]] $Goal,
        [string] $Peer = 'kubectl and py-spy'
    )
    $mine, $other = @(), @()
    for ($run = 0; $run -lt $Runs; $run++) {
        if ($run % 2) {
            $other += Measure-Seconds $Theirs
            $mine += Measure-Seconds $Ours
        }
        else {
            $mine += Measure-Seconds $Ours
            $other += Measure-Seconds $Theirs
        }
    }
    $ratios = @(for ($run = 0; $run -lt $Runs; $run++) { $mine[$run] / $other[$run] })
    New-Result "$Name, against $Peer" $ratios 'ratio' $Goal
    New-Result "$Name, PyDebug" $mine 's'
    New-Result "$Name, $Peer" $other 's'
}
