using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;

namespace PyDebug.Commands;

/// <summary>Says what is wanted where something else is given for a session or a process.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class SessionInputAttribute : ArgumentTransformationAttribute
{
    private const string Sessions = "a session is wanted, which Start-PodDebug and Get-PodDebug write";

    private const string Processes = Sessions + ", or a process, which Get-PyProcess writes";

    private static readonly string[] s_names = [nameof(PodDebugSession.DebugContainer), "Session", "Process"];

    /// <summary>Whether the parameter takes processes.</summary>
    public bool IsProcess { get; init; }

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? bare = Bare(inputData);
        if (bare is string or ValueType)
        {
            // Whoever gives a name may not know that a session is to be started first.
            string hint = bare is string name
                ? $": Start-PodDebug {Internal.SafeText.Line(name, 60)} | ..."
                : "";
            throw Unwanted(bare, hint);
        }

        // A list, and what cannot be told from one, is looked at item by item.
        IEnumerable<object?> items = bare is IList many ? many.Cast<object?>() : [inputData];
        object? wrong = items.FirstOrDefault(o => o is not null && !MayBe(o));
        return wrong is null ? inputData : throw Unwanted(wrong, "");
    }

    private static object? Bare(object? item)
        => item is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : item;

    /// <summary>Whether an object has what each record has that leads to a debug container.</summary>
    private static bool MayBe(object item)
    {
        PSObject source = PSObject.AsPSObject(item);
        return s_names.Any(n => source.Properties[n] is not null)
            || (source.BaseObject is IDictionary fields && fields.Contains(s_names[0]));
    }

    private ArgumentTransformationMetadataException Unwanted(object found, string hint)
    {
        string type = PSObject.AsPSObject(found).TypeNames.FirstOrDefault() ?? "object";
        string wanted = IsProcess ? Processes : Sessions;
        return new($"{wanted}, and nothing of type {Internal.SafeText.Line(type, 100)}{hint}");
    }
}
