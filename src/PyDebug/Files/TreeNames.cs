using System;
using System.Collections.Generic;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Says which paths of a pod's folder this machine's files can have: none that leads elsewhere, none that means
/// something else here, and no two that are the same here.
/// </summary>
/// <param name="onWindows">Whether they have to do for Windows.</param>
/// <param name="ignoreCase">Whether names that differ by case alone are the same.</param>
internal sealed class TreeNames(bool onWindows, bool ignoreCase)
{
    private readonly Dictionary<string, string> _spelled = new(
        ignoreCase ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);

    /// <summary>Those of this machine.</summary>
    public static TreeNames Here() => new(OperatingSystem.IsWindows(), !OperatingSystem.IsLinux());

    /// <summary>Why a path is left out; null where it can be taken.</summary>
    /// <param name="path">The path below the folder, with slashes.</param>
    public string? WhyNot(string path)
    {
        string[] parts = path.Split('/');
        foreach (string part in parts)
        {
            if (LocalName.Of(part, onWindows) != part)
            {
                return "name";
            }
        }

        if (!ignoreCase)
        {
            return null;
        }

        for (int end = path.IndexOf('/', StringComparison.Ordinal); ; end = path.IndexOf('/', end + 1))
        {
            string above = end < 0 ? path : path[..end];
            if (!_spelled.TryAdd(above, above) && !string.Equals(_spelled[above], above, StringComparison.Ordinal))
            {
                return "case";
            }

            if (end < 0)
            {
                return null;
            }
        }
    }
}
