using System;
using System.Management.Automation;

namespace PyDebug.Commands;

/// <summary>Says what is wanted where a name or a number is given for a session.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SessionInputAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? bare = inputData is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : inputData;
        return bare is string or ValueType
            ? throw new ArgumentTransformationMetadataException(
                "a session is wanted, which Start-PodDebug and Get-PodDebug write, and not a "
                + $"{bare.GetType().Name}: Start-PodDebug {Internal.SafeText.Line(bare.ToString() ?? "", 60)} | ...")
            : inputData;
    }
}
