# Every table of the module at 80 columns, captured and written to a file: no column is lost. No cluster is needed.

BeforeDiscovery {
    [xml] $file = Get-Content -Raw -LiteralPath (Join-Path (Split-Path $PSScriptRoot) 'src/PyDebug/PyDebug.Format.ps1xml')
    $seen = @{}
    $script:tables = @(foreach ($view in $file.Configuration.ViewDefinitions.View) {
            $table = $view.SelectSingleNode('TableControl')
            if ($table) {
                foreach ($name in $view.ViewSelectedBy.TypeName) {
                    # Format-Table takes the first.
                    if (-not $seen[$name]) {
                        $seen[$name] = $true
                        @{ Type = $name; Columns = @($table.TableHeaders.TableColumnHeader | ForEach-Object Label) }
                    }
                }
            }
        })
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    Import-Module (Join-Path $script:ModulePath 'PyDebug.psd1')
    . (Join-Path $PSScriptRoot 'records.ps1')
}

Describe 'A table of 80 columns' {
    It 'has every column of <Type>, however long the values are' -ForEach $script:tables {
        $record = New-FullRecord ($Type -as [type])
        $lines = @($record, $record | Format-Table | Out-String -Width 80 -Stream)
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 80 }
        # The line above the dashes: the label of a column that is too narrow would be wrapped over several.
        $at = @(0..($lines.Count - 1) | Where-Object { $lines[$_] -match '^[ -]*---[ -]*$' })[0]
        $place = 0
        foreach ($label in $Columns) {
            $found = $lines[$at - 1].IndexOf($label, $place, [StringComparison]::Ordinal)
            $found | Should -BeGreaterOrEqual 0 -Because "'$label' should be in '$($lines[$at - 1])'"
            $place = $found + $label.Length
        }
        $dashes = $lines[$at] -split '\s+' | Where-Object { $_ }
        $dashes.Count | Should -BeGreaterOrEqual $Columns.Count
    }

    It 'shows all tables there are' -ForEach @{ Count = $script:tables.Count } {
        $Count | Should -BeGreaterThan 25
    }

    It 'loses no column of a session or a process that is written to a file' {
        $out = Join-Path $TestDrive 'out.txt'
        $text = "`$PSStyle.OutputRendering = 'PlainText'; . '$(Join-Path $PSScriptRoot 'records.ps1')'`n" +
            "Import-Module '$(Join-Path $script:ModulePath 'PyDebug.psd1')'`n" +
            'New-FullRecord ([PyDebug.PodDebugSession]); New-FullRecord ([PyDebug.PyProcess]) | Format-Table'
        $program, $first = Get-PwshCommand
        & $program @first -NoProfile -NonInteractive -Command $text > $out
        $LASTEXITCODE | Should -Be 0
        $said = Get-Content -Raw -LiteralPath $out
        $said | Should -Match '(?m)^ *Pod and container +DebugContainer +Profile +User +State +Age *$'
        $said | Should -Match '(?m)^ *Process +Parent +Role +State +Python +Threads +RSS +CPU +Age +Command *$'
    }
}
