using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using System.Threading;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>
/// What a speedscope file says (https://www.speedscope.app/file-format-schema.json), read in one pass: in memory are
/// its different stacks and a few numbers for each sample, never the text.
/// </summary>
internal sealed class SpeedscopeFile
{
    private const int MostFrames = 1_000_000;

    private const int MostProfiles = 100_000;

    private const int MostSamples = 20_000_000;

    private const int MostStates = 10_000;

    private const int LargestAbout = 4 << 20;

    private readonly JsonTokens _tokens;

    private readonly Dictionary<string, string> _states = [];

    private readonly List<StackFrame> _frames = [];

    private readonly List<SpeedscopeProfile> _profiles = [];

    private int _samples;

    private bool _hasShared;

    private bool _hasProfiles;

    private SpeedscopeFile(Stream stream, CancellationToken ct) => _tokens = new JsonTokens(stream, ct);

    /// <summary>The stacks of all samples, by their numbers.</summary>
    public StackPool Stacks { get; } = new();

    /// <summary>The frames that stacks refer to.</summary>
    public IReadOnlyList<StackFrame> Frames => _frames;

    /// <summary>The profiles in their order.</summary>
    public IReadOnlyList<SpeedscopeProfile> Profiles => _profiles;

    /// <summary>What wrote the file; null where it does not say.</summary>
    public string? Exporter { get; private set; }

    /// <summary>What we wrote beside the format; null in a file of another program.</summary>
    public JsonDocument? About { get; private set; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is not a speedscope file, or a damaged one.</exception>
    /// <exception cref="LimitExceededException">It is larger than is read.</exception>
    public static SpeedscopeFile Read(Stream stream, CancellationToken ct)
    {
        SpeedscopeFile file = new(stream, ct);
        try
        {
            file.ReadAll();
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"It is not complete JSON (line {e.LineNumber + 1}).");
        }

        if (!file._hasShared || !file._hasProfiles)
        {
            throw new InvalidDataException("It is JSON, but not a speedscope file: 'shared' or 'profiles' is missing.");
        }

        file.CheckFrames();
        return file;
    }

    private void ReadAll()
    {
        _tokens.Read();
        foreach (string name in Properties())
        {
            switch (name)
            {
                case "shared":
                    _hasShared = true;
                    foreach (string part in Properties())
                    {
                        if (part == "frames")
                        {
                            ReadFrames();
                        }
                        else
                        {
                            _tokens.Skip();
                        }
                    }

                    break;
                case "profiles" when _tokens.Type == JsonTokenType.StartArray:
                    _hasProfiles = true;
                    while (_tokens.Read() && _tokens.Type != JsonTokenType.EndArray)
                    {
                        ReadProfile();
                    }

                    break;
                case "exporter":
                    Exporter = _tokens.Text is string exporter ? SafeText.Line(exporter, Json.TextLength) : Exporter;
                    _tokens.Skip();
                    break;
                case SpeedscopeAbout.Property:
                    About = _tokens.Take(LargestAbout);
                    break;
                default:
                    _tokens.Skip();
                    break;
            }
        }

        while (_tokens.Read())
        {
            // What stands behind the file's end is no JSON of its own.
        }
    }

    /// <summary>The names of an object's properties, the reader at the value of each; none of another value.</summary>
    private IEnumerable<string> Properties()
    {
        if (_tokens.Type != JsonTokenType.StartObject)
        {
            _tokens.Skip();
            yield break;
        }

        while (_tokens.Read() && _tokens.Type == JsonTokenType.PropertyName)
        {
            string name = _tokens.Text ?? "";
            _tokens.Read();
            yield return name;
        }
    }

    private void ReadFrames()
    {
        if (_tokens.Type != JsonTokenType.StartArray)
        {
            _tokens.Skip();
            return;
        }

        while (_tokens.Read() && _tokens.Type != JsonTokenType.EndArray)
        {
            if (_frames.Count >= MostFrames)
            {
                throw new LimitExceededException($"It has more than {MostFrames:#,0} frames.");
            }

            string? function = null;
            string? file = null;
            int? line = null;
            foreach (string name in Properties())
            {
                function = name == "name" ? Text() : function;
                file = name == "file" ? Text() : file;
                line = name == "line" ? _tokens.Integer() : line;
                _tokens.Skip();
            }

            _frames.Add(new StackFrame { Name = function ?? "", FileName = file ?? "", Line = line > 0 ? line : null });
        }
    }

    private string? Text() => _tokens.Text is string text ? SafeText.Line(text, Json.TextLength) : null;

    private void ReadProfile()
    {
        if (_profiles.Count >= MostProfiles)
        {
            throw new LimitExceededException($"It has more than {MostProfiles:#,0} profiles.");
        }

        SpeedscopeProfile profile = new(_profiles.Count);
        _profiles.Add(profile);
        foreach (string name in Properties())
        {
            switch (name)
            {
                case "type":
                    profile.Type = Text();
                    _tokens.Skip();
                    break;
                case "name":
                    profile.Name = Text() ?? "";
                    _tokens.Skip();
                    break;
                case "unit":
                    profile.Unit = Text();
                    _tokens.Skip();
                    break;
                case "startValue":
                    profile.Start = _tokens.Number();
                    _tokens.Skip();
                    break;
                case "endValue":
                    profile.End = _tokens.Number();
                    _tokens.Skip();
                    break;
                case SpeedscopeAbout.Index:
                    profile.About = _tokens.Integer();
                    _tokens.Skip();
                    break;
                case SpeedscopeProfile.ProcessName:
                    profile.ProcessId = _tokens.Integer();
                    _tokens.Skip();
                    break;
                case SpeedscopeProfile.MainName:
                    profile.IsMainThread = _tokens.Type switch
                    {
                        JsonTokenType.True => true,
                        JsonTokenType.False => false,
                        _ => null,
                    };
                    _tokens.Skip();
                    break;
                default:
                    ReadList(profile, name);
                    break;
            }
        }
    }

