using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>What a pod's containers may take together, and what a debug container in it needs.</summary>
internal static partial class PodMemory
{
    /// <summary>
    /// What a start takes at most, in bytes: the debug container, and the look from within it whether it sees its
    /// target. Measured on Kubernetes 1.36 with cgroup v1, beside the margin that is left to the application.
    /// </summary>
    public const long StartNeeds = 9 << 20;

    /// <summary>
    /// How large a limit may make a debug container's processes look, in bytes; for 512 mapped pages it takes one more,
    /// of page tables. The same number is in the keeper.
    /// </summary>
    private const long LargestMaps = 4L << 30;

    /// <summary>
    /// The exit code of a debug container that found too little memory left. The same number is in the keeper.
    /// </summary>
    private const long Short = 86;

    /// <summary>What is told once where a start cannot be held against what is left.</summary>
    public const string UseUnknown =
        "What a pod uses of its memory limit is not known here: neither the metrics API nor the kubelet's own figures "
        + "(nodes/proxy) may be read. The debug container takes 3 MiB of it as it starts; what is left then "
        + "is looked at from within.";

    /// <summary>
    /// The limit of the pod's control group; null where it has none. The kubelet sets the pod's own, else the sum of
    /// its containers' where each has one: <c>ResourceConfigForPod</c> in pkg/kubelet/cm/helpers_linux.go of
    /// Kubernetes.
    /// </summary>
    public static long? LimitOf(PodInfo pod)
    {
        if (Bytes(KubeJson.At(pod.Raw, "spec", "resources", "limits", "memory")) is long own and > 0)
        {
            return own;
        }

        List<long?> containers = [.. Limits(pod, "containers", "containerStatuses")];
        List<JsonObject> first = [.. KubeJson.Objects(pod.Raw, "spec", "initContainers")];
        List<long?> limits = [.. Limits(pod, "initContainers", "initContainerStatuses")];
        if (containers.Count == 0 || containers.Concat(limits).Any(l => l is null or 0))
        {
            return null;
        }

        // A sidecar stays beside those that come after it.
        long sidecars = 0;
        long initial = 0;
        foreach ((JsonObject container, long? limit) in first.Zip(limits))
        {
            bool stays = KubeJson.Text(container, "restartPolicy") == "Always";
            initial = Math.Max(initial, sidecars + limit!.Value);
            sidecars += stays ? limit.Value : 0;
        }

        return Math.Max(initial, sidecars + containers.Sum(l => l!.Value));
    }

    /// <summary>The largest limit of the pod's other containers: no process of theirs can be larger.</summary>
    public static long LargestBeside(PodInfo pod, string target)
        => KubeJson.Objects(pod.Raw, "spec", "containers").Concat(KubeJson.Objects(pod.Raw, "spec", "initContainers"))
            .Where(c => KubeJson.Text(c, "name") != target)
            .Select(c => Bytes(KubeJson.At(c, "resources", "limits", "memory")) ?? 0)
            .DefaultIfEmpty(0)
            .Max();

    /// <summary>Why a debug container is not started; null where there is enough memory for it.</summary>
    public static EngineException? Refusal(PodReference pod, long limit, long used)
    {
        long headroom = Math.Max(0, limit - used);
        long needed = Needed(limit);
        return headroom >= needed
            ? null
            : new EngineException(
                Causes.MemoryLow,
                $"{StartNeed(limit)}, and pod '{pod}' has {Mebibytes(headroom)} left "
                    + $"under its limit of {Mebibytes(limit)}. Nothing was changed.")
            {
                Detail = new Dictionary<string, string>
                {
                    ["limit"] = Text(limit),
                    ["used"] = Text(used),
                    ["headroom"] = Text(headroom),
                    ["needed"] = Text(needed),
                },
            };
    }

    /// <summary>What a start needs of a pod's memory, in words.</summary>
    public static string StartNeed(PodInfo pod) => StartNeed(LimitOf(pod) ?? 0);

    private static string StartNeed(long limit) => $"A debug container needs {Mebibytes(Needed(limit))} of memory";

    /// <summary>What a start takes under this limit. The figure that it is based on was taken below 512 MiB.</summary>
    public static long Needed(long limit)
        => StartNeeds + (Math.Max(0, Math.Min(limit, LargestMaps) - (512L << 20)) / 512);

    /// <summary>
    /// Why a debug container ended as soon as it ran, by its terminated state; null where that was not for want of
    /// memory.
    /// </summary>
    public static EngineException? EndedShort(PodInfo pod, string debugContainer, JsonObject? ended)
    {
        if (KubeJson.Integer(ended, "exitCode") != Short)
        {
            return null;
        }

        Match said = LeftPattern().Match(KubeJson.Text(ended, "message") ?? string.Empty);
        string headroom = said.Success ? said.Groups["bytes"].Value : string.Empty;
        string left = long.TryParse(headroom, out long bytes) ? $"{Mebibytes(bytes)} are" : "less is";
        string limit = LimitOf(pod) is long most ? $" under the pod's limit of {Mebibytes(most)}" : string.Empty;
        return new(
            Causes.MemoryLow,
            $"{StartNeed(pod)}, and {left} left{limit} beside the debug container: '{debugContainer}' has ended again.")
        {
            Detail = new Dictionary<string, string>
            {
                ["debugContainer"] = debugContainer,
                ["headroom"] = headroom,
                ["needed"] = Text(Needed(LimitOf(pod) ?? 0)),
            },
        };
    }

    /// <summary>What the look from within a debug container said of the memory that is left.</summary>
    public static EngineException RefusedWithin(JsonObject failure, string debugContainer, bool isNew)
    {
        string end = isNew ? $" Debug container '{debugContainer}' has been ended again." : string.Empty;
        Dictionary<string, string> detail = new() { ["debugContainer"] = debugContainer };
        foreach ((string name, JsonNode? value) in KubeJson.Object(failure, "detail") ?? [])
        {
            detail[name] = value?.ToString() ?? string.Empty;
        }

        return new(Causes.MemoryLow, KubeJson.Text(failure, "message") + end) { Detail = detail };
    }

    /// <summary>A size for people.</summary>
    public static string Mebibytes(long bytes)
        => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB");

    [GeneratedRegex(@"pydebug-keeper: (?<bytes>\d{1,18}) bytes", RegexOptions.CultureInvariant)]
    private static partial Regex LeftPattern();

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    /// <summary>The containers' limits: those that the kubelet reports, which may have been changed since.</summary>
    private static IEnumerable<long?> Limits(PodInfo pod, string list, string statuses)
        => KubeJson.Objects(pod.Raw, "spec", list).Select(c =>
            Bytes(KubeJson.At(PodParser.Status(pod.Raw, statuses, c), "resources", "limits", "memory"))
                ?? Bytes(KubeJson.At(c, "resources", "limits", "memory")));

    private static long? Bytes(JsonNode? quantity) => Quantity.Bytes(quantity?.ToString());

    /// <summary>Refuses a start for which the pod has no room, as far as that can be known from here.</summary>
    public static async Task CheckAsync(PodApi api, PodInfo pod, DebugContainerRequest request, CancellationToken ct)
    {
        if (request.AllowLowMemory || LimitOf(pod) is not long limit)
        {
            return;
        }

        if (await api.MemoryUsedAsync(pod, ct).ConfigureAwait(false) is not long used)
        {
            request.Warn?.Invoke(UseUnknown);
        }
        else if (Refusal(pod.Reference, limit, used) is EngineException refusal)
        {
            throw refusal;
        }
    }
}
