BeforeDiscovery {
    $manifest = Import-PowerShellDataFile (Join-Path (Split-Path $PSScriptRoot) 'PyDebug.psd1')
    $script:cmdlets = $manifest.CmdletsToExport | ForEach-Object { @{ Name = $_ } }
    # There are images for this system, and for the runtime of .NET 10 alone.
    $system = $IsWindows ? 'win' : $IsMacOS ? 'osx' : 'linux'
    $processor = [Runtime.InteropServices.RuntimeInformation]::ProcessArchitecture
    $place = "bin/compiled/$system-$processor".ToLowerInvariant()
    $module = $env:PYDEBUG_MODULE ? $env:PYDEBUG_MODULE : (Join-Path (Split-Path $PSScriptRoot) 'out/module/PyDebug')
    $script:compiled = (Test-Path (Join-Path $module $place)) ? $place : $null
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:psd1 = Join-Path $script:ModulePath 'PyDebug.psd1'
    $script:packages = Join-Path $script:Repository 'out/packages'
    $script:loaded = '[AppDomain]::CurrentDomain.GetAssemblies().GetName().Name'
    $script:places = '[AppDomain]::CurrentDomain.GetAssemblies().Location -match ''PyDebug(\.Engine)?\.dll$'''

    function Set-Identity {
        # Makes an assembly another build.
        param([string] $Path)
        $image = [Reflection.PortableExecutable.PEReader]::new([IO.File]::OpenRead($Path))
        $metadata = [Reflection.Metadata.PEReaderExtensions]::GetMetadataReader($image)
        $identity = $metadata.GetGuid($metadata.GetModuleDefinition().Mvid)
        $image.Dispose()
        Set-Replaced $Path $identity.ToByteArray() ([guid]::NewGuid().ToByteArray())
    }

    function Set-Replaced {
        # Puts other bytes in the place of some, wherever they are in a file.
        param([string] $Path, [byte[]] $Old, [byte[]] $New)
        $latin = [Text.Encoding]::Latin1
        $text = $latin.GetString([IO.File]::ReadAllBytes($Path))
        $text.Contains($latin.GetString($Old), 'Ordinal') | Should -BeTrue
        $text = $text.Replace($latin.GetString($Old), $latin.GetString($New), 'Ordinal')
        [IO.File]::WriteAllBytes($Path, $latin.GetBytes($text))
    }
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

    It 'has its assembly and a loader beside the folders in bin, and no script module' {
        $files = Get-ChildItem -File (Join-Path $script:ModulePath 'bin') | Sort-Object Name
        $files[0].Name | Should -Be 'PyDebug.dll'
        $files[1].Name | Should -Match '^PyDebug\.Loader\.[0-9a-f]{12}\.dll$'
        $files.Count | Should -Be 2
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
            $script:ask =
                "try { Get-PodDebug -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId; `$_.Exception.Message }"
        }

        AfterEach {
            Remove-Item -Recurse -Force $script:copy, "$($script:copy)-2" -ErrorAction Ignore
        }

        It 'says so where the folder is gone, and the session goes on' {
            $lines = Invoke-ChildPwsh ("$($script:import); Move-Item '$($script:copy)' '$($script:copy)-2'; " +
                "$($script:ask); 'alive'")
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
            # Another build: its assembly has another identity, and its loader another name.
            $bin = Join-Path "$($script:copy)-2" 'bin'
            Copy-Item -Recurse $script:copy "$($script:copy)-2"
            $loader = (Get-Item "$bin/PyDebug.Loader.*.dll").BaseName
            $other = 'PyDebug.Loader.000000000000'
            Set-Identity "$bin/PyDebug.dll"
            Set-Identity "$bin/$loader.dll"
            $names = $loader, $other | ForEach-Object { , [Text.Encoding]::ASCII.GetBytes($_) }
            Set-Replaced "$bin/$loader.dll" @names
            Move-Item "$bin/$loader.dll" "$bin/$other.dll"
            $manifest = "$($script:copy)-2/PyDebug.psd1"
            (Get-Content -Raw $manifest).Replace($loader, $other) | Set-Content $manifest
            $lines = Invoke-ChildPwsh @"
$($script:import)
try { Import-Module '$($script:copy)-2/PyDebug.psd1' -ErrorAction Stop }
catch { `$_.FullyQualifiedErrorId; [string]`$_ }
Remove-Module PyDebug
try { Import-Module '$($script:copy)-2/PyDebug.psd1' -ErrorAction Stop } catch { `$_.FullyQualifiedErrorId }
`$Error.Count
"@
            $lines[0] | Should -BeLike 'ModuleLoadedAlready*'
            $lines[1] | Should -BeLike '*is loaded in this session*Start a new PowerShell*'
            $lines[2] | Should -BeLike 'ModuleLoadedAlready*'
            $lines[-1] | Should -Be '2'
        }

        Context 'compiled ahead of time' -ForEach @{ Place = $script:compiled } -Skip:(-not $script:compiled) {
            BeforeEach {
                $script:images = Join-Path $script:copy $Place
                $script:tell = "Get-PodDebug -Namespace default -ErrorAction Stop; $($script:places); `$Error.Count"
            }

            It 'runs those, where they are of the same build' {
                Invoke-ChildPwsh "$($script:import); $($script:tell)" |
                    Should -Be "$($script:images)/PyDebug.dll", "$($script:images)/PyDebug.Engine.dll", '0'
            }

            It 'runs the assemblies themselves, and says nothing, where they are <_>' -ForEach @(
                'another system''s', 'another build''s', 'damaged', 'empty', 'missing'
            ) {
                $which = $_
                foreach ($image in (Get-Item "$($script:images)/*.dll").FullName) {
                    switch ($which) {
                        'another system''s' {
                            $bytes = [IO.File]::ReadAllBytes($image)
                            # An image says its processor, mixed with a number of its system; Windows has none.
                            $at = [BitConverter]::ToInt32($bytes, 0x3c) + 4
                            $bytes[$at], $bytes[$at + 1] = 0x64, 0x86
                            [IO.File]::WriteAllBytes($image, $bytes)
                        }
                        'another build''s' {
                            Set-Identity $image
                        }
                        'damaged' { $file = [IO.File]::OpenWrite($image); $file.SetLength(100000); $file.Dispose() }
                        'empty' { [IO.File]::WriteAllBytes($image, @()) }
                        'missing' { Remove-Item $image }
                    }
                }
                $bin = "$($script:copy)/bin"
                Invoke-ChildPwsh "$($script:import); $($script:tell)" |
                    Should -Be "$bin/PyDebug.dll", "$bin/dependencies/PyDebug.Engine.dll", '0'
            }
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
            Invoke-ChildPwsh ("Import-Module '$($script:psd1)'; $($script:import); (Get-TypeData " +
                "PyDebug.PyTask).SerializationDepth; `$Error.Count") |
                Should -Be '6', '0'
        }
    }

    It 'lets nobody name a type of the engine' {
        Invoke-ChildPwsh @"
Import-Module '$($script:psd1)'
Get-PodDebug -Namespace default | Out-Null
'PyDebug.Engine.KubeGateway', 'k8s.Kubernetes', 'YamlDotNet.Serialization.Deserializer' |
    ForEach-Object { `$null -eq (`$_ -as [type]) }
"@ | Should -Be 'True', 'True', 'True'
    }

    It 'has no type of the engine or of Kubernetes in its public members' {
        $assembly = [PyDebug.PodDebugSession].Assembly
        $seen = foreach ($type in $assembly.GetExportedTypes()) {
            foreach ($member in $type.GetProperties()) { $member.PropertyType.FullName }
            foreach ($member in $type.GetMethods()) { $member.ReturnType.FullName; $member.GetParameters() |
                ForEach-Object { $_.ParameterType.FullName } }
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
        $attribute = (Get-Command $Name).ImplementingType.GetCustomAttributes(
            [System.Management.Automation.CmdletAttribute], $false)[0]
        $asks = $attribute.ConfirmImpact -eq [System.Management.Automation.ConfirmImpact]::High
        $asks | Should -Be ($Name -eq 'Get-MemrayReport')
    }

    It 'has a view for <_>' -ForEach 'PyDebug.PodDebugSession', 'PyDebug.PyProcess', 'PyDebug.PyThreadStack',
        'PyDebug.PyTimeReport', 'PyDebug.MemrayReport', 'PyDebug.PyHeapReport', 'PyDebug.PyHeapDifference' {
        Get-FormatData -TypeName $_ -PowerShellVersion 7.0 | Should -Not -BeNullOrEmpty
    }

    It 'shows the whole number of a user, and long names, in 120 columns' {
        $values = @{
            Namespace = 'shop-production-eu-west-1'; PodName = 'checkout-backend-689b8cc9c4-9572s'; User = '1000680000'
            ContainerName = 'checkout-backend'; DebugContainer = 'pydebug-7h2kx'; Profile = 'Restricted'
            Image = 'registry.example/shop/checkout:3.14.2'; ImageSource = 'Application'; State = 'Running'
        }
        $session = [System.Activator]::CreateInstance([PyDebug.PodDebugSession], $true)
        $values.GetEnumerator() |
            ForEach-Object { [PyDebug.PodDebugSession].GetProperty($_.Key).SetValue($session, $_.Value) }
        $lines = $session | Out-String -Width 120 -Stream
        $lines -join "`n" | Should -Match '(?m) Restricted +1000680000 '
        $lines | ForEach-Object { $_.Length | Should -BeLessOrEqual 120 }
    }
}
