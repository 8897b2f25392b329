using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>
/// Completes images of a debug container: the one that the environment names, then those that the pod, or else the
/// pods of the namespace, have on their nodes already.
/// </summary>
internal sealed class ImageCompleter : LiveCompleter
{
    private protected override async Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct)
    {
        string ns = Text(parameters, "Namespace", "Ns", "n") ?? gateway.DefaultNamespace;
        IEnumerable<string> images = Text(parameters, "PodName", "Name", "Pod") is string name
            ? Images(await gateway.GetPodAsync(ns, name, ct).ConfigureAwait(false))
            : (await gateway.ListPodsAsync(ns, selector: null, p => Images(p).ToArray(), ct).ConfigureAwait(false))
                .SelectMany(i => i);
        return
        [
            .. Named(),
            .. images.GroupBy(i => i)
                .OrderByDescending(g => g.Count())
                .Select(g => new Offer(g.Key, g.Count() == 1 ? "one container" : $"{g.Count()} containers")),
        ];
    }

    /// <summary>Slashes, colons and an at sign within a word need no quotes.</summary>
    private protected override bool IsPlain(string name)
        => name.Length > 0 && char.IsAsciiLetterOrDigit(name[0])
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '/' or ':' or '@');

    private static IEnumerable<Offer> Named()
        => Environment.GetEnvironmentVariable("PYDEBUG_IMAGE") is { Length: > 0 } image
            ? [new Offer(image, "$env:PYDEBUG_IMAGE")]
            : [];

    private static IEnumerable<string> Images(PodInfo pod) => pod.Containers.Select(c => c.Image);
}
