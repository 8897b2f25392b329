using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Makes profiles of speedscope's JSON: py-spy's, our own and others'. Each process becomes a profile of its own, since
/// thread ids repeat between processes, and so does each unit, since seconds and bytes do not add up.
/// </summary>
internal static class SpeedscopeReader
{
    private const long MostFrames = 30_000_000;

    /// <summary>Reads a file.</summary>
    /// <param name="stream">The file's content, UTF-8.</param>
    /// <param name="about">What is known about the profiles besides.</param>
    /// <param name="ct">Stops it.</param>
    /// <returns>The profiles by process and unit; none of a file that has none.</returns>
    /// <exception cref="InvalidDataException">It is not a speedscope file, or a damaged one.</exception>
    /// <exception cref="LimitExceededException">It is larger than is read.</exception>
    public static IReadOnlyList<StackProfile> Read(Stream stream, StackProfile about, CancellationToken ct = default)
    {
        SpeedscopeFile file = SpeedscopeFile.Read(stream, ct);
        StackProfile template = about with { Tool = file.Exporter?.Replace('@', ' ') ?? about.Tool };
        using System.Text.Json.JsonDocument? described = file.About;
        List<StackProfile> known = described is null ? [] : SpeedscopeAbout.Read(described.RootElement, template);
        Dictionary<(int? About, int? Process, string Unit), Part> parts = [];
        foreach (SpeedscopeProfile profile in file.Profiles)
        {
            SpeedscopeName name = SpeedscopeName.Parse(profile.Name);
            int? index = profile.About is int i && i >= 0 && i < known.Count ? i : null;
            (string unit, double factor) = Unit(profile.Unit);
            (int?, int?, string) key = (index, index is null ? name.ProcessId : null, unit);
            if (!parts.TryGetValue(key, out Part? part))
            {
                part = new Part(file, index is int of ? known[of] : template, name.ProcessId, unit);
                parts.Add(key, part);
            }

            part.Add(profile, name, factor, isOurs: index is not null, ct);
        }

        return [.. parts.Values.Select(p => p.Build())];
    }

    private static (string Unit, double Factor) Unit(string? unit) => unit switch
    {
        "seconds" => ("seconds", 1),
        "milliseconds" => ("seconds", 1e-3),
        "microseconds" => ("seconds", 1e-6),
        "nanoseconds" => ("seconds", 1e-9),
        "bytes" => ("bytes", 1),
        _ => ("samples", 1),
    };

    /// <summary>What one file says about one process in one unit.</summary>
    private sealed class Part(SpeedscopeFile file, StackProfile about, int? process, string unit)
    {
        private const int StepsPerLook = 4096;

        private readonly ProfileBuilder _builder = new(file.Frames);

        private readonly Dictionary<string, int> _names = [];

        private string? _commandLine;

        private long _frames;

        public void Add(
            SpeedscopeProfile profile, SpeedscopeName name, double factor, bool isOurs, CancellationToken ct)
        {
            int thread = _builder.Thread(
                name.ThreadId, ThreadName(name), isOurs ? (profile.ProcessId, profile.IsMainThread) : null);
            Dictionary<(int Stack, SampleState State), int> numbers = [];
            int steps = 0;
            foreach (SpeedscopeSample sample in profile.Samples(file))
            {
                if (++steps % StepsPerLook == 0)
                {
                    ct.ThrowIfCancellationRequested();
                }

                if (!numbers.TryGetValue((sample.Stack, sample.State), out int number))
                {
                    number = _builder.Stack(thread, Frames(sample.Stack, name.ProcessId), sample.State);
                    numbers.Add((sample.Stack, sample.State), number);
                }

                _builder.Add(thread, number, sample.Value * factor, sample.Count);
            }
        }

        public StackProfile Build()
        {
            // The format has no name for some units; what is written beside it does.
            string counted = unit == "samples" ? about.Unit : unit;
            string metric = about.Metric != "Samples" ? about.Metric : counted switch
            {
                "bytes" => "Bytes",
                "seconds" => about.Tool?.StartsWith("py-spy", StringComparison.Ordinal) == true ? "Cpu" : "Time",
                _ => "Samples",
            };
            return _builder.Build(about with
            {
                ProcessId = process ?? about.ProcessId,
                CommandLine = _commandLine ?? about.CommandLine,
                Unit = counted,
                Metric = metric,
            });
        }

        /// <summary>Profiles of one name without an id are different threads, and get different names.</summary>
        private string? ThreadName(SpeedscopeName name)
        {
            if (name.ThreadId is not null)
            {
                return name.Thread;
            }

            string key = name.Thread ?? "";
            int times = _names.GetValueOrDefault(key) + 1;
            _names[key] = times;
            return times == 1
                ? name.Thread
                : string.Create(CultureInfo.InvariantCulture, $"{key} #{times}").TrimStart();
        }

        private int[] Frames(int stack, int? processId)
        {
            int[] frames = file.Stacks.Frames(stack);
            _frames += frames.Length;
            if (_frames > MostFrames)
            {
                throw new LimitExceededException(
                    $"Its different stacks have more than {MostFrames:#,0} frames in all.");
            }

            return frames[ProcessFrames.Count(frames, file.Frames, processId, ref _commandLine)..];
        }
    }
}
