using System.Globalization;

namespace PyDebug.Internal;

/// <summary>What the views of bpftrace's records have their cells from.</summary>
internal static class BpftraceDisplay
{
    private const int LongestValue = 12;

    /// <summary>The time of day of an event, as it is here.</summary>
    public static string Time(BpftraceEvent said)
        => said.Timestamp.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>An entry of a map has no time of its own.</summary>
    public static string Time(BpftraceMap entry) => "";

    /// <summary>The thread of an event.</summary>
    public static string? Source(BpftraceEvent said) => said.Thread;

    /// <summary>The map of an entry.</summary>
    public static string? Source(BpftraceMap entry) => entry.Map;

    /// <summary>An event has no value.</summary>
    public static string Value(BpftraceEvent said) => "";

    /// <summary>
    /// The value of a map's entry, where it is short; how many values went into a histogram or stats.
    /// </summary>
    public static string Value(BpftraceMap entry)
    {
        string value = entry.Kind == "Value" ? BpftraceText.Value(entry) : $"{entry.Count}";
        return value.Length > LongestValue ? "" : SafeText.Line(value);
    }

    /// <summary>What an event says.</summary>
    public static string Text(BpftraceEvent said) => SafeText.Line(said.Text);

    /// <summary>The key of an entry, and what does not fit where its value stands.</summary>
    public static string Text(BpftraceMap entry)
    {
        string rest = entry.Kind switch
        {
            "Stats" => string.Create(
                CultureInfo.InvariantCulture, $"average {entry.Average:0.##}, total {entry.Total:0}"),
            "Value" when Value(entry).Length > 0 => "",
            _ => BpftraceText.Value(entry),
        };
        string key = BpftraceText.Key(entry);
        return SafeText.Line(key.Length > 0 && rest.Length > 0 ? $"{key}: {rest}" : key + rest);
    }
}
