using System;
using System.Collections.Generic;
using System.Globalization;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Counts the bytes of one file against what was announced, what is allowed, and the room that there is.
/// </summary>
internal sealed class FileBudget
{
    private const long LookEvery = 16L << 20;

    private readonly string _what;

    private readonly string? _folder;

    private readonly long _announced;

    private readonly PodTarget _target;

    private long _sinceLook;

    private bool _isKept = true;

    private FileBudget(string what, string? folder, long announced, PodTarget target)
    {
        _what = what;
        _folder = folder;
        _announced = announced;
        _target = target;
    }

    /// <summary>The bytes that came.</summary>
    public long Count { get; private set; }

    /// <summary>Begins a file.</summary>
    /// <param name="what">What it is called in a sentence, such as <c>The capture</c>.</param>
    /// <param name="folder">Where it is written; null for the folder of temporary files.</param>
    /// <param name="announced">The size that its sender names; null where it names none, which allows none.</param>
    /// <param name="most">The most bytes that it may have.</param>
    /// <param name="target">The pod that it comes from.</param>
    /// <param name="checkHeadroom">Whether it is written to a disk at all.</param>
    /// <exception cref="PyDebugException">It is too large, or there is no room for it.</exception>
    public static FileBudget Begin(
        string what, string? folder, long? announced, long most, PodTarget target, bool checkHeadroom = true)
    {
        long size = Math.Max(0, announced ?? 0);
        if (size > most)
        {
            throw Exceeded(
                Invariant($"{what} has {size:#,0} bytes, more than the {most:#,0} that are taken."), target);
        }

        FileBudget budget = new(what, folder, size, target) { _isKept = checkHeadroom };
        budget.CheckHeadroom(size);
        return budget;
    }

    /// <summary>Counts bytes before they are written.</summary>
    /// <exception cref="PyDebugException">There are more than were announced, or there is no room for them.</exception>
    public void Add(int bytes)
    {
        Count += bytes;
        if (Count > _announced)
        {
            throw Exceeded(
                Invariant($"{_what} has more than the {_announced:#,0} bytes that were announced."), _target);
        }

        _sinceLook += bytes;
        if (_sinceLook >= LookEvery)
        {
            _sinceLook = 0;
            CheckHeadroom(Math.Min(LookEvery, _announced - Count));
        }
    }

    private static PyDebugException Exceeded(string message, PodTarget target)
        => ErrorFactory.Local(LocalCause.LimitExceeded, message, target);

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private void CheckHeadroom(long bytes)
    {
        if (_isKept && bytes > 0 && TemporaryFile.Headroom(_folder) is long headroom && headroom < bytes)
        {
            throw ErrorFactory.Local(
                AgentCause.DiskFull,
                Invariant($"{_what} needs {bytes:#,0} bytes more, and {headroom:#,0} may be written here."),
                _target,
                new Dictionary<string, string>
                {
                    ["advice"] = _folder is null
                        ? "TMPDIR (on Windows TEMP) names another folder for temporary files."
                        : "Free some room, or choose another place.",
                });
        }
    }
}
