using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace PyDebug.Profiles;

/// <summary>Compares stacks, given as the numbers of their frames, by content.</summary>
internal sealed class StackComparer : IEqualityComparer<int[]>
{
    public static StackComparer Instance { get; } = new();

    public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode(int[] obj)
    {
        HashCode hash = default;
        hash.AddBytes(MemoryMarshal.AsBytes(obj.AsSpan()));
        return hash.ToHashCode();
    }
}
