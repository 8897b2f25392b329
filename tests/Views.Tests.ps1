# Every view of the module: at 80 columns, captured and written to a file, no column of a table is lost; and it says the
# same where scripts may call no methods. No cluster is needed.

BeforeDiscovery {
    # The build makes it.
    $made = Join-Path (Split-Path $PSScriptRoot) 'src/PyDebug/PyDebug.Format.ps1xml'
    [xml] $file = Get-Content -Raw -LiteralPath $made
    $script:blocks = $file.SelectNodes('//ScriptBlock').Count
    $script:types = @($file.Configuration.ViewDefinitions.View.ViewSelectedBy.TypeName | Sort-Object -Unique)
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
    $script:constrained = $null
    . (Join-Path $PSScriptRoot 'common.ps1')
    Import-Module (Join-Path $script:ModulePath 'PyDebug.psd1')
    . (Join-Path $PSScriptRoot 'records.ps1')
    $script:render = {
        param($Record)
        foreach ($text in ($Record | Out-String -Width 80), ($Record | Format-Table | Out-String -Width 80),
            ($Record | Format-List | Out-String -Width 80), ($Record | Format-Custom | Out-String -Width 80)) {
            $text
        }
    }
    $script:constrained = [runspacefactory]::CreateRunspace([initialsessionstate]::CreateDefault2())
    $script:constrained.Open()
    $shell = [powershell]::Create($script:constrained)
    $null = $shell.AddCommand('Import-Module').AddArgument((Join-Path $script:ModulePath 'PyDebug.psd1')).Invoke()
    $shell.Dispose()
    $script:constrained.SessionStateProxy.LanguageMode = 'ConstrainedLanguage'
}

AfterAll {
    if ($script:constrained) {
        $script:constrained.Dispose()
    }
}

Describe 'A view' {
    It 'is made of properties alone' -ForEach @{ Blocks = $script:blocks } {
        $Blocks | Should -Be 0
    }

    It 'says of <_> the same under ConstrainedLanguage' -ForEach $script:types {
        $record = New-FullRecord ($_ -as [type])
        $shell = [powershell]::Create($script:constrained)
        try {
            $said = $shell.AddScript("$script:render").AddParameter('Record', $record).Invoke()
            $shell.Commands.Clear()
            # What a view that calls a method would meet.
            $null = $shell.AddScript('[PyDebug.PyDebugException]::new()').Invoke()
            $shell.Streams.Error[0].FullyQualifiedErrorId | Should -Match 'ConstrainedLanguage'
        }
        finally {
            $shell.Dispose()
        }
        $said | Should -Be @(& $script:render $record)
        $said[0].Trim() | Should -Not -BeNullOrEmpty
    }

    It 'adds nothing to <_> as JSON and CLIXML keep it, and says the same of what is made again' `
        -ForEach $script:types {
        $type = $_ -as [type]
        $record = New-FullRecord $type | Add-Member Note 'added' -PassThru
        $kept = [Management.Automation.PSSerializer]::Serialize($record)
        $names = @($type.GetProperties().Name) + 'Note' | Sort-Object
        [xml] $xml = $kept
        $written = $xml.Objs.Obj.SelectNodes('*[local-name() = "Props" or local-name() = "MS"]/*')
        @($written.GetAttribute('N') | Sort-Object) | Should -Be $names
        $json = $record | ConvertTo-Json -Depth 5
        @(($json | ConvertFrom-Json).psobject.Properties.Name | Sort-Object) | Should -Be $names
        $again = [Management.Automation.PSSerializer]::Deserialize($kept)
        $again | Should -BeOfType $type
        $again | ConvertTo-Json -Depth 5 | Should -Be $json
        @(& $script:render $again) | Should -Be @(& $script:render $record)
    }
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
