# The test suites, each of which gives how many tests passed, failed and were skipped. Dot-sourced by build.ps1.

# Where more parts than these failed, that is not a busy machine's doing: none is run again.
$script:MostAgain = 3

# Pester files that are not run again on a second cluster. Those about the module itself; and those about what is read
# in a process once an agent is beside it, or made of it here. A cluster differs in admission, rights, exec, the kubelet
# and cgroups: the files about starting, copying, stopping, rights (each question) and limits run on both.
$script:OneCluster = @(
    'Help', 'Module', 'Views', 'Examples', 'Runbook'
    'Get-MemrayReport', 'Get-PyHeap', 'Get-PyTask', 'Invoke-Bpftrace.Stacks', 'Invoke-PySpy', 'Measure-PyTime.Processes'
)

# Those that take longest, which start first: the last one to start should not be one of them. Then goes length.
$script:Longest = @(
    'Get-MemrayReport.Places', 'Invoke-PySpy', 'Measure-PyTime', 'Measure-PyTime.Processes', 'Get-MemrayReport'
    'test_memray_pythons', 'test_memray_ends', 'test_memray_stress', 'test_inject_stacks', 'test_memray'
)

function Invoke-XunitProject {
    # Builds a test project, runs it and counts.
    param([string] $Name)
    Invoke-DotNetBuild "tests/$Name/$Name.csproj"
    $report = Join-Path $script:Out "$Name.xml"
    Remove-Item -LiteralPath $report -ErrorAction Ignore
    $tests = Join-Path $PSScriptRoot "$Name/bin/Release/net10.0/$Name.dll"
    & dotnet $tests -noColor -noLogo -result-xml $report | Out-Host
    $code = $LASTEXITCODE
    $total = New-Total
    $again = @()
    if (Test-Path -LiteralPath $report) {
        $ran = [xml](Get-Content -LiteralPath $report -Raw)
        foreach ($assembly in $ran.assemblies.assembly) {
            $total.Passed += [int]$assembly.passed
            $total.Failed += [int]$assembly.failed + [int]$assembly.errors
            $total.Skipped += [int]$assembly.skipped
        }
        $again = @($ran.SelectNodes('//test[@result="Fail"]') | ForEach-Object { "$($_.type).$($_.method)" } |
                Sort-Object -Unique)
    }
    # An error outside of a test counts as well, and no test that passes takes it back.
    $failures = $total.Failed -gt 0 ? $ran.SelectNodes('//test[@result="Fail"]').Count : 0
    if ($again.Count -in 1..$script:MostAgain -and $failures -eq $total.Failed) {
        & dotnet $tests -noColor -noLogo ($again | ForEach-Object { '-method', $_ }) | Out-Host
        if ($LASTEXITCODE -eq 0) {
            $again | ForEach-Object { Write-Unstable $_ }
            $total.Passed += $total.Failed
            $total.Failed = 0
            $code = 0
        }
    }
    return Confirm-Total $total $code $Name
}

function Invoke-XunitTest {
    return Invoke-XunitProject 'PyDebug.Tests'
}

function Invoke-BrowserTest {
    if ($missing = @(Install-Missing @{ chromium = 'chromium' })) {
        Write-Warning "The pictures are not looked at in a browser. Missing: $($missing -join ', ')."
    }
    return Invoke-XunitProject 'PyDebug.Browser'
}

