using System;
using System.Globalization;
using System.IO;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Node;

/// <summary>
/// The out-of-memory score the kubelet gives a container, never below the sandbox's own: lowering needs a right that is
/// often missing.
/// </summary>
internal static class OomScore
{
    private const int BestEffort = 1000;
    private const int Guaranteed = -997;

    public static int For(JsonObject pod, JsonObject container)
    {
        int wanted = QualityOfService.Of(pod) switch
        {
            "Guaranteed" => Guaranteed,
            "BestEffort" => BestEffort,
            _ => Quantity.Limit(container, "memory") is decimal limit
                ? Math.Clamp(1000 - (int)(1000 * limit / Memory()), 2, 999)
                : 999,
        };
        return Math.Max(wanted, Own());
    }

    private static int Own() =>
        int.Parse(File.ReadAllText("/proc/self/oom_score_adj"), CultureInfo.InvariantCulture);

    private static decimal Memory() => Math.Max(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes, 1);
}
