using System.Collections.Generic;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>Writes what profiles say for people.</summary>
internal static class ProfileText
{
    /// <summary>The unit of memory.</summary>
    public const string BytesUnit = "bytes";

    /// <summary>The unit of profiles that count allocations.</summary>
    public const string AllocationsUnit = "allocations";

    /// <summary>The unit of profiles that count what a program was called for.</summary>
    public const string EventsUnit = "events";

    /// <summary>The unit of sums of whatever a program sums up.</summary>
    public const string PlainUnit = "";

    /// <summary>
    /// Where the profile was taken, as <c>namespace/pod/container process 1</c>, as far as it is known.
    /// </summary>
    public static string Where(StackProfile profile)
    {
        List<string> parts = [];
        if (profile.PodName.Length > 0)
        {
            parts.Add(string.Join('/', Names(profile)));
        }

        if (profile.ProcessId is int id)
        {
            parts.Add(string.Create(CultureInfo.InvariantCulture, $"process {id}"));
        }

        return parts.Count == 0 ? "profile" : string.Join(' ', parts);
    }

    /// <summary>The value with its unit, such as <c>1.23 s</c>, <c>998 samples</c> or <c>36.1 MiB</c>.</summary>
    public static string Value(double value, string unit) => unit switch
    {
        "seconds" => Amounts.Length(value),
        BytesUnit => Amounts.Bytes(value),
        AllocationsUnit => Count(value, "allocation"),
        EventsUnit => Count(value, "event"),
        PlainUnit => string.Create(CultureInfo.InvariantCulture, $"{value:#,0.###}"),
        _ => Count(value, "sample"),
    };

    /// <summary>What a profile of a unit rests on: samples, or the allocations or events themselves.</summary>
    public static string Counted(long count, string unit) => unit switch
    {
        BytesUnit or AllocationsUnit => Counts.Of(count, "allocation", "allocations"),
        EventsUnit or PlainUnit => Counts.Of(count, "event", "events"),
        _ => Counts.Of(count, "sample", "samples"),
    };

    /// <summary>A part of the whole, such as <c>61.2 %</c>.</summary>
    public static string Share(double value, double total)
        => total > 0 ? string.Create(CultureInfo.InvariantCulture, $"{Percent(100 * value / total)} %") : "0 %";

    /// <summary>What the metric measures, in words.</summary>
    public static string MetricName(string metric) => metric switch
    {
        "Cpu" => "CPU time",
        "Wall" => "wall-clock time",
        "Wait" => "waiting time",
        "Gil" => "time with the GIL",
        "Time" => "time",
        "Samples" => "samples",
        "Bytes" => "memory",
        "Leaked" => "memory kept",
        "HighWatermark" => "memory at its peak",
        "LeakedAllocations" => "allocations kept",
        "HighWatermarkAllocations" => "allocations at the peak",
        _ => SafeText.Line(metric, 40),
    };

    private static IEnumerable<string> Names(StackProfile profile)
    {
        foreach (string name in new[] { profile.Namespace, profile.PodName, profile.ContainerName })
        {
            if (name.Length > 0)
            {
                yield return SafeText.Line(name, 100);
            }
        }
    }

    private static string Count(double value, string word)
        => string.Create(CultureInfo.InvariantCulture, $"{value:#,0.###} {word}{(value == 1 ? "" : "s")}");

    private static string Percent(double percent)
        => percent.ToString(percent is >= 9.95 or 0 ? "0.#" : percent >= 0.095 ? "0.##" : "0.####",
            CultureInfo.InvariantCulture);
}