function Invoke-AgentTest {
    $total = New-Total
    if (Install-Missing @{ python3 = 'python3' }) {
        Write-Warning 'The agent''s tests are skipped. Missing: python3.'
        $total.Skipped++
        return $total
    }
    # Their tests are skipped without them.
    Install-Missing @{ strace = 'strace'; mypy = 'mypy' } | Out-Null
    if (-not $Quick -and (id -u) -eq '0' -and -not (Install-ForSandbox)) {
        # The reader is held to the Pythons in the test images.
        $null = New-TestImage
    }
    $files = Sort-Longest (Get-ChildItem -Path (Join-Path $PSScriptRoot 'agent/test_*.py'))
    if ($Quick) {
        # Those that use none of the tests' own modules but the client of the agent's protocol make no pod and need no
        # image.
        $files = $files | Where-Object { -not (Select-String -Quiet -LiteralPath $_ -Pattern '^from \.(?!driver )') }
    }
    # The cluster's are about what the one-node cluster is made with.
    $runs = @('cluster') + @($files.BaseName)
    $alone, $together = $runs.Where({ $_ -match '^test_(time|timing)_(?!report|refusals)' }, 'Split')
    $arguments = { $_ -eq 'cluster' ? @('discover', '-s', 'tests/cluster') : "tests.agent.$_" }
    $start = { Start-Logged "unittest-$_" (@('python3', '-B', '-m', 'tests.unittests') + (& $arguments)) }
    Invoke-Part $together $start { Complete-Unittest $_ } | Add-Total $total
    Invoke-Part $alone $start { Complete-Unittest $_ } -Most 1 | Add-Total $total
    return $total
}

function Sort-Longest {
    # The files of a suite's parts, those that take longest first.
    param([System.IO.FileInfo[]] $Files)
    $rank = {
        $at = $script:Longest.IndexOf(($_.Name -replace '(\.Tests\.ps1|\.py)$'))
        $at -lt 0 ? $script:Longest.Count : $at
    }
    return @($Files | Sort-Object $rank, @{ Expression = 'Length'; Descending = $true })
}

function Invoke-Part {
    # Runs the parts of a suite side by side, and gives the total of each. Where a few failed, each of them is run once
    # more, alone: what a busy neighbour did to a part is told apart from what is wrong, and is named all the same.
    param([object[]] $Parts, [scriptblock] $Start, [scriptblock] $Complete, [int] $Most)
    $ran = @(Invoke-SideBySide $Parts $Start $Complete -Most $Most)
    $failed = @($ran | Where-Object { $_.Total.Failed -gt 0 })
    if ($failed.Count -in 1..$script:MostAgain) {
        foreach ($one in $failed) {
            $second = Invoke-SideBySide @($one.Part) $Start $Complete -Most 1
            if ($second.Total.Failed -eq 0 -and $second.Total.Passed -gt $one.Total.Passed) {
                Write-Unstable $one.Name
                $one.Total = $second.Total
            }
        }
    }
    return $ran | ForEach-Object Total
}

function Write-Unstable {
    # Names what failed and then passed.
    param([string] $Name)
    Write-Host "UNSTABLE: $Name failed beside others, and passed alone. What failed is told above."
}

function Invoke-SideBySide {
    # Starts the parts of a suite, so many at a time, and gives what each has when it ended.
    param([object[]] $Parts, [scriptblock] $Start, [scriptblock] $Complete, [int] $Most)
    if (-not $Most) {
        $Most = $env:PYDEBUG_TEST_JOBS ? [int]$env:PYDEBUG_TEST_JOBS : [Environment]::ProcessorCount + 1
    }
    $waiting = [System.Collections.Generic.Queue[object]]::new(@($Parts))
    $running = @()
    while ($waiting.Count -gt 0 -or $running) {
        while ($waiting.Count -gt 0 -and $running.Count -lt $Most) {
            $part = $waiting.Dequeue()
            $running += $part | ForEach-Object $Start | Add-Member -PassThru Part $part
        }
        $ended = @($running | Where-Object { $_.Process.HasExited -or [DateTime]::UtcNow -gt $_.Deadline })
        $ended | ForEach-Object {
            [pscustomobject]@{ Part = $_.Part; Name = $_.Name; Total = $_ | ForEach-Object $Complete }
        }
        $running = @($running | Where-Object { $_ -notin $ended })
        Start-Sleep -Milliseconds 100
    }
}

