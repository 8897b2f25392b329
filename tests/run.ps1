# Runs one Pester file in a PowerShell of its own and writes how many tests passed. Started by build.ps1.
param([Parameter(Mandatory)] [string] $Report, [string] $File, [string] $Filter, [switch] $Alone)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSStyle.OutputRendering = 'PlainText'
Import-Module (Join-Path (Split-Path $PSScriptRoot) 'out/packages/pester/6.2.0/tools/Pester.psd1')

$configuration = New-PesterConfiguration
$configuration.Run.Path = $File
$configuration.Run.PassThru = $true
$configuration.Run.Exit = $false
$configuration.Output.Verbosity = 'Detailed'
$configuration.Output.RenderMode = 'Plaintext'
# Those measure time, or hold what others would disturb.
$configuration.Filter.($Alone ? 'Tag' : 'ExcludeTag') = 'Alone'
if ($Filter -and $Alone) {
    # Pester takes what has the tag or the name: what has both is found first, and then named by its lines.
    $found = New-PesterConfiguration
    $found.Run.Path = $File
    $found.Run.PassThru = $true
    $found.Run.SkipRun = $true
    $found.Output.Verbosity = 'None'
    $found.Filter.FullName = $Filter -split ';'
    $lines = @((Invoke-Pester -Configuration $found).Tests |
            Where-Object { $_.ShouldRun -and (@($_.Tag) + $_.Block.Tag + $_.Block.Parent.Tag) -contains 'Alone' } |
            ForEach-Object { "${File}:$($_.StartLine)" } | Select-Object -Unique)
    if (-not $lines) {
        [ordered]@{ Passed = 0; Failed = 0; Skipped = 0 } | ConvertTo-Json | Set-Content -LiteralPath $Report
        exit 0
    }
    $configuration.Filter.Tag = @()
    $configuration.Filter.Line = $lines
}
elseif ($Filter) {
    $configuration.Filter.FullName = $Filter -split ';'
}
$result = Invoke-Pester -Configuration $configuration
[ordered]@{
    Passed = $result.PassedCount
    # A block or a file that could not be set up has failed, with tests or without.
    Failed = $result.FailedCount + $result.FailedBlocksCount + $result.FailedContainersCount
    Skipped = $result.SkippedCount
} | ConvertTo-Json | Set-Content -LiteralPath $Report
exit ($result.Result -eq 'Passed' ? 0 : 1)
