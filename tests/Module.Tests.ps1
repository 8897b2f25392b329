BeforeDiscovery {
    $manifest = Import-PowerShellDataFile (Join-Path (Split-Path $PSScriptRoot) 'PyDebug.psd1')
    $script:cmdlets = $manifest.CmdletsToExport | ForEach-Object { @{ Name = $_ } }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:psd1 = Join-Path $script:ModulePath 'PyDebug.psd1'
    $script:packages = Join-Path $script:Repository 'out/packages'
    $script:loaded = '[AppDomain]::CurrentDomain.GetAssemblies().GetName().Name'
}

Describe 'The module' {
    It 'has a valid manifest' {
        (Test-ModuleManifest $script:psd1).Version | Should -BeGreaterThan ([version]'0.0')
    }

    It 'exports exactly the cmdlets that the manifest names' {
        $named = (Import-PowerShellDataFile $script:psd1).CmdletsToExport | Sort-Object
        (Get-Module PyDebug).ExportedCommands.Keys | Sort-Object | Should -Be $named
    }

    It 'exports only approved verbs' {
        $approved = (Get-Verb).Verb
        Get-Command -Module PyDebug | ForEach-Object { $_.Verb | Should -BeIn $approved }
    }

    It 'has one file beside the folders in bin, and no script module' {
        Get-ChildItem -File (Join-Path $script:ModulePath 'bin') | Select-Object -ExpandProperty Name | Should -Be 'PyDebug.dll'
        Get-ChildItem -Recurse $script:ModulePath -Filter '*.psm1' | Should -BeNullOrEmpty
    }

    It 'loads neither the engine nor its dependencies when it is imported' {
        $names = Invoke-ChildPwsh "Import-Module '$($script:psd1)'; $($script:loaded)"
        $names | Should -Contain 'PyDebug'
        $names | Should -Not -Contain 'PyDebug.Engine'
        $names | Should -Not -Contain 'KubernetesClient'
        $names | Should -Not -Contain 'YamlDotNet'
    }

    It 'is imported for less than two seconds of a processor' {
        $used = '[Environment]::CpuUsage.TotalTime'
        $seconds = Invoke-ChildPwsh "`$before = $used; Import-Module '$($script:psd1)'; ($used - `$before).TotalSeconds"
        [double]$seconds | Should -BeLessThan 2
        [double]$seconds | Should -BeGreaterThan 0
    }

    It 'works beside another YamlDotNet and KubernetesClient that were loaded before' {
        $yaml = "$($script:packages)/yamldotnet/16.3.0/lib/net8.0/YamlDotNet.dll"
        $client = "$($script:packages)/kubernetesclient/19.0.2/lib/net8.0/KubernetesClient.dll"
        $lines = Invoke-ChildPwsh @"
`$yaml = [Reflection.Assembly]::LoadFrom('$yaml'); [void][Reflection.Assembly]::LoadFrom('$client')
Import-Module '$($script:psd1)'
Get-PodDebug -Namespace default | Out-Null
([YamlDotNet.Serialization.SerializerBuilder]::new()).Build().Serialize(@{ a = 1 })
[YamlDotNet.Serialization.SerializerBuilder].Assembly.GetName().Version.ToString()
$($script:loaded) | Where-Object { `$_ -eq 'YamlDotNet' }
"@
        $lines | Should -Contain 'a: 1'
        $lines | Should -Contain '16.0.0.0'
        @($lines | Where-Object { $_ -eq 'YamlDotNet' }).Count | Should -Be 2
    }

    It 'works with another YamlDotNet loaded after its first command' {
        $yaml = "$($script:packages)/yamldotnet/16.3.0/lib/net8.0/YamlDotNet.dll"
        Invoke-ChildPwsh @"
Import-Module '$($script:psd1)'
Get-PodDebug -Namespace default | Out-Null
[void][Reflection.Assembly]::LoadFrom('$yaml')
[YamlDotNet.Serialization.SerializerBuilder].Assembly.GetName().Version.ToString()
Import-Module '$($script:psd1)' -Force
Get-PodDebug -Namespace default | Out-Null
'again'
"@ | Should -Be '16.0.0.0', 'again'
    }

    Context 'whose files were moved, damaged or replaced' {
        BeforeEach {
            $script:copy = Join-Path ([IO.Path]::GetTempPath()) "pydebug-module-$([guid]::NewGuid().ToString('n'))"
            Copy-Item -Recurse $script:ModulePath $script:copy
            $script:engine = Join-Path $script:copy 'bin/dependencies/PyDebug.Engine.dll'
            $script:import = "Import-Module '$($script:copy)/PyDebug.psd1'"
            $script:ask = "try { Get-PodDebug -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId; `$_.Exception.Message }"
        }

        AfterEach {
            Remove-Item -Recurse -Force $script:copy, "$($script:copy)-2" -ErrorAction Ignore
        }

        It 'says so where the folder is gone, and the session goes on' {
            $lines = Invoke-ChildPwsh "$($script:import); Move-Item '$($script:copy)' '$($script:copy)-2'; $($script:ask); 'alive'"
            $lines[0] | Should -BeLike 'ModuleDamaged,*'
            # The engine, or where that was loaded a moment before, what it reads.
            $lines[1] | Should -Match "'.+' cannot be (loaded|read).*Start a new PowerShell"
            $lines[-1] | Should -Be 'alive'
        }

        It 'says so where a file is damaged or missing: <Name>' -ForEach @(
            @{ Name = 'bin/dependencies/PyDebug.Engine.dll'; Length = 100000 }
            @{ Name = 'bin/dependencies/PyDebug.Engine.dll'; Length = 0 }
        ) {
            $path = Join-Path $script:copy $Name
            if ($Length -lt 0) { Remove-Item $path }
            else { $file = [IO.File]::OpenWrite($path); $file.SetLength($Length); $file.Dispose() }
            $lines = Invoke-ChildPwsh "$($script:import); $($script:ask); 'alive'"
            $lines[0] | Should -BeLike 'ModuleDamaged,*'
            $lines[1] | Should -BeLike "*$(Split-Path -Leaf $Name)' cannot be *"
            $lines[-1] | Should -Be 'alive'
        }

        It 'lets the runtime itself look in vain: an exception on its compiler''s thread would end the session' {
            [IO.File]::WriteAllBytes($script:engine, @())
            $lines = Invoke-ChildPwsh @"
$($script:import)
try { [Runtime.Loader.AssemblyLoadContext]::Default.LoadFromAssemblyName('PyDebug.Engine') }
catch { `$_.Exception.InnerException.GetType().Name }
$($script:ask)
"@
            $lines[0] | Should -Be 'FileNotFoundException'
            $lines[1] | Should -BeLike 'ModuleDamaged,*'
            $lines[2] | Should -BeLike "*PyDebug.Engine.dll' cannot be loaded: *"
        }

        It 'refuses a second version with one error that says to start anew' {
            # Another build of the same: any other assembly stands for it.
            $other = Join-Path "$($script:copy)-2" 'bin/PyDebug.dll'
            Copy-Item -Recurse $script:copy "$($script:copy)-2"
            Copy-Item -Force $script:engine $other
            $lines = Invoke-ChildPwsh @"
$($script:import)
try { Import-Module '$($script:copy)-2/PyDebug.psd1' -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId; [string]`$_ }
Remove-Module PyDebug
try { Import-Module '$($script:copy)-2/PyDebug.psd1' -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId }
`$Error.Count
"@
            $lines[0] | Should -BeLike 'ModuleLoadedAlready*'
            $lines[1] | Should -BeLike '*is loaded in this session*Start a new PowerShell*'
            $lines[2] | Should -BeLike 'ModuleLoadedAlready*'
            $lines[-1] | Should -Be '2'
        }

        It 'runs no engine of another build than its own' {
            # The runtime may ask for the engine on a thread of its own before the module is replaced: that is the
            # right one still, and goes on without an error.
            foreach ($try in 1..8) {
                $copy = "$($script:copy)-$try"
                Copy-Item -Recurse $script:copy $copy
                $lines = @(Invoke-ChildPwsh @"
Import-Module '$copy/PyDebug.psd1'
Copy-Item '$($script:engine)' '$copy/bin/new.dll'; Move-Item -Force '$copy/bin/new.dll' '$copy/bin/PyDebug.dll'
$($script:ask)
'end'
"@)
                Remove-Item -Recurse -Force $copy
                $lines[-1] | Should -Be 'end'
                if ($lines.Count -gt 1) {
                    $lines[0] | Should -BeLike 'ModuleDamaged,*'
                    $lines[1] | Should -BeLike '*was replaced*Start a new PowerShell*'
                    return
                }
            }
            Set-ItResult -Skipped -Because 'the runtime had the engine before it could be replaced, eight times'
        }

        It 'takes a second copy of the same build beside the first, with records that are written as deep' {
            Invoke-ChildPwsh "Import-Module '$($script:psd1)'; $($script:import); (Get-TypeData PyDebug.PyTask).SerializationDepth; `$Error.Count" |
                Should -Be '6', '0'
        }
    }

    It 'lets nobody name a type of the engine' {
        Invoke-ChildPwsh @"
Import-Module '$($script:psd1)'
Get-PodDebug -Namespace default | Out-Null
'PyDebug.Engine.KubeGateway', 'k8s.Kubernetes', 'YamlDotNet.Serialization.Deserializer' | ForEach-Object { `$null -eq (`$_ -as [type]) }
"@ | Should -Be 'True', 'True', 'True'
    }

    It 'has no type of the engine or of Kubernetes in its public members' {
        $assembly = (Get-Module PyDebug).ImplementingAssembly
        $seen = foreach ($type in $assembly.GetExportedTypes()) {
            foreach ($member in $type.GetProperties()) { $member.PropertyType.FullName }
            foreach ($member in $type.GetMethods()) { $member.ReturnType.FullName; $member.GetParameters() | ForEach-Object { $_.ParameterType.FullName } }
        }
        $seen | Where-Object { $_ -match '^(PyDebug\.Engine|k8s)\.' } | Should -BeNullOrEmpty
    }

    It 'takes no bare TimeSpan: <Name>' -ForEach $script:cmdlets {
        (Get-Command $Name).Parameters.Values.ParameterType | Should -Not -Contain ([TimeSpan])
    }

    It 'says what it writes: <Name>' -ForEach $script:cmdlets {
        (Get-Command $Name).OutputType | Should -Not -BeNullOrEmpty
    }

    It 'asks by default only where it changes a process: <Name>' -ForEach $script:cmdlets {
        $attribute = (Get-Command $Name).ImplementingType.GetCustomAttributes([System.Management.Automation.CmdletAttribute], $false)[0]
        $asks = $attribute.ConfirmImpact -eq [System.Management.Automation.ConfirmImpact]::High
        $asks | Should -Be ($Name -eq 'Get-MemrayReport')
    }

    It 'has a view for <_>' -ForEach 'PyDebug.PodDebugSession', 'PyDebug.PyProcess', 'PyDebug.PyThreadStack', 'PyDebug.PyTimeReport', 'PyDebug.MemrayReport', 'PyDebug.PyHeapReport', 'PyDebug.PyHeapDifference' {
        Get-FormatData -TypeName $_ -PowerShellVersion 7.0 | Should -Not -BeNullOrEmpty
    }

    It 'shows the whole number of a user, and long names, in 120 columns' {
        $values = @{
            Namespace = 'shop-production-eu-west-1'; PodName = 'checkout-backend-689b8cc9c4-9572s'; User = '1000680000'
            ContainerName = 'checkout-backend'; DebugContainer = 'pydebug-7h2kx'; Profile = 'Restricted'
            Image = 'registry.example/shop/checkout:3.14.2'; ImageSource = 'Application'; State = 'Running'
        }
        $session = [System.Activator]::CreateInstance([PyDebug.PodDebugSession], $true)
        $values.GetEnumerator() | ForEach-Object { [PyDebug.PodDebugSession].GetProperty($_.Key).SetValue($session, $_.Value) }
        $lines = $session | Out-String -Width 120 -Stream
        $lines -join "`n" | Should -Match '(?m) Restricted +1000680000 '
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
    }
}
