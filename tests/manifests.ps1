# Kubernetes manifests in YAML, made through the API of common.ps1. Dot-sourced after it.

[void][System.Reflection.Assembly]::LoadFrom((Join-Path $script:ModulePath 'bin/dependencies/YamlDotNet.dll'))

function ConvertFrom-Manifest {
    # One manifest, as the JSON that the API takes.
    param([string] $Path)
    $reader = [System.IO.StringReader]::new((Get-Content -Raw -LiteralPath $Path))
    $builder = [YamlDotNet.Serialization.DeserializerBuilder]::new().WithAttemptingUnquotedStringTypeDeserialization()
    $value = $builder.Build().Deserialize($reader)
    return [YamlDotNet.Serialization.SerializerBuilder]::new().JsonCompatible().Build().Serialize($value)
}

function New-ManifestObject {
    # Makes the object; -Namespace for one that names none. Gives its name.
    param([string] $Path, [string] $Namespace = 'default')
    $json = ConvertFrom-Manifest $Path
    $object = $json | ConvertFrom-Json
    $place = $object.metadata.PSObject.Properties['namespace'] ? $object.metadata.namespace : $Namespace
    $inside = "/api/v1/namespaces/$place/$($object.kind.ToLowerInvariant())s"
    $address = $object.kind -eq 'Namespace' ? '/api/v1/namespaces' : $inside
    Wait-Until -What "$($object.metadata.name) to be accepted" -Seconds 20 {
        $answer = Invoke-TestApi POST $address $json -Allow 403, 409
        $answer.kind -eq $object.kind -or $answer.reason -eq 'AlreadyExists'
    } | Out-Null
}
