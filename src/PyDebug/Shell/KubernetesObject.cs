using System;
using System.Collections;
using System.Collections.Generic;
using System.Management.Automation;
using System.Text.Json.Nodes;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// Reads what a pipeline may bring: names, sessions, and objects as <c>kubectl get -o json</c> has them.
/// </summary>
internal static class KubernetesObject
{
    /// <summary>Deep enough for a container's status; what lies deeper is not read.</summary>
    private const int Deepest = 12;

    /// <summary>The object as the server wrote it, as far as something is read of it.</summary>
    private static readonly ObjectJson s_json = new(Deepest, () => null, _ => new JsonObject());

    /// <summary>What an object of the pipeline names; the items of a list one by one.</summary>
    /// <param name="value">The object.</param>
    /// <param name="ns">The namespace for what does not name one.</param>
    /// <param name="containerName">The container; null for the default.</param>
    /// <exception cref="PyDebugException">It is nothing that has pods.</exception>
    public static IEnumerable<PodSource> Read(object value, string? ns, string? containerName)
    {
        object bare = value is PSObject wrapped && wrapped.BaseObject is not PSCustomObject ? wrapped.BaseObject
            : value;
        if (bare is string name)
        {
            foreach (
                string line in name.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                yield return PodSource.Parse(line, ns, containerName);
            }

            yield break;
        }

        if (bare is IList several)
        {
            foreach (object? one in several)
            {
                foreach (PodSource source in one is null ? [] : Read(one, ns, containerName))
                {
                    yield return source;
                }
            }

            yield break;
        }

        if (NameIn(bare) is string podName)
        {
            PodSource named = PodSource.Parse(
                podName,
                ns ?? Text(bare, "Namespace") ?? Text(bare, "Ns"),
                containerName ?? Text(bare, "ContainerName") ?? Text(bare, "Container"));
            bool isSession = bare is PodDebugSession || Text(bare, "DebugContainer") is not null;
            yield return isSession && LanguagePrimitives.TryConvertTo(value, out PodDebugSession session)
                ? named with { Session = session }
                : named;
            yield break;
        }

        string? kind = Text(bare, "kind");
        if (Member(bare, "items") is object items && (kind is null || kind.EndsWith("List", StringComparison.Ordinal)))
        {
            foreach (object? item in Elements(items))
            {
                if (item is null)
                {
                    continue;
                }

                // The items of a list of one kind may leave out what they are.
                string? own = kind is { Length: > 4 } ? kind[..^4] : null;
                yield return One(item, Text(item, "kind") ?? own, ns, containerName);
            }

            yield break;
        }

        yield return One(bare, kind, ns, containerName);
    }

    /// <summary>The refusal of something that has no pods.</summary>
    public static PyDebugException Unwanted(string what) => ErrorFactory.Local(
        LocalCause.ParameterInvalid,
        $"{what} is nothing that has pods.",
        detail: new Dictionary<string, string>
        {
            ["advice"] = "Taken are names of pods, pod/NAME, deployment/NAME, statefulset/NAME, daemonset/NAME, "
                + "replicaset/NAME and job/NAME, such objects from kubectl get -o json | ConvertFrom-Json, and "
                + "sessions. Nothing was changed.",
        });

    /// <summary>The pod that a record names, as a session does, or a row of a CSV file.</summary>
    private static string? NameIn(object bare)
        => Text(bare, "PodName")
            ?? (bare is PSObject or IDictionary && Member(bare, "kind") is null
                ? Text(bare, "Name") ?? Text(bare, "Pod")
                : null);

    private static PodSource One(object value, string? kind, string? ns, string? containerName)
    {
        object? metadata = Member(value, "metadata");
        string? name = metadata is null ? null : Text(metadata, "name");
        if (name is null || kind is null)
        {
            throw Unwanted(kind is null ? $"An object of type {TypeOf(value)}" : $"A {kind} without a name");
        }

        PodSource source = new()
        {
            Namespace = Text(metadata!, "namespace") ?? ns, ContainerName = containerName, Name = name,
        };
        if (kind == "Pod")
        {
            PodInfo pod = PodParser.Parse(s_json.Of(value) as JsonObject ?? []);
            return source with { Pod = PodChoice.Of(pod, containerName) };
        }

        WorkloadKind? workload = WorkloadKind.Find(kind);
        return workload is null ? throw Unwanted($"{kind} '{name}'") : source with { Kind = workload };
    }

    private static string TypeOf(object value)
        => value is PSObject { BaseObject: PSCustomObject } ? "PSCustomObject" : value.GetType().Name;

    private static string? Text(object value, string name)
        => Member(value, name) is object found && Bare(found) is string { Length: > 0 } text ? text : null;

    private static object? Member(object value, string name)
    {
        object bare = Bare(value);
        if (bare is IDictionary table)
        {
            return table.Contains(name) ? table[name] : null;
        }

        return PSObject.AsPSObject(value).Properties[name]?.Value;
    }

    private static object Bare(object value)
        => value is PSObject { BaseObject: not PSCustomObject } wrapped ? wrapped.BaseObject : value;

    private static IEnumerable<object?> Elements(object value)
    {
        if (Bare(value) is IEnumerable list and not string)
        {
            foreach (object? item in list)
            {
                yield return item;
            }
        }
    }
}