function Start-Logged {
    # Starts a program of a suite; what it prints goes to a file.
    param([string] $Name, [string[]] $Command)
    $log = Join-Path $script:Out "$Name.log"
    $start = [System.Diagnostics.ProcessStartInfo]::new('/bin/sh')
    @('-c', 'log=$1; shift; exec "$@" >"$log" 2>&1', 'sh', $log) + $Command |
        ForEach-Object { $start.ArgumentList.Add($_) }
    $start.WorkingDirectory = Split-Path $PSScriptRoot
    return [pscustomobject]@{
        Name = $Name; Log = $log; Started = [DateTime]::UtcNow; Deadline = [DateTime]::UtcNow.AddMinutes(15)
        Process = [System.Diagnostics.Process]::Start($start)
    }
}

function Complete-Logged {
    # Shows what a program printed, and gives that and its exit code. One that has not ended is killed.
    param([psobject] $Run)
    if (-not $Run.Process.HasExited) {
        $Run.Process.Kill($true)
        $Run.Process.WaitForExit()
        Add-Content -LiteralPath $Run.Log -Value "`nIt did not end in time."
    }
    $text = Get-Content -Raw -LiteralPath $Run.Log
    Write-Host $text
    Write-Host ('== {0}: {1:0} s' -f $Run.Name, ($Run.Process.ExitTime.ToUniversalTime() - $Run.Started).TotalSeconds)
    return [pscustomobject]@{ Text = "$text"; Code = $Run.Process.ExitCode }
}

function Complete-Unittest {
    # Counts by the closing lines of Python's unittest.
    param([psobject] $Run)
    $ended = Complete-Logged $Run
    $text = $ended.Text
    $total = New-Total
    $ran = $text -match '(?m)^Ran (\d+) tests? in' ? [int]$Matches[1] : 0
    foreach ($word in 'failures', 'errors', 'unexpected successes') {
        $total.Failed += $text -match "(?m)^FAILED \(.*\b$word=(\d+)" ? [int]$Matches[1] : 0
    }
    $total.Skipped = $text -match '(?m)^(?:OK|FAILED) \(.*\bskipped=(\d+)' ? [int]$Matches[1] : 0
    $total.Passed = [Math]::Max(0, $ran - $total.Failed - $total.Skipped)
    return Confirm-Total $total $ended.Code $Run.Name
}

function Get-PesterFile {
    # The Pester files asked for.
    $files = Get-ChildItem -Path (Join-Path $PSScriptRoot '*.Tests.ps1')
    if ("$Path") {
        $files = $files | Where-Object { $file = $_; $Path | Where-Object { $file.Name -like "*$_*" } }
    }
    elseif ($env:PYDEBUG_TEST_KIND -eq 'cluster') {
        Write-Host "Not run again on a second cluster, which changes nothing in them: $($script:OneCluster -join ', ')."
        $files = $files | Where-Object { ($_.Name -replace '\.Tests\.ps1$') -notin $script:OneCluster }
    }
    $files = Sort-Longest $files
    return @($files)
}

function Start-PesterFile {
    # Runs one file, -Alone its tests with that tag and without it all others, in a PowerShell of its own.
    param([System.IO.FileInfo] $File, [switch] $Alone)
    $name = "pester-$($File.Name -replace '\.Tests\.ps1$')$($Alone ? '-alone' : '')"
    $report = Join-Path $script:Out "$name.json"
    Remove-Item -LiteralPath $report -ErrorAction Ignore
    $program, $first = Get-PwshCommand
    $runner = Join-Path $PSScriptRoot 'run.ps1'
    $command = @($program) + $first + @('-NoProfile', '-NonInteractive', '-File', $runner, '-Report', $report,
        '-File', $File.FullName)
    if ($Alone) {
        $command += '-Alone'
    }
    if ($Filter) {
        $command += '-Filter', $Filter
    }
    $run = Start-Logged $name $command
    return $run | Add-Member -PassThru Report $report
}

function Complete-PesterFile {
    param([psobject] $Run)
    $ended = Complete-Logged $Run
    $total = New-Total
    if (Test-Path -LiteralPath $Run.Report) {
        $total = Get-Content -LiteralPath $Run.Report -Raw | ConvertFrom-Json
        if ($ended.Code -eq 0 -and $total.Passed + $total.Failed + $total.Skipped -eq 0) {
            return $total
        }
    }
    return Confirm-Total $total $ended.Code $Run.Name
}

