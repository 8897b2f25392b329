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
if ($Filter) {
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
