using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace PyDebug.Tests.Engine;

/// <summary>Something that reads what comes from outside.</summary>
/// <param name="Files">The files below Fixtures that it reads, as patterns that commas part.</param>
/// <param name="Read">Reads one.</param>
/// <param name="Known">The failures that its caller knows.</param>
internal sealed record Reader(string Files, Func<byte[], object?> Read, params Type[] Known)
{
    /// <summary>Whether its caller knows this failure.</summary>
    public bool Knows(Exception e) => Known.Contains(e.GetType());

    /// <summary>The paths of its files.</summary>
    public IEnumerable<string> Corpus(string fixtures)
        => Files.Split(',').SelectMany(pattern =>
        {
            string folder = Path.GetDirectoryName(pattern)!;
            string parent = Path.Join(fixtures, Path.GetDirectoryName(folder));
            return Directory.GetDirectories(parent, Path.GetFileName(folder))
                .SelectMany(d => Directory.GetFiles(d, Path.GetFileName(pattern))).Order(StringComparer.Ordinal);
        });
}
