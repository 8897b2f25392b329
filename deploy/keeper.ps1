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
# The program is a part of the assembly. It goes out in parts that are compiled one after the other.
$context = [System.Runtime.Loader.AssemblyLoadContext]::new('keeper', $true)
$path = (Resolve-Path -LiteralPath (Join-Path $Module 'bin/dependencies/PyDebug.Engine.dll')).ProviderPath
$reader = [System.IO.StreamReader]::new($context.LoadFromAssemblyPath($path).GetManifestResourceStream('agent/keeper.py'))
$text = $reader.ReadToEnd().Replace("`r`n", "`n")
$reader.Dispose()
$context.Unload()
$first, $rest = $text -split "`n`n", 2
$program = "$first`nfor part in r'''$rest'''.split('\n\n\n'):`n    exec(part)`n"
@{
    apiVersion = 'v1'
    kind       = 'ConfigMap'
    metadata   = @{ name = 'pydebug-keeper' }
    data       = @{ keeper = $program; images = $Image -join "`n" }
} | ConvertTo-Json -Depth 4
