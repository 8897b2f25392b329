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

    It 'is imported within two seconds' {
        $seconds = Invoke-ChildPwsh "(Measure-Command { Import-Module '$($script:psd1)' }).TotalSeconds"
        [double]$seconds | Should -BeLessThan 2
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

    It 'has a view for <_>' -ForEach 'PyDebug.PodDebugSession', 'PyDebug.PyProcess', 'PyDebug.PyThreadStack', 'PyDebug.PyTimeReport', 'PyDebug.MemrayReport' {
        Get-FormatData -TypeName $_ -PowerShellVersion 7.0 | Should -Not -BeNullOrEmpty
    }
}
