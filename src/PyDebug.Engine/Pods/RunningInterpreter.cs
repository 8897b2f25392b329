using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>
/// Finds the folder of the Python that runs in a container, where neither the pod nor the image's search path names it.
/// </summary>
internal static partial class RunningInterpreter
{
    /// <summary>The search path of a container that is started with such a Python.</summary>
    public const string Variable = "PATH";

    private const string Usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    private const int MostBytes = 16 << 10;

    // The programs that run there and have a Python beside them.
    private static readonly IReadOnlyList<string> s_question =
    [
        "/bin/sh",
        "-c",
        "for e in /proc/[0-9]*/exe; do p=$(readlink \"$e\") && [ -x \"${p%/*}/python3\" ] && echo \"$p\"; done",
    ];

    private static readonly TimeSpan s_timeout = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Asks the container's own shell, once; null where it has none or nothing is found. The answer is the container's
    /// word: it can only choose a folder of the image, and what is started there is the image's.
    /// </summary>
    public static async Task<string?> FindPathAsync(
        AgentRunner agents, PodReference pod, string container, CancellationToken ct)
    {
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(s_timeout);
        try
        {
            string said = await agents.OutputAsync(pod, container, s_question, MostBytes, limit.Token)
                .ConfigureAwait(false);
            return Folder(said) is string folder ? $"{folder}:{Usual}" : null;
        }
        catch (EngineException)
        {
            return null;
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>The folder of the first program that is off the usual search path; a Python comes first.</summary>
    internal static string? Folder(string programs)
        => programs.Split('\n')
            .Select(line => Program().Match(line))
            .Where(m => m.Success && !Usual.Split(':').Contains(m.Groups["folder"].Value))
            .OrderBy(m => m.Groups["name"].Value.StartsWith("python", StringComparison.Ordinal) ? 0 : 1)
            .Select(m => m.Groups["folder"].Value)
            .FirstOrDefault();

    [GeneratedRegex(
        @"^(?<folder>(?:/(?!\.\.?/)[\w.+@-]{1,100}){1,20})/(?<name>[\w.+@-]{1,100})$", RegexOptions.ECMAScript)]
    private static partial Regex Program();
}
