using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>What a container says about its own end.</summary>
internal static class TerminationMessage
{
    private const int Longest = 4096;
    private const int LinesOfLog = 80;

    /// <summary>The host's file that a container's terminationMessagePath is bound to, empty and writable.</summary>
    public static string Create(string home)
    {
        string file = PathOf(home);
        File.WriteAllText(file, "");
        File.SetUnixFileMode(file, (UnixFileMode)0b110_110_110);
        return file;
    }

    /// <summary>The message, from the file or, after a failure and where that is asked for, from the log.</summary>
    public static string Read(string home, JsonObject container, int exitCode, ContainerLog log)
    {
        string text = File.Exists(PathOf(home)) ? File.ReadAllText(PathOf(home)) : "";
        if (text.Length == 0 && exitCode != 0 && container.Text("terminationMessagePolicy") == "FallbackToLogsOnError")
        {
            text = string.Concat(
                log.Read(0).Lines.TakeLast(LinesOfLog).Select(line => Encoding.UTF8.GetString(line.Bytes)));
        }

        return text.Length > Longest ? text[..Longest] : text;
    }

    private static string PathOf(string home) => Path.Combine(home, "termination-log");
}
