using System;
using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;

namespace PyDebug.Internal;

/// <summary>What the views of bpftrace's records call. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class BpftraceDisplay
{
    private const int LongestValue = 12;

    /// <summary>A property as text.</summary>
    /// <param name="item">A record, also one made again from CLIXML or JSON.</param>
    /// <param name="property">The property's name.</param>
    /// <returns>One line.</returns>
    public static string Safe(PSObject item, string property) => Display.Safe(item.Properties[property]?.Value);

    /// <summary>A time in milliseconds.</summary>
    /// <param name="seconds">Seconds.</param>
    /// <returns>The time as <c>0.82 ms</c>.</returns>
    public static string Milliseconds(double seconds)
        => string.Create(CultureInfo.InvariantCulture, $"{seconds * 1000:#,0.00} ms");

    /// <summary>The time of day of an event, as it is here; nothing for an entry of a map.</summary>
    /// <param name="item">An event or an entry of a map.</param>
    /// <returns>The time as <c>12:00:01</c>.</returns>
    public static string Time(PSObject item)
        => !IsMap(item) && Plain(item.Properties[nameof(BpftraceEvent.Timestamp)]?.Value) is DateTime time
            ? time.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture)
            : "";

    /// <summary>The thread of an event, or the map of an entry.</summary>
    /// <param name="item">An event or an entry of a map.</param>
    /// <returns>One line.</returns>
    public static string Source(PSObject item)
        => Safe(item, IsMap(item) ? nameof(BpftraceMap.Map) : nameof(BpftraceEvent.Thread));

    /// <summary>
    /// The value of a map's entry, where it is short; how many values went into a histogram or stats.
    /// </summary>
    /// <param name="item">An event or an entry of a map.</param>
    /// <returns>The value.</returns>
    public static string Value(PSObject item)
    {
        if (!IsMap(item))
        {
            return "";
        }

        BpftraceMap map = Map(item);
        string value = map.Kind == "Value" ? BpftraceText.Value(map) : $"{map.Count}";
        return value.Length > LongestValue ? "" : SafeText.Line(value);
    }

    /// <summary>What an event says; or the key of an entry, and what does not fit where its value stands.</summary>
    /// <param name="item">An event or an entry of a map.</param>
    /// <returns>One line.</returns>
    public static string Text(PSObject item)
    {
        if (!IsMap(item))
        {
            return Safe(item, nameof(BpftraceEvent.Text));
        }

        BpftraceMap map = Map(item);
        string rest = map.Kind switch
        {
            "Stats" => string.Create(CultureInfo.InvariantCulture, $"average {map.Average:0.##}, total {map.Total:0}"),
            "Value" when Value(item).Length > 0 => "",
            _ => BpftraceText.Value(map),
        };
        string key = BpftraceText.Key(map);
        return SafeText.Line(key.Length > 0 && rest.Length > 0 ? $"{key}: {rest}" : key + rest);
    }

    private static bool IsMap(PSObject item) => item.Properties[nameof(BpftraceMap.Map)] is not null;

    private static BpftraceMap Map(PSObject item)
        => RecordReader.As<BpftraceMap>(item);

    private static object? Plain(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}
