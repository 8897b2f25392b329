<#
.SYNOPSIS
Writes the ConfigMap that deploy/admission-policy.yaml takes: the program of PyDebug's debug containers, and images.
.PARAMETER Image
Images that are allowed besides the target container's own.
.PARAMETER Module
The folder of the module; without it that of the installed one.
#>
param([string[]] $Image = @(), [string] $Module)

$ErrorActionPreference = 'Stop'
if (-not $Module) {
    $Module = (Get-Module -ListAvailable PyDebug | Select-Object -First 1).ModuleBase
}
# Both are parts of the assembly: the command's text, and the program that it takes from a variable.
$context = [System.Runtime.Loader.AssemblyLoadContext]::new('keeper', $true)
$path = (Resolve-Path -LiteralPath (Join-Path $Module 'bin/dependencies/PyDebug.Engine.dll')).ProviderPath
$assembly = $context.LoadFromAssemblyPath($path)
$command, $program = foreach ($name in 'keeper_boot.py', 'keeper.py') {
    $reader = [System.IO.StreamReader]::new($assembly.GetManifestResourceStream("agent/$name"))
    $reader.ReadToEnd().Replace("`r`n", "`n")
    $reader.Dispose()
}
$context.Unload()
@{
    apiVersion = 'v1'
    kind       = 'ConfigMap'
    metadata   = @{ name = 'pydebug-keeper' }
    data       = @{ keeper = $command.Trim(); program = $program; images = $Image -join "`n" }
} | ConvertTo-Json -Depth 4
