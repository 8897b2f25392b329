using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>A sample of a profile in a speedscope file.</summary>
/// <param name="Stack">The frames' numbers, outermost first.</param>
/// <param name="Value">The weight, in the file's unit.</param>
/// <param name="Count">How many samples it stands for.</param>
/// <param name="State">How the time was spent. Where it is not empty, the stack's last frame stands for it.</param>
internal readonly record struct SpeedscopeSample(int[] Stack, double Value, long Count, SampleState State)
{
    /// <summary>The list of states in a profile, which other readers pass over.</summary>
    public const string States = "pydebug:states";

    private const int DeepestStack = 100_000;

    /// <summary>The samples of a profile of either kind, sampled or evented.</summary>
    /// <exception cref="InvalidDataException">The profile contradicts itself.</exception>
    public static IEnumerable<SpeedscopeSample> All(JsonElement profile, int frameCount) => profile.Text("type") switch
    {
        "sampled" => Sampled(profile, frameCount),
        "evented" => Evented(profile, frameCount),
        _ => throw new InvalidDataException("It has a profile of an unknown type."),
    };

    private static IEnumerable<SpeedscopeSample> Sampled(JsonElement profile, int frameCount)
    {
        JsonElement samples = List(profile, "samples");
        JsonElement weights = List(profile, "weights");
        if (samples.GetArrayLength() != weights.GetArrayLength())
        {
            throw new InvalidDataException(
                $"A profile has {samples.GetArrayLength()} samples and {weights.GetArrayLength()} weights.");
        }

        JsonElement.ArrayEnumerator weight = weights.EnumerateArray();
        JsonElement.ArrayEnumerator? count = Beside(profile, "pydebug:counts", samples);
        JsonElement.ArrayEnumerator? state = Beside(profile, States, samples);
        foreach (JsonElement sample in samples.EnumerateArray())
        {
            weight.MoveNext();
            long number = 1;
            if (count is JsonElement.ArrayEnumerator each)
            {
                each.MoveNext();
                number = each.Current.ValueKind == JsonValueKind.Number && each.Current.TryGetInt64(out long n) ? n : 1;
                count = each;
            }

            string? name = null;
            if (state is JsonElement.ArrayEnumerator next)
            {
                next.MoveNext();
                name = Json.String(next.Current);
                state = next;
            }

            yield return new SpeedscopeSample(
                ReadStack(sample, frameCount), Weight(weight.Current), Math.Max(number, 0), SampleState.Parse(name));
        }
    }

    private static IEnumerable<SpeedscopeSample> Evented(JsonElement profile, int frameCount)
    {
        List<int> open = [];
        double last = profile.Number("startValue") ?? 0;
        foreach (JsonElement item in List(profile, "events").EnumerateArray())
        {
            double at = item.Number("at") ?? throw new InvalidDataException("An event has no time.");
            int frame = ReadFrame(item.TryGetProperty("frame", out JsonElement number) ? number : default, frameCount);
            if (at < last)
            {
                throw new InvalidDataException("Events are not in the order of their times.");
            }

            if (at > last && open.Count > 0)
            {
                yield return new SpeedscopeSample([.. open], at - last, 1, default);
            }

            last = at;
            if (item.Text("type") == "O")
            {
                open.Add(frame);
                if (open.Count > DeepestStack)
                {
                    throw new InvalidDataException($"A stack has more than {DeepestStack} frames.");
                }
            }
            else if (open.Count > 0 && open[^1] == frame)
            {
                open.RemoveAt(open.Count - 1);
            }
            else
            {
                throw new InvalidDataException("A frame is closed that is not the innermost open one.");
            }
        }
    }

    /// <summary>A list of our own beside the samples, where there is one of their length.</summary>
    private static JsonElement.ArrayEnumerator? Beside(JsonElement profile, string name, JsonElement samples)
        => profile.TryGetProperty(name, out JsonElement list)
            && list.ValueKind == JsonValueKind.Array
            && list.GetArrayLength() == samples.GetArrayLength()
            ? list.EnumerateArray()
            : null;

    private static JsonElement List(JsonElement profile, string name)
        => profile.TryGetProperty(name, out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? list
            : throw new InvalidDataException($"A profile has no '{name}'.");

    private static int[] ReadStack(JsonElement sample, int frameCount)
    {
        if (sample.ValueKind != JsonValueKind.Array || sample.GetArrayLength() > DeepestStack)
        {
            throw new InvalidDataException("A sample is not a list of frames, or too long a one.");
        }

        int[] stack = new int[sample.GetArrayLength()];
        int i = 0;
        foreach (JsonElement frame in sample.EnumerateArray())
        {
            stack[i++] = ReadFrame(frame, frameCount);
        }

        return stack;
    }

    private static int ReadFrame(JsonElement value, int frameCount)
        => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int frame) && frame >= 0 && frame < frameCount
            ? frame
            : throw new InvalidDataException($"A sample refers to a frame that is not among the {frameCount} of the file.");

    private static double Weight(JsonElement value)
        => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double weight) && weight >= 0
            && double.IsFinite(weight)
            ? weight
            : throw new InvalidDataException("A weight is not a number of 0 or more.");
}
