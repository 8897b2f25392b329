using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// What speedscope's format has no place for: which pod and process a profile is of, and what it rests on. Written
/// under names of our own, which other readers pass over.
/// </summary>
internal static class SpeedscopeAbout
{
    /// <summary>The file's property that has the descriptions.</summary>
    public const string Property = "pydebug:profiles";

    /// <summary>The profile's property that says which of them is its own.</summary>
    public const string Index = "pydebug:profile";

    private const int MostProfiles = 10_000;

    private const int MostWarnings = 100;

    /// <summary>The units that the format writes as none.</summary>
    private static readonly string[] s_units =
        ["samples", ProfileText.AllocationsUnit, ProfileText.EventsUnit, ProfileText.PlainUnit];

    /// <summary>The descriptions in a file; none in a file of another program.</summary>
    /// <param name="list">The list of them.</param>
    /// <param name="template">What is known besides.</param>
    public static List<StackProfile> Read(JsonElement list, StackProfile template)
        => list.ValueKind != JsonValueKind.Array ? []
            : [.. list.EnumerateArray().Take(MostProfiles).Select(item => template with
        {
            Namespace = item.Text("namespace") ?? "",
            PodName = item.Text("podName") ?? "",
            ContainerName = item.Text("containerName") ?? "",
            NodeName = item.Text("nodeName"),
            ProcessId = item.Integer("processId"),
            Timestamp = DateTime.TryParse(
                item.Text("timestamp"),
                CultureInfo.InvariantCulture,
                DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal,
                out DateTime time) ? time : null,
            CommandLine = item.Text("commandLine"),
            PythonVersion = item.Text("pythonVersion"),
            Tool = item.Text("tool"),
            Metric = item.Text("metric") ?? "Time",
            Unit = s_units.FirstOrDefault(u => u == item.Text("unit")) ?? template.Unit,
            DurationSeconds = item.Number("durationSeconds"),
            SampleRate = item.Number("sampleRate"),
            ErrorCount = item.Long("errorCount") ?? 0,
            StopsProcess = item.Flag("stopsProcess"),
            Warnings = item.Texts("warnings", MostWarnings),
        })];

    /// <summary>Writes the descriptions into the file's outermost object.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<StackProfile> profiles)
    {
        json.WriteStartArray(Property);
        foreach (StackProfile profile in profiles)
        {
            json.WriteStartObject();
            json.WriteString("namespace", profile.Namespace);
            json.WriteString("podName", profile.PodName);
            json.WriteString("containerName", profile.ContainerName);
            json.WriteString("nodeName", profile.NodeName);
            Write(json, "processId", profile.ProcessId);
            json.WriteString("timestamp", profile.Timestamp?.ToString("O", CultureInfo.InvariantCulture));
            json.WriteString("commandLine", profile.CommandLine);
            json.WriteString("pythonVersion", profile.PythonVersion);
            json.WriteString("tool", profile.Tool);
            json.WriteString("metric", profile.Metric);
            json.WriteString("unit", profile.Unit);
            Write(json, "durationSeconds", profile.DurationSeconds);
            Write(json, "sampleRate", profile.SampleRate);
            json.WriteNumber("errorCount", profile.ErrorCount);
            if (profile.StopsProcess is bool stops)
            {
                json.WriteBoolean("stopsProcess", stops);
            }

            json.WriteStartArray("warnings");
            foreach (string warning in profile.Warnings)
            {
                json.WriteStringValue(warning);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Says which description a profile belongs to.</summary>
    public static void WriteIndex(Utf8JsonWriter json, int index) => json.WriteNumber(Index, index);

    private static void Write(Utf8JsonWriter json, string name, double? value)
    {
        if (value is double number && double.IsFinite(number))
        {
            json.WriteNumber(name, number);
        }
    }
}
