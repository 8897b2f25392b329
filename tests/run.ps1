# Runs the Pester tests in a PowerShell of their own and writes how many passed. Started by build.ps1.
param([Parameter(Mandatory)] [string] $Report, [string] $Names, [string] $Filter)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSStyle.OutputRendering = 'PlainText'
Import-Module (Join-Path (Split-Path $PSScriptRoot) 'out/packages/pester/6.2.0/tools/Pester.psd1')

$files = Get-ChildItem -Path (Join-Path $PSScriptRoot '*.Tests.ps1')
if ($Names) {
    $files = @($files | Where-Object { $file = $_; $Names -split ',' | Where-Object { $file.Name -like "*$_*" } })
}
$configuration = New-PesterConfiguration
$configuration.Run.Path = @($files.FullName)
$configuration.Run.PassThru = $true
$configuration.Run.Exit = $false
$configuration.Output.Verbosity = 'Detailed'
$configuration.Output.RenderMode = 'Plaintext'
if ($Filter) {
    $configuration.Filter.FullName = $Filter
}
$result = Invoke-Pester -Configuration $configuration
[ordered]@{
    Passed = $result.PassedCount
    # A block or a file that could not be set up has failed, with tests or without.
    Failed = $result.FailedCount + $result.FailedBlocksCount + $result.FailedContainersCount
    Skipped = $result.SkippedCount
} | ConvertTo-Json | Set-Content -LiteralPath $Report
exit ($result.Result -eq 'Passed' ? 0 : 1)