function Invoke-PesterFile {
    # Runs files side by side, each of which has a namespace of its own; then, one by one, the tests that measure time.
    $total = New-Total
    $files = @(Get-PesterFile)
    $alone = @($files | Where-Object { Select-String -Quiet -LiteralPath $_ -Pattern "-Tag 'Alone'" })
    Invoke-Part $files { Start-PesterFile $_ } { Complete-PesterFile $_ } | Add-Total $total
    Invoke-Part $alone { Start-PesterFile $_ -Alone } { Complete-PesterFile $_ } -Most 1 | Add-Total $total
    return $total
}

function Invoke-PesterTest {
    $total = New-Total
    $missing = @()
    if (-not $env:PYDEBUG_TEST_KUBECONFIG) {
        $missing = Install-ForSandbox
        if ((id -u) -ne '0') {
            $missing += 'root'
        }
    }
    if ($missing) {
        Write-Warning "The Pester tests are skipped. Missing: $($missing -join ', ')."
        $total.Skipped++
        return $total
    }
    $packages = Join-Path $script:Out 'packages'
    $project = Join-Path (Split-Path $PSScriptRoot) '.config/Pester.csproj'
    Invoke-Native dotnet @('restore', $project, '--packages', $packages, '-v:quiet')
    $cluster = $null
    try {
        if (-not $env:PYDEBUG_TEST_KUBECONFIG) {
            $cluster = Start-TestCluster
            $env:PYDEBUG_TEST_KUBECONFIG = $cluster.Kubeconfig
            $env:PYDEBUG_TEST_KIND = $cluster.Kind
        }
        $env:PYDEBUG_MODULE = $env:PYDEBUG_MODULE ? $env:PYDEBUG_MODULE : $script:Module
        return Confirm-Total (Invoke-PesterFile) 0 'Pester'
    }
    finally {
        if ($cluster) {
            Stop-TestCluster $cluster
            $env:PYDEBUG_TEST_KUBECONFIG = $null
        }
    }
}

function New-Total {
    return [pscustomobject]@{ Passed = 0; Failed = 0; Skipped = 0 }
}

function Add-Total {
    # Adds what comes from the pipeline to a total.
    param([psobject] $Total, [Parameter(ValueFromPipeline)] [psobject] $Part)
    process {
        foreach ($name in 'Passed', 'Failed', 'Skipped') {
            $Total.$name += $Part.$name
        }
    }
}

function Confirm-Total {
    # A runner that failed or ran nothing has failed, whatever it counted.
    param([psobject] $Total, [int] $Code, [string] $Runner)
    if (($Code -ne 0 -and $Total.Failed -eq 0) -or $Total.Passed + $Total.Failed + $Total.Skipped -eq 0) {
        Write-Host "$Runner ended with exit code $Code and counted $($Total.Passed) passed, $($Total.Failed) failed."
        $Total.Failed++
    }
    return $Total
}

function Invoke-Test {
    Invoke-Build
    $totals = [ordered]@{}
    foreach ($part in 'Xunit', 'Browser', 'Agent', 'Pester') {
        if ($part -in $Only) {
            Write-Host "== $part"
            try {
                $totals[$part] = & "Invoke-${part}Test"
            }
            catch {
                Write-Host "$_`n$($_.ScriptStackTrace)"
                $totals[$part] = Confirm-Total (New-Total) 1 $part
            }
        }
    }
    foreach ($part in $totals.Keys) {
        $counted = $totals[$part]
        Write-Host ('{0,-7} {1} passed, {2} failed, {3} skipped' -f
            $part, $counted.Passed, $counted.Failed, $counted.Skipped)
    }
    $sum = New-Total
    foreach ($name in 'Passed', 'Failed', 'Skipped') {
        $sum.$name = ($totals.Values | Measure-Object -Property $name -Sum).Sum
    }
    Write-Host "$($sum.Passed) passed, $($sum.Failed) failed, $($sum.Skipped) skipped"
    return $sum.Failed -eq 0 ? 0 : 1
}

