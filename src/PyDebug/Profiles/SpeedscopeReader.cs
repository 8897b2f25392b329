using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Reads speedscope's JSON (https://www.speedscope.app/file-format-schema.json): py-spy's, our own and others'. Each
/// process becomes a profile of its own, since thread ids repeat between processes.
/// </summary>
internal static class SpeedscopeReader
{
    /// <summary>The most frames, profiles and samples of one file that are read.</summary>
    private const int Most = 20_000_000;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 16 };

    /// <summary>Reads a file.</summary>
    /// <param name="stream">The file's content, UTF-8.</param>
    /// <param name="about">What is known about the profiles besides.</param>
    /// <returns>The profiles by process.</returns>
    /// <exception cref="InvalidDataException">It is not a speedscope file, or a damaged one.</exception>
    public static IReadOnlyList<StackProfile> Read(Stream stream, StackProfile about)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(stream, s_options);
            return Read(document.RootElement, about);
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"It is not complete JSON (line {e.LineNumber + 1}).");
        }
    }

    private static List<StackProfile> Read(JsonElement root, StackProfile about)
    {
        if (root.ValueKind != JsonValueKind.Object
            || !root.TryGetProperty("shared", out JsonElement shared)
            || !root.TryGetProperty("profiles", out JsonElement profiles)
            || profiles.ValueKind != JsonValueKind.Array)
        {
            throw new InvalidDataException("It is JSON, but not a speedscope file: 'shared' or 'profiles' is missing.");
        }

        List<StackFrame> frames = [.. shared.Items("frames", Most).Select(Frame)];
        StackProfile template = about with { Tool = Tool(root.Text("exporter")) ?? about.Tool };
        List<StackProfile> known = SpeedscopeAbout.Read(root, template);
        Dictionary<int, ProcessPart> parts = [];
        foreach (JsonElement profile in profiles.EnumerateArray())
        {
            SpeedscopeName name = SpeedscopeName.Parse(profile.Text("name") ?? "");
            int? index = SpeedscopeAbout.Profile(profile, known.Count);
            int key = index ?? -1 - (name.ProcessId ?? 0);
            if (!parts.TryGetValue(key, out ProcessPart? part))
            {
                part = new ProcessPart(index is int i ? known[i] : template, name.ProcessId, frames);
                parts.Add(key, part);
            }

            part.Add(profile, name, frames);
        }

        return [.. parts.Values.Select(p => p.Build())];
    }

    private static StackFrame Frame(JsonElement frame)
    {
        int? line = frame.Integer("line");
        return new StackFrame
        {
            Name = frame.Text("name") ?? "",
            FileName = frame.Text("file") ?? "",
            Line = line > 0 ? line : null,
        };
    }

    private static string? Tool(string? exporter) => exporter?.Replace('@', ' ');

    /// <summary>What one file says about one process.</summary>
    private sealed class ProcessPart(StackProfile about, int? process, IReadOnlyList<StackFrame> frames)
    {
        private readonly ProfileBuilder _builder = new(frames);

        private string? _unit;

        private string? _commandLine;

        public void Add(JsonElement profile, SpeedscopeName name, IReadOnlyList<StackFrame> frames)
        {
            (string unit, double factor) = Unit(profile.Text("unit"));
            if (_unit is not null && _unit != unit)
            {
                throw new InvalidDataException($"One process is counted in {_unit} and in {unit}.");
            }

            _unit = unit;
            int thread = _builder.Thread(name.ThreadId, name.Thread);
            int? pid = name.ProcessId;
            foreach (SpeedscopeSample sample in SpeedscopeSample.All(profile, frames.Count))
            {
                int skip = ProcessFrames.Count(sample.Stack, frames, pid, ref _commandLine);
                int end = sample.State == default ? sample.Stack.Length : Math.Max(skip, sample.Stack.Length - 1);
                _builder.Add(thread, sample.Stack[skip..end], sample.Value * factor, sample.Count, sample.State);
            }
        }

        public StackProfile Build()
        {
            string unit = _unit ?? about.Unit;
            string metric = about.Metric;
            if (metric == "Samples")
            {
                metric = unit switch
                {
                    "bytes" => "Bytes",
                    "samples" => "Samples",
                    _ => about.Tool?.StartsWith("py-spy", StringComparison.Ordinal) == true ? "Cpu" : "Time",
                };
            }

            if (metric.EndsWith("Allocations", StringComparison.Ordinal))
            {
                // The format has no name for that unit.
                unit = ProfileText.AllocationsUnit;
            }

            return _builder.Build(about with
            {
                ProcessId = process ?? about.ProcessId,
                CommandLine = _commandLine ?? about.CommandLine,
                Unit = unit,
                Metric = metric,
            });
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
    }
}
