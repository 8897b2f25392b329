using System;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>A thread and a stack of frames out of one table, compared by content.</summary>
internal readonly struct TimeStackKey(long threadId, StackFrame[] frames) : IEquatable<TimeStackKey>
{
    private readonly long _threadId = threadId;

    private readonly StackFrame[] _frames = frames;

    public bool Equals(TimeStackKey other) => _threadId == other._threadId && _frames.SequenceEqual(other._frames);

    public override bool Equals(object? obj) => obj is TimeStackKey other && Equals(other);

    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.Add(_threadId);
        foreach (StackFrame frame in _frames)
        {
            hash.Add(frame.Name);
            hash.Add(frame.Line);
        }

        return hash.ToHashCode();
    }
}
