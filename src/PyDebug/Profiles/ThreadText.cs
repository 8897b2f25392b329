using System.Globalization;

namespace PyDebug.Internal;

/// <summary>Writes threads for people.</summary>
internal static class ThreadText
{
    /// <summary>A thread as <c>Thread 3 "worker"</c>, with what is known of it.</summary>
    public static string One(long? id, string? name)
    {
        string number = id is long value ? string.Create(CultureInfo.InvariantCulture, $" {value}") : "";
        string quoted = string.IsNullOrEmpty(name) ? "" : $" \"{SafeText.Line(name, 100)}\"";
        return $"Thread{number}{quoted}";
    }
}
