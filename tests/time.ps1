# What every report of time must say. Dot-sourced in BeforeAll, after common.ps1.

# What may stand against the kernel sampler on some node, whatever the profile.
$script:nodeCauses = 'NoBtf', 'Lockdown', 'Seccomp', 'Kernel'

function Get-PartSum([psobject] $Thread) {
    $names = 'Cpu', 'Gil', 'Lock', 'Sleep', 'Poll', 'Io', 'Fault', 'Runnable', 'Other', 'Unproven'
    $sum = ($names | ForEach-Object { $Thread."${_}Seconds" } | Measure-Object -Sum).Sum
    [Math]::Abs($sum - $Thread.AccountedSeconds) | Should -BeLessThan 0.001
    $sum
}

function Assert-WholeTime([psobject] $Report) {
    # Every second of every thread is accounted for.
    foreach ($thread in $Report.Threads) {
        Get-PartSum $thread | Should -BeGreaterOrEqual ($thread.WallSeconds * 0.98 - 0.001) -Because "of $thread"
        Get-PartSum $thread | Should -BeLessOrEqual ($thread.WallSeconds * 1.02 + 0.001) -Because "of $thread"
    }
    $entries = (@($Report.Cpu) + @($Report.Waits) | Measure-Object Seconds -Sum).Sum
    $walls = ($Report.Threads.WallSeconds | Measure-Object -Sum).Sum
    [Math]::Abs($entries - $walls) | Should -BeLessThan ($walls * 0.02)
}
