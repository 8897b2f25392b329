using System.ComponentModel;
using PyDebug.Commands;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>One thing that may stop a question, and how it is.</summary>
public sealed partial record PodDebugCheck : IOfPod
{
    internal PodDebugCheck()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container; empty where it is not known yet.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The question that it is about, as -For names it; empty where it is about all of them.</summary>
    public string For { get; internal init; } = "";

    /// <summary>What was looked at, such as <c>Permission</c>, <c>Admission</c> or <c>Memory</c>.</summary>
    public string Check { get; internal init; } = "";

    /// <summary><c>Pass</c>, <c>Fail</c>, <c>Warning</c> (with less, or at a price) or <c>Unknown</c>.</summary>
    public string Status { get; internal init; } = "";

    /// <summary>What was found.</summary>
    public string Detail { get; internal init; } = "";

    /// <summary>What to do about it; empty where nothing is to be done.</summary>
    public string Remedy { get; internal init; } = "";

    /// <summary>The check as <c>Fail Permission: patch on pods/ephemeralcontainers is missing.</c></summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString() => SafeText.Line($"{Status} {Check}: {Detail}");
}
