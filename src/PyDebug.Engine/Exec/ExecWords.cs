using System.Text.RegularExpressions;

namespace PyDebug.Engine;

/// <summary>What a kubelet says of a command that failed, without the command.</summary>
internal static partial class ExecWords
{
    /// <summary>Takes the agent's program out of a message: a kubelet repeats the whole command line.</summary>
    public static string WithoutProgram(string message)
    {
        string known = CommandLine().Replace(message, "[$1 (PyDebug's agent)]");
        int rest = known.IndexOf("importlib.machinery", System.StringComparison.Ordinal);
        return rest < 0 ? known : known[..known.LastIndexOf(' ', rest)].TrimEnd();
    }

    // Words in brackets, with quotation marks or without; the program has brackets of its own.
    [GeneratedRegex(
        """\["?([^\s"\[\]]+)"?,? "?-I"?,? "?-S"?,? "?-B"?,? "?-c[\s\S]*\]""", RegexOptions.CultureInvariant)]
    private static partial Regex CommandLine();
}
