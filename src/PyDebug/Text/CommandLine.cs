using System.Collections.Generic;
using System.Linq;

namespace PyDebug.Internal;

/// <summary>Writes an argument list as one line that people read.</summary>
internal static class CommandLine
{
    /// <summary>The arguments with spaces between them; one that is empty or has spaces is quoted.</summary>
    public static string Join(IEnumerable<string> arguments)
        => string.Join(' ', arguments.Select(a => a.Length == 0 || a.Any(char.IsWhiteSpace) ? $"'{a}'" : a));
}
