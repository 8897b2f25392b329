BeforeDiscovery {
    $folder = Join-Path (Split-Path $PSScriptRoot) 'examples/badapp'
    $script:manifests = Get-ChildItem $folder -Filter '*.yaml' | Where-Object Name -notlike 'namespace-*' |
        ForEach-Object { @{ Manifest = $_.Name; File = $_.FullName } }
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    . (Join-Path $PSScriptRoot 'manifests.ps1')
    $script:ns = New-TestNamespace
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'The examples' {
    It 'run, and their stacks are read: <Manifest>' -ForEach $script:manifests {
        $pod = ConvertFrom-Manifest $File | ConvertFrom-Json -AsHashtable
        $pod.metadata.namespace = $script:ns
        Invoke-TestApi POST "/api/v1/namespaces/$($script:ns)/pods" $pod | Out-Null
        $name = $pod.metadata.name
        Wait-TestPod $script:ns $name
        $container = @{ 'backend.yaml' = 'uwsgi' }[$Manifest] ?? 'web'
        $session = Start-PodDebug $name -Namespace $script:ns -ContainerName $container
        Wait-Until -What 'its stacks' { $session | Get-PyStack } | Should -Not -BeNullOrEmpty
    }

    It 'name no registry' {
        Get-ChildItem (Join-Path $script:Repository 'examples/badapp') -Filter '*.yaml' |
            Select-String -Pattern 'image:' |
            ForEach-Object { $_.Line | Should -Match 'image: pydebug\.test/[a-z0-9]+:1$' }
    }
}
