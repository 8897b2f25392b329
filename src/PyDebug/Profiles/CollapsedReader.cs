using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// Reads collapsed stacks: a line for each, its frames joined by semicolons, and a number. A line that is none is left
/// out and counted, as every program does that reads them. The file is gone through twice: whether every frame has its
/// place is known at the end.
/// </summary>
internal sealed class CollapsedReader
{
    private const int LongestLine = 4 << 20;

    private const long MostFrames = 30_000_000;

    private const int MostDifferentFrames = 1_000_000;

    /// <summary>
    /// Of a longer file that has fewer stacks than one line in ten nobody would say that it is of this kind.
    /// </summary>
    private const int ShortFile = 20;

    private const int ShownLine = 60;

    private readonly Dictionary<StackFrame, int> _numbers = [];

    private readonly List<StackFrame> _frames = [];

    private readonly Dictionary<(string?, int?), Part> _parts = [];

    private long _lines;

    private long _stacks;

    private long _joined;

    private long _skipped;

    private long _decimals;

    private (long Number, string Text) _firstSkipped;

    private bool _placed = true;

    private long _total;

    private long _depths;

    /// <summary>Reads a file.</summary>
    /// <param name="stream">The file's content, which is read from its beginning.</param>
    /// <param name="about">What is known about the profiles besides.</param>
    /// <param name="ct">Stops it.</param>
    /// <returns>The profiles by process, with what was left out among their warnings.</returns>
    /// <exception cref="InvalidDataException">It has no stacks.</exception>
    /// <exception cref="LimitExceededException">It is larger than is read.</exception>
    public static IReadOnlyList<StackProfile> Read(Stream stream, StackProfile about, CancellationToken ct = default)
    {
        CollapsedReader reader = new();
        foreach (CollapsedLine line in reader.Lines(stream, ct))
        {
            reader._stacks++;
            reader._placed &= line.Stack.EndsWith(')');
        }

        reader.CheckKind(stream);
        foreach (CollapsedLine line in reader.Lines(stream, ct))
        {
            reader.Add(line);
        }

        return reader.Build(about);
    }

    private void CheckKind(Stream stream)
    {
        if (_stacks > 0 ? _lines > ShortFile && _stacks * 10 < _lines : _lines > 0)
        {
            throw new InvalidDataException(string.Create(
                CultureInfo.InvariantCulture,
                $"{(_stacks == 0 ? "None" : $"Only {_stacks}")} of its {_lines:#,0} lines "
                + $"{(_stacks == 1 ? "ends" : "end")} in a space and a number (line {_firstSkipped.Number}: "
                + $"'{_firstSkipped.Text}')."));
        }

        if (stream.Length == 0)
        {
            throw new InvalidDataException("It is empty: what should have written it wrote nothing.");
        }
    }

    /// <summary>The lines that have stacks. What is between them is counted.</summary>
    private IEnumerable<CollapsedLine> Lines(Stream stream, CancellationToken ct)
    {
        stream.Position = 0;
        (_lines, _skipped, _joined) = (0, 0, 0);
        using StreamReader reader = new(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, leaveOpen: true);
        TextLines lines = new(reader, LongestLine, ct);
        string? begun = null;
        while (lines.Next() is string line)
        {
            if (line.AsSpan().Trim().IsEmpty || line[0] == '#')
            {
                continue;
            }

            _lines++;
            if (begun is not null && begun.Length + line.Length <= LongestLine && !CollapsedStack.BeginsWithGroup(line))
            {
                // The name of a thread or a process may hold a line's end.
                line = $"{begun}\n{line}";
                begun = null;
                _joined++;
                _lines--;
            }
            else if (begun is not null)
            {
                Skip(begun, lines.Number - 1);
                begun = null;
            }

            if (CollapsedLine.Parse(line) is CollapsedLine stack)
            {
                yield return stack;
            }
            else if (CollapsedStack.BeginsWithGroup(line))
            {
                begun = line;
            }
            else
            {
                Skip(line, lines.Number);
            }
        }

        if (begun is not null)
        {
            Skip(begun, lines.Number);
        }
    }

    private void Skip(string line, long number)
    {
        if (_skipped++ == 0)
        {
            _firstSkipped = (number, SafeText.Line(line, ShownLine));
        }
    }

