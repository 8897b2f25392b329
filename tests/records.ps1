# Records of the module with a long value in every property, to see what their views make of them. Dot-sourced.

function New-FullValue {
    # The longest value that a property may reasonably have; nothing for what is not known here.
    param([type] $Type, [string] $Name, [int] $Depth)
    $plain = [Nullable]::GetUnderlyingType($Type) ?? $Type
    if ($plain -eq [string]) {
        return ("$Name-" * 60).Substring(0, 60)
    }
    if ($plain -eq [bool]) {
        return $true
    }
    if ($plain -in [int], [long]) {
        # The largest process id, 115 GiB, or many.
        $number = $Name -match 'Id$|^ThreadCount$' ? 4194304 : $Name -match 'Bytes' ? 123456789012 : 12345678
        return [Convert]::ChangeType([Math]::Min($number, [double]$plain::MaxValue), $plain)
    }
    if ($plain -eq [double]) {
        return $Name -match 'Percent' ? 100.0 : $Name -match 'Bytes' ? 123456789012.0 : $Name -match 'Rate' ? 1000.5 :
            12345.678
    }
    if ($plain -eq [DateTime]) {
        return [DateTime]::UtcNow.AddDays(-500)
    }
    if ($plain.IsGenericType -and $plain.Name -like 'IReadOnlyList*') {
        $element = $plain.GetGenericArguments()[0]
        $list = [Activator]::CreateInstance([System.Collections.Generic.List`1].MakeGenericType($element))
        if ($Depth -lt 2) {
            $value = New-FullValue $element $Name ($Depth + 1)
            if ($null -ne $value) {
                $list.Add($value)
            }
        }
        return , $list
    }
    if ($plain.IsClass -and "$($plain.Namespace)" -like 'PyDebug*' -and $Depth -lt 2) {
        return New-FullRecord $plain ($Depth + 1)
    }
}

function New-FullRecord {
    # A record of a type; -Depth says how deep it is in another.
    param([type] $Type, [int] $Depth)
    $record = [System.Runtime.CompilerServices.RuntimeHelpers]::GetUninitializedObject($Type)
    foreach ($property in $Type.GetProperties()) {
        if ($property.CanWrite) {
            $value = New-FullValue $property.PropertyType $property.Name $Depth
            if ($null -ne $value) {
                $property.SetValue($record, $value)
            }
        }
    }
    return $record
}
