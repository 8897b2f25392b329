using System;
using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Engine;

/// <summary>A kind of objects that have pods.</summary>
/// <param name="Kind">Its name, as in an owner reference.</param>
/// <param name="Group">Its API group.</param>
/// <param name="Plural">The resource, as permissions name it.</param>
/// <param name="Short">What kubectl takes for it beside that.</param>
internal sealed record WorkloadKind(string Kind, string Group, string Plural, string Short)
{
    public static readonly WorkloadKind Deployment = new("Deployment", "apps", "deployments", "deploy");
    public static readonly WorkloadKind StatefulSet = new("StatefulSet", "apps", "statefulsets", "sts");
    public static readonly WorkloadKind DaemonSet = new("DaemonSet", "apps", "daemonsets", "ds");
    public static readonly WorkloadKind ReplicaSet = new("ReplicaSet", "apps", "replicasets", "rs");
    public static readonly WorkloadKind Job = new("Job", "batch", "jobs", "job");

    public static IReadOnlyList<WorkloadKind> All { get; } = [Deployment, StatefulSet, DaemonSet, ReplicaSet, Job];

    /// <summary>The kind in the middle of a sentence, and in front of a name: <c>deployment/backend</c>.</summary>
    public string Word => Kind.ToLowerInvariant();

    /// <summary>
    /// The kind of a word that kubectl writes or takes: Deployment, deployments, deployment.apps, deploy.
    /// </summary>
    public static WorkloadKind? Find(string word)
        => All.FirstOrDefault(k => new[] { k.Word, k.Plural, k.Short }.Any(
            w => word.Equals(w, StringComparison.OrdinalIgnoreCase)
                || word.Equals($"{w}.{k.Group}", StringComparison.OrdinalIgnoreCase)));
}