    private void ReadList(SpeedscopeProfile profile, string name)
    {
        Action? item = name switch
        {
            "samples" => () => profile.Stacks.Add(ReadStack(profile)),
            "weights" => () => profile.Weights.Add(
                _tokens.Number() is double weight and >= 0 and <= SpeedscopeProfile.Most
                ? weight
                : throw profile.Damaged(
                    $"weight {profile.Weights.Count} is not a number from 0 to {SpeedscopeProfile.Most:0.0e+0}")),
            "events" => () => profile.Events.Add(ReadEvent(profile)),
            SpeedscopeProfile.CountsName => () => profile.Counts.Add(
                _tokens.Long() is long count ? Math.Max(0, count) : 1),
            SpeedscopeProfile.StatesName => () => profile.States.Add(ReadState()),
            _ => null,
        };
        if (item is null || _tokens.Type != JsonTokenType.StartArray)
        {
            _tokens.Skip();
            return;
        }

        profile.Begin(name);
        while (_tokens.Read() && _tokens.Type != JsonTokenType.EndArray)
        {
            if (name is "samples" or "events" && ++_samples > MostSamples)
            {
                throw new LimitExceededException($"It has more than {MostSamples:#,0} samples.");
            }

            if (profile.Weights.Count > MostSamples || profile.Counts.Count > MostSamples
                || profile.States.Count > MostSamples)
            {
                throw profile.Damaged($"it has more weights than samples");
            }

            item();
        }
    }

    private int ReadStack(SpeedscopeProfile profile)
    {
        if (_tokens.Type != JsonTokenType.StartArray)
        {
            throw profile.Damaged($"sample {profile.Stacks.Count} is not a list of frames");
        }

        int stack = StackPool.Empty;
        while (_tokens.Read() && _tokens.Type != JsonTokenType.EndArray)
        {
            stack = Stacks.Inner(stack, ReadFrame(profile, "sample", profile.Stacks.Count));
        }

        return stack;
    }

    private SpeedscopeEvent ReadEvent(SpeedscopeProfile profile)
    {
        int number = profile.Events.Count;
        string? type = null;
        int? frame = null;
        double? at = null;
        foreach (string name in Properties())
        {
            type = name == "type" ? Text() ?? "" : type;
            frame = name == "frame" ? ReadFrame(profile, "event", number) : frame;
            at = name == "at" ? _tokens.Number() : at;
            _tokens.Skip();
        }

        if (at is not (>= -SpeedscopeProfile.Most and <= SpeedscopeProfile.Most))
        {
            throw profile.Damaged($"event {number} has no time");
        }

        if (type is not ("O" or "C"))
        {
            throw profile.Damaged($"event {number} at {at:R} is neither of type O nor C");
        }

        return new SpeedscopeEvent(
            type == "O",
            frame ?? throw profile.Damaged($"event {number} at {at:R} has no frame"),
            at.Value);
    }

    private int ReadFrame(SpeedscopeProfile profile, string what, int number)
        => _tokens.Integer() is int frame and >= 0
            ? frame
            : throw profile.Damaged($"{what} {number} refers to something that is no frame's number");

    private string? ReadState()
    {
        if (_tokens.Text is not string text)
        {
            _tokens.Skip();
            return null;
        }

        text = SafeText.Line(text, Json.TextLength);
        if (!_states.TryGetValue(text, out string? known))
        {
            if (_states.Count >= MostStates)
            {
                throw new LimitExceededException($"It has more than {MostStates:#,0} different states.");
            }

            known = text;
            _states.Add(text, known);
        }

        return known;
    }

    /// <summary>Frames may come behind the samples that refer to them.</summary>
    private void CheckFrames()
    {
        foreach (SpeedscopeProfile profile in _profiles)
        {
            for (int i = 0; i < profile.Events.Count; i++)
            {
                if (profile.Events[i].Frame >= _frames.Count)
                {
                    throw profile.Damaged($"event {i} at {profile.Events[i].At:R} {Refers(profile.Events[i].Frame)}");
                }
            }
        }

        if (Stacks.HighestFrame() is int highest && highest >= _frames.Count)
        {
            foreach (SpeedscopeProfile profile in _profiles)
            {
                int at = profile.Stacks.FindIndex(s => Array.Exists(Stacks.Frames(s), f => f >= _frames.Count));
                if (at >= 0)
                {
                    int frame = Array.Find(Stacks.Frames(profile.Stacks[at]), f => f >= _frames.Count);
                    throw profile.Damaged($"sample {at} {Refers(frame)}");
                }
            }
        }
    }

    private string Refers(int frame)
        => _frames.Count == 0
            ? $"refers to frame {frame}, and the file has none"
            : $"refers to frame {frame}, which is not among the {_frames.Count} of the file (0 to {_frames.Count - 1})";
}
