using System;
using System.ComponentModel;
using System.Globalization;
using System.Management.Automation;

namespace PyDebug.Internal;

/// <summary>What the views of bpftrace's records call. Everything returned is safe to show.</summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class BpftraceDisplay
{
    /// <summary>A property as text.</summary>
    /// <param name="item">A record, also one made again from CLIXML or JSON.</param>
    /// <param name="property">The property's name.</param>
    /// <returns>One line.</returns>
    public static string Safe(PSObject item, string property) => Display.Safe(item.Properties[property]?.Value);

    /// <summary>The time of day of an event, as it is here.</summary>
    /// <param name="item">An event.</param>
    /// <returns>The time as <c>12:00:01</c>.</returns>
    public static string Time(PSObject item)
        => Plain(item.Properties[nameof(BpftraceEvent.Timestamp)]?.Value) is DateTime time
            ? time.ToLocalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture)
            : "";

    /// <summary>The value of a map's entry, where it is short; the count of a histogram.</summary>
    /// <param name="item">An entry of a map.</param>
    /// <returns>The value.</returns>
    public static string Number(PSObject item)
    {
        BpftraceMap map = Map(item);
        return map.Kind == "Stats" || map.Value is null || BpftraceText.Value(map).Length > 14 && map.Kind == "Value"
            ? ""
            : map.Kind == "Histogram" ? $"{map.Count}" : SafeText.Line(BpftraceText.Value(map));
    }

    /// <summary>The key, and what does not fit where the value stands.</summary>
    /// <param name="item">An entry of a map.</param>
    /// <returns>One line.</returns>
    public static string Key(PSObject item)
    {
        BpftraceMap map = Map(item);
        string rest = map.Kind == "Value" && Number(item).Length > 0 ? "" : BpftraceText.Value(map);
        string key = BpftraceText.Key(map);
        return SafeText.Line(key.Length > 0 && rest.Length > 0 ? $"{key}: {rest}" : key + rest);
    }

    private static BpftraceMap Map(PSObject item)
        => item.BaseObject as BpftraceMap ?? (BpftraceMap)RecordReader.Read(item, typeof(BpftraceMap));

    private static object? Plain(object? value) => value is PSObject wrapped ? wrapped.BaseObject : value;
}
