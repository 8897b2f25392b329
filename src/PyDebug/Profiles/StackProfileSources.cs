using System;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>Makes profiles and reports again from what JSON or CLIXML kept of them.</summary>
internal static class StackProfileSources
{
    /// <summary>The profile or report; null where the object is none.</summary>
    public static IStackProfileSource? Revive(PSObject item)
    {
        (Type Type, string[] Properties)[] kinds =
        [
            .. typeof(StackProfileSources).Assembly.GetTypes()
                .Select(t => (Type: t, Told: t.GetCustomAttribute<ToldByAttribute>()))
                .Where(k => k.Told is not null)
                .Select(k => (k.Type, k.Told!.Properties)),
        ];
        Type? type = kinds.FirstOrDefault(k => item.TypeNames[0].EndsWith(k.Type.Name, StringComparison.Ordinal)).Type
            ?? kinds.FirstOrDefault(k => k.Properties.All(name => item.Properties[name] is not null)).Type;
        return type is null ? null : (IStackProfileSource)RecordReader.Read(item, type);
    }
}
