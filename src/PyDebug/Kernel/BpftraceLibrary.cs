using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Tools.Bpftrace;

/// <summary>The scripts that the module brings, each with what it shows in the comments at its head.</summary>
internal static class BpftraceLibrary
{
    private const string Prefix = "PyDebug.Tools.Bpftrace.";

    private const string Scripts = Prefix + "Scripts.";

    private const string ByHand = "// scope: by hand";

    private static readonly string[] s_unprivileged = ["profile", "interval", "software", "hardware", "begin", "end"];

    /// <summary>The names, in order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. Assembly.GetExecutingAssembly().GetManifestResourceNames()
            .Where(n => n.StartsWith(Scripts, StringComparison.Ordinal))
            .Select(n => Path.GetFileNameWithoutExtension(n[Scripts.Length..]))
            .Order(StringComparer.OrdinalIgnoreCase),
    ];

    /// <summary>Every script.</summary>
    public static IReadOnlyList<BpftraceScript> All => [.. Names.Select(Find)];

    /// <summary>The script of a name in any case.</summary>
    /// <exception cref="PyDebugException">There is none.</exception>
    public static BpftraceScript Find(string name)
    {
        string? known = Names.FirstOrDefault(n => n.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (known is null)
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                $"There is no script '{SafeText.Line(name, 80)}'.",
                detail: new Dictionary<string, string> { ["advice"] = $"There are {string.Join(", ", Names)}." });
        }

        string text = Resource($"Scripts.{known}.bt");
        BpftraceLayout layout = BpftraceLayout.Parse(text);
        BpftraceProgram program = BpftraceProgram.Parse(text, scoped: true, IsScopedByHand(text));
        return new BpftraceScript
        {
            Name = known,
            Synopsis = text[2..text.IndexOf('\n', StringComparison.Ordinal)].Trim(),
            Columns = layout.Columns,
            Maps = layout.Maps,
            Probes = [.. program.Probes.Select(p => p.Text).Distinct()],
            Profile = program.Probes.All(p => s_unprivileged.Contains(p.Kind)) ? "Trace" : "SysAdmin",
            Text = text,
        };
    }

    /// <summary>Whether a script leaves out the others itself where its probes are in foreign threads.</summary>
    public static bool IsScopedByHand(string text) => text.Contains(ByHand, StringComparison.Ordinal);

    /// <summary>A text that is built into the module.</summary>
    public static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(Prefix + name)
            ?? throw new InvalidOperationException($"The module has no resource {name}.");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
