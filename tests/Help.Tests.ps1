BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:cmdlets = (Get-Command -Module PyDebug).Name | ForEach-Object { @{ Name = $_ } }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:pages = Join-Path (Split-Path $PSScriptRoot) 'en-US'
    [xml] $script:maml = Get-Content -Raw -LiteralPath (Join-Path $script:pages 'PyDebug.dll-Help.xml')
    $script:common = [Management.Automation.PSCmdlet]::CommonParameters +
        [Management.Automation.PSCmdlet]::OptionalCommonParameters

    function Get-OwnParameter([string] $Name) {
        (Get-Command $Name).Parameters.Values | Where-Object Name -NotIn $script:common
    }

    function Get-MamlCommand([string] $Name) {
        $script:maml.helpItems.command | Where-Object { $_.details.name -eq $Name }
    }
}

Describe 'The help of <Name>' -ForEach $script:cmdlets {
    BeforeAll {
        $script:text = Get-Content -Raw -LiteralPath (Join-Path $script:pages "$Name.md")
        # Each parameter's heading, its text and its aliases.
        $script:described = @{}
        foreach ($match in [regex]::Matches($script:text, '(?ms)^### -(\w+)\s+(.*?)^```yaml\s*$(.*?)^```')) {
            $script:described[$match.Groups[1].Value] = @{
                Text    = $match.Groups[2].Value.Trim()
                Aliases = @([regex]::Matches($match.Groups[3].Value,
                    '(?m)^- (?!Name:)(\w+)\s*$').ForEach({ $_.Groups[1].Value }))
            }
        }
    }

    It 'names exactly the parameters that the cmdlet has' {
        $real = (Get-OwnParameter $Name).Name | Where-Object { $_ -notin 'WhatIf', 'Confirm' } | Sort-Object
        $paged = $script:described.Keys | Where-Object { $_ -notin 'WhatIf', 'Confirm' } | Sort-Object
        $paged | Should -Be $real
    }

    It 'says something about each parameter' {
        foreach ($parameter in $script:described.Keys) {
            $script:described[$parameter].Text | Should -Match '\w{2,}.*\.$' -Because "-$parameter needs a sentence"
        }
    }

    It 'names the aliases of each parameter' {
        foreach ($parameter in Get-OwnParameter $Name | Where-Object { $_.Name -notin 'WhatIf', 'Confirm' }) {
            ($script:described[$parameter.Name].Aliases | Sort-Object) -join ',' |
                Should -Be (($parameter.Aliases | Sort-Object) -join ',') -Because "of -$($parameter.Name)"
        }
    }

    It 'has the same parameters in the MAML' {
        $maml = (Get-MamlCommand $Name).parameters.parameter.name | Sort-Object -Unique
        $maml | Where-Object { $_ -notin 'WhatIf', 'Confirm' } |
            Should -Be ((Get-OwnParameter $Name).Name | Where-Object { $_ -notin 'WhatIf', 'Confirm' } | Sort-Object)
    }

    It 'has an example, and Get-Help shows what the page says' {
        $shown = Get-Help $Name -Full
        $synopsis = [regex]::Match($script:text, '(?ms)^## SYNOPSIS\s+(.*?)\s+^## ').Groups[1].Value
        $shown.Synopsis.Trim() | Should -Be $synopsis
        @($shown.examples.example).Count | Should -BeGreaterThan 0
        foreach ($parameter in $shown.parameters.parameter | Where-Object name -NotIn 'WhatIf', 'Confirm') {
            $text = ($parameter.description.Text -join ' ') -replace '\s+', ' '
            $text.Trim() | Should -Be ($script:described[$parameter.name].Text -replace '\s+',
                ' ') -Because "of -$($parameter.name)"
        }
    }
}

Describe 'The about topics' {
    It 'are found by Get-Help: <_>' -ForEach 'about_PyDebug', 'about_PyDebug_Runbooks', 'about_PyDebug_Security' {
        (Get-Help $_ | Out-String) | Should -Match $_
    }
}
