using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Writes speedscope's JSON. Names stay as they are: what is not ASCII, or means something in HTML, is written as an
/// escape. Where the order of the samples is known it is kept.
/// </summary>
internal static class SpeedscopeWriter
{
    private const int FlushAt = 64 * 1024;

    /// <summary>Writes profiles as one file, each thread as one of its profiles.</summary>
    public static void Write(Stream stream, IReadOnlyList<StackProfile> profiles, string version)
    {
        FrameTable frames = new();
        using Utf8JsonWriter json = new(stream);
        json.WriteStartObject();
        json.WriteString("$schema", "https://www.speedscope.app/file-format-schema.json");
        json.WriteString("exporter", $"PyDebug@{version}");
        json.WriteString("name", Title(profiles));
        json.WriteNumber("activeProfileIndex", 0);
        SpeedscopeAbout.Write(json, profiles);
        json.WriteStartArray("profiles");
        for (int i = 0; i < profiles.Count; i++)
        {
            WriteThreads(json, profiles[i], i, frames);
        }

        json.WriteEndArray();
        json.WriteStartObject("shared");
        json.WriteStartArray("frames");
        foreach (StackFrame frame in frames.Frames)
        {
            json.WriteStartObject();
            json.WriteString("name", frame.Name);
            if (frame.FileName.Length > 0)
            {
                json.WriteString("file", frame.FileName);
            }

            if (frame.Line is int line)
            {
                json.WriteNumber("line", line);
            }

            json.WriteEndObject();
            Flush(json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string Title(IReadOnlyList<StackProfile> profiles)
    {
        IEnumerable<string> places = profiles.Select(ProfileText.Where).Distinct().Take(4);
        return SafeText.Line(string.Join(", ", places), 200);
    }

    /// <summary>
    /// Writes the samples of each thread. What was sampled decides, not the list of threads, which may be shorter.
    /// </summary>
    private static void WriteThreads(Utf8JsonWriter json, StackProfile profile, int index, FrameTable frames)
    {
        IReadOnlyList<SampleRun> runs = profile.Timeline
            ?? [.. profile.Samples.Select((s, i) => new SampleRun(i, s.Value, s.Count))];
        ILookup<(long?, string?), SampleRun> threads =
            runs.ToLookup(r => (profile.Samples[r.Sample].ThreadId, profile.Samples[r.Sample].Thread));
        (long?, string?)[] keys =
            [.. profile.Threads.Select(t => (t.ThreadId, t.Name)).Concat(threads.Select(t => t.Key)).Distinct()];

        // A profile without samples is one all the same, and is read again as one.
        foreach ((long?, string?) key in keys.Length == 0 ? [(null, null)] : keys)
        {
            WriteThread(json, profile, index, key, [.. threads[key]], frames);
        }
    }

    private static void WriteThread(
        Utf8JsonWriter json,
        StackProfile profile,
        int index,
        (long? Id, string? Name) thread,
        IReadOnlyList<SampleRun> runs,
        FrameTable frames)
    {
        json.WriteStartObject();
        json.WriteString("type", "sampled");
        json.WriteString("name", new SpeedscopeName(profile.ProcessId, thread.Id, thread.Name).ToString());
        json.WriteString("unit", profile.Unit is "seconds" or "bytes" ? profile.Unit : "none");
        json.WriteNumber("startValue", 0);
        json.WriteNumber("endValue", Round(runs.Sum(r => r.Value)));
        SpeedscopeAbout.WriteIndex(json, index);
        if (profile.Threads.FirstOrDefault(t => (t.ThreadId, t.Name) == thread) is ProfileThread known)
        {
            WriteFacts(json, known);
        }

        json.WriteStartArray("samples");
        foreach (SampleRun run in runs)
        {
            json.WriteStartArray();
            StackSample sample = profile.Samples[run.Sample];
            for (int i = sample.Frames.Count - 1; i >= 0; i--)
            {
                json.WriteNumberValue(frames.Number(sample.Frames[i]));
            }

            if (SampleState.Of(sample).Frame() is StackFrame end)
            {
                json.WriteNumberValue(frames.Number(end));
            }

            json.WriteEndArray();
            Flush(json);
        }

        json.WriteEndArray();
        WriteStates(json, runs.Select(r => SampleState.Of(profile.Samples[r.Sample])));
        json.WriteStartArray("weights");
        foreach (SampleRun run in runs)
        {
            json.WriteNumberValue(Round(run.Value));
            Flush(json);
        }

        json.WriteEndArray();
        json.WriteStartArray(SpeedscopeProfile.CountsName);
        foreach (SampleRun run in runs)
        {
            json.WriteNumberValue(run.Count);
            Flush(json);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteFacts(Utf8JsonWriter json, ProfileThread thread)
    {
        if (thread.ProcessId is int process)
        {
            json.WriteNumber(SpeedscopeProfile.ProcessName, process);
        }

        if (thread.IsMainThread is bool main)
        {
            json.WriteBoolean(SpeedscopeProfile.MainName, main);
        }
    }

    private static double Round(double value) => System.Math.Round(value, 9);

    /// <summary>Which samples end in a frame that stands for a state, and for which.</summary>
    private static void WriteStates(Utf8JsonWriter json, IEnumerable<SampleState> states)
    {
        if (states.All(s => s == default))
        {
            return;
        }

        json.WriteStartArray(SpeedscopeProfile.StatesName);
        foreach (SampleState state in states)
        {
            json.WriteStringValue(state.ToString());
            Flush(json);
        }

        json.WriteEndArray();
    }

    private static void Flush(Utf8JsonWriter json)
    {
        if (json.BytesPending > FlushAt)
        {
            json.Flush();
        }
    }

    /// <summary>Numbers frames. What the format has no place for does not tell them apart.</summary>
    private sealed class FrameTable
    {
        private readonly Dictionary<(string, string, int?), int> _numbers = [];

        public List<StackFrame> Frames { get; } = [];

        public int Number(StackFrame frame)
        {
            (string, string, int?) key = (frame.Name, frame.FileName, frame.Line);
            if (!_numbers.TryGetValue(key, out int number))
            {
                number = Frames.Count;
                Frames.Add(frame);
                _numbers.Add(key, number);
            }

            return number;
        }
    }
}