    private void Add(CollapsedLine line)
    {
        CollapsedStack stack = CollapsedStack.Parse(line.Stack, _placed);
        int[] path = new int[stack.Frames.Count];
        for (int i = 0; i < path.Length; i++)
        {
            path[i] = Number(stack.Frames[i]);
        }

        _depths += path.Length;
        if (_depths > MostFrames)
        {
            throw new LimitExceededException($"Its stacks have more than {MostFrames:#,0} frames in all.");
        }

        if (!_parts.TryGetValue((stack.Place, stack.ProcessId), out Part? part))
        {
            part = new Part(new ProfileBuilder(_frames), stack);
            _parts.Add((stack.Place, stack.ProcessId), part);
        }

        long count = part.Count(line);
        _decimals += line.Count is null ? 1 : 0;
        if (count > long.MaxValue - _total)
        {
            throw TooMany();
        }

        _total += count;
        part.Builder.Add(part.Builder.Thread(stack.ThreadId, stack.Thread), path, line.Value, count);
    }

    private static LimitExceededException TooMany() => new($"Its numbers add up to more than {long.MaxValue}.");

    private int Number(StackFrame frame)
    {
        if (!_numbers.TryGetValue(frame, out int number))
        {
            if (_frames.Count >= MostDifferentFrames)
            {
                throw new LimitExceededException($"It has more than {MostDifferentFrames:#,0} different frames.");
            }

            number = _frames.Count;
            _frames.Add(frame);
            _numbers.Add(frame, number);
        }

        return number;
    }

    private StackProfile[] Build(StackProfile about)
    {
        IReadOnlyList<string> warnings = [.. about.Warnings, .. Warnings()];
        Part[] parts = _parts.Count == 0
            ? [new Part(new ProfileBuilder(_frames), CollapsedStack.Parse("", placed: false))] : [.. _parts.Values];
        return
        [
            .. parts.Select(p => p.Builder.Build(p.About(about) with { Warnings = warnings })).Select(WithoutUnknown),
        ];
    }

    /// <summary>Lines have no order in time; a thread of which nothing is known is none.</summary>
    private static StackProfile WithoutUnknown(StackProfile profile)
        => profile with
        {
            Timeline = null,
            Threads = [.. profile.Threads.Where(t => t.ThreadId is not null || t.Name is not null)],
        };

    private IEnumerable<string> Warnings()
    {
        if (_skipped > 0)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{_skipped:#,0} of {_lines:#,0} lines {(_skipped == 1 ? "has" : "have")} no stack with a number and "
                + $"{(_skipped == 1 ? "was" : "were")} skipped (line {_firstSkipped.Number}: '{_firstSkipped.Text}').");
        }

        if (_joined > 0)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture,
                $"{_joined:#,0} {(_joined == 1 ? "line was" : "lines were")} put together with the next, "
                    + $"as names hold line ends.");
        }

        if (_decimals > 0)
        {
            string have = _decimals == 1 ? "has a number that is" : "have numbers that are";
            yield return Counts.Of(_decimals, "of", "of")
                + $" {Counts.Of(_stacks, "stack", "stacks")} {have} not whole: SampleCount is rounded.";
        }
    }

    private sealed class Part(ProfileBuilder builder, CollapsedStack first)
    {
        private double _rest;

        public ProfileBuilder Builder { get; } = builder;

        public StackProfile About(StackProfile about)
        {
            string[] place = first.Place?.Split('/') ?? [];
            return about with
            {
                Namespace = place.Length > 0 ? place[0] : about.Namespace,
                PodName = place.Length > 1 ? place[1] : about.PodName,
                ContainerName = place.Length > 2 ? place[2] : about.ContainerName,
                ProcessId = first.ProcessId ?? about.ProcessId,
                CommandLine = first.CommandLine ?? about.CommandLine,
            };
        }

        /// <summary>The samples of a line. What rounding takes from one it gives to a later one.</summary>
        public long Count(CollapsedLine line)
        {
            if (line.Count is long whole)
            {
                return whole;
            }

            double exact = line.Value + _rest;
            if (exact >= long.MaxValue)
            {
                throw TooMany();
            }

            long count = (long)Math.Round(exact, MidpointRounding.AwayFromZero);
            _rest = exact - count;
            return count;
        }
    }
}
