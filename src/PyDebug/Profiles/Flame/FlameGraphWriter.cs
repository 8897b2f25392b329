using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;
using PyDebug.Internal;

namespace PyDebug.Profiles.Flame;

/// <summary>
/// Draws a flame graph as one SVG file that needs nothing else: no network, and no script to be read. Names come from
/// the target and are written as text alone.
/// </summary>
internal static class FlameGraphWriter
{
    private const int MostNodes = 12_000;

    private const int RowHeight = 18;

    private const int HeadHeight = 116;

    private const int LegendHeight = 20;

    private const int NoteHeight = 18;

    /// <summary>The width that labels are cut for; a browser fits them to the width it has.</summary>
    private const double NominalWidth = 1180;

    private const double CellWidth = 7;

    private const int MostNotes = 6;

    private const string Hint = "Wider is more. Rest on a frame for its file, line and share.";

    private const int TitleCells = 115;

    private const int AboutCells = 175;

    /// <summary>Draws profiles of one unit as one picture.</summary>
    public static void Write(TextWriter output, IReadOnlyList<StackProfile> profiles, bool byThread)
    {
        FlameHead head = FlameHead.Of(profiles);
        FlameLayout layout = FlameLayout.Of(FlameStacks.Gather(profiles, byThread), head.Root, MostNodes);
        IReadOnlyList<string> notes = Notes(profiles, layout);
        string[] classes = [.. layout.Nodes.Select(n => n.Frame.Color).Distinct().Order(StringComparer.Ordinal)];
        (string Class, string Text)[] ends = Legend(FlameHead.Ends, classes);
        int headHeight = HeadHeight + (ends.Length > 0 ? LegendHeight : 0);
        int framesHeight = layout.Rows * RowHeight;
        int height = headHeight + framesHeight + 14 + (notes.Count * NoteHeight) + 8;

        output.Write("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        output.Write(Invariant(
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="1200" height="{
                height}" role="img" aria-labelledby="name about" data-total="{layout.Total:R}" data-unit="{
                Xml(head.Unit)}">
            <title id="name">{Xml(head.Title)}</title>
            <desc id="about">{Xml(head.About)}</desc>

            """));
        WriteStyle(output, classes, head.Metric);
        output.Write("<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n");
        output.Write(Invariant($"<svg id=\"frames\" x=\"1%\" y=\"{headHeight}\" "));
        output.Write(Invariant($"width=\"98%\" height=\"{framesHeight}\">\n"));
        foreach (FlameNode node in layout.Nodes)
        {
            WriteNode(output, node, layout.Total, head.Unit);
        }

        output.Write("</svg>\n");
        int y = headHeight + framesHeight + 24;
        foreach (string note in notes)
        {
            output.Write(Invariant($"<text class=\"soft\" x=\"1%\" y=\"{y}\">{Xml(note)}</text>\n"));
            y += NoteHeight;
        }

        WriteHead(output, head, [Legend(FlameHead.Legend, classes), ends], headHeight);
        output.Write("<g id=\"tip\" style=\"display:none\"/>\n");
        output.Write("<script><![CDATA[\n");
        output.Write(Resource("flame.js"));
        output.Write("]]></script>\n</svg>\n");
    }

    private static void WriteStyle(TextWriter output, string[] classes, string metric)
    {
        output.Write("<style>\n");
        output.Write(Resource("flame.css"));
        output.Write(FlamePalette.Rules(classes, metric, dark: false));
        output.Write("\n@media screen and (prefers-color-scheme:dark){\n");
        output.Write(Resource("flame-dark.css"));
        output.Write(FlamePalette.Rules(classes, metric, dark: true));
        output.Write("\n}\n@media print{\n");
        output.Write(Resource("flame-print.css"));
        output.Write("}\n</style>\n");
    }

    private static void WriteNode(TextWriter output, FlameNode node, double total, string unit)
    {
        FlameFrame frame = node.Frame;
        double x = total > 0 ? 100 * node.Start / total : 0;
        double width = total > 0 ? 100 * node.Value / total : 100;
        string place = frame.Place.Length == 0 ? "" : $" data-place=\"{Xml(frame.Place)}\"";
        output.Write(Invariant(
            $"<svg class=\"f {frame.Color}\" x=\"{x:0.#####}%\" y=\"{node.Depth * RowHeight}\" "));
        output.Write(Invariant($"width=\"{width:0.#####}%\" "));
        output.Write(Invariant($"height=\"{RowHeight - 1}\"{place}><title>{Xml(frame.Name)}\n{Xml(frame.Detail)}\n"));
        output.Write(Xml(Amount(node, total, unit)));
        output.Write("</title><rect width=\"100%\" height=\"100%\"/>");
        int cells = (int)((width / 100 * NominalWidth - 8) / CellWidth);
        string label = LabelText.Fit(frame.Name, frame.Place, cells);
        if (label.Length > 0)
        {
            output.Write(Invariant($"<text x=\"4\" y=\"12.6\">{Xml(label)}</text>"));
        }

        output.Write("</svg>\n");
    }

    private static string Amount(FlameNode node, double total, string unit)
    {
        string text = $"{ProfileText.Share(node.Value, total)}, {ProfileText.Value(node.Value, unit)}";
        if (unit is not ("samples" or ProfileText.AllocationsUnit or ProfileText.EventsUnit or ProfileText.PlainUnit)
            && node.Count > 0)
        {
            text += $", {ProfileText.Counted(node.Count, unit)}";
        }

        return node.Self > 0 && node.Self < node.Value * 0.9999
            ? $"{text}; in itself {ProfileText.Share(node.Self, total)}"
            : text;
    }

    private static void WriteHead(
        TextWriter output,
        FlameHead head,
        (string Class, string Text)[][] legends,
        int height)
    {
        output.Write(Invariant(
            $"""
            <svg id="head" width="100%" height="{height}">
            <rect class="page" width="100%" height="{height - 3}"/>
            <text class="title" x="1%" y="30" data-fit="{Xml(head.Title)}">{
                Xml(LabelText.Cut(head.Title, TitleCells))}</text>
            <text class="soft" x="1%" y="51" data-fit="{Xml(head.About)}">{
                Xml(LabelText.Cut(head.About, AboutCells))}</text>

            """));
        int y = 60;
        foreach ((string Class, string Text)[] legend in legends.Where(l => l.Length > 0))
        {
            WriteLegend(output, legend, y);
            y += LegendHeight;
        }

        output.Write(Invariant(
            $"""
            <text id="hint" class="hint" x="1%" y="{height - 14}">{Hint}</text>
            <svg id="tool" y="{height - 32}" width="100%" height="30" style="display:none"/>
            </svg>

            """));
    }

    /// <summary>Writes a row of colours with their meaning; it shrinks where the window is narrower.</summary>
    private static void WriteLegend(TextWriter output, (string Class, string Text)[] legend, int y)
    {
        int width = legend.Sum(l => WidthOf(l.Text));
        output.Write(Invariant(
            $"<svg x=\"1%\" y=\"{y}\" width=\"98%\" height=\"{LegendHeight}\" viewBox=\"0 0 {width} {LegendHeight}\""));
        output.Write(" preserveAspectRatio=\"xMinYMid\">\n");
        int x = 0;
        foreach ((string shown, string text) in legend)
        {
            output.Write(Invariant($"<rect class=\"chip {shown}\" x=\"{x}\" y=\"3\" width=\"12\" height=\"12\"/>"));
            output.Write(Invariant($"<text class=\"soft\" x=\"{x + 17}\" y=\"13.5\">{text}</text>\n"));
            x += WidthOf(text);
        }

        output.Write("</svg>\n");

        static int WidthOf(string text) => 38 + (text.Length * 7);
    }

    /// <summary>The entries of a legend whose colours are in the picture, each with a class of its colour.</summary>
    private static (string Class, string Text)[] Legend(IReadOnlyList<(string Kind, string Text)> all, string[] classes)
        => [.. all
            .Select(e => (Array.Find(classes, c => c.StartsWith(e.Kind, StringComparison.Ordinal)) ?? "", e.Text))
            .Where(e => e.Item1.Length > 0)];

    private static List<string> Notes(IReadOnlyList<StackProfile> profiles, FlameLayout layout)
    {
        List<string> notes = [];
        if (layout.HiddenFrames > 0)
        {
            string share = ProfileText.Share(layout.Hidden, layout.Total);
            string frames = layout.HiddenFrames == 1
                ? "One narrow frame is"
                : Invariant($"{layout.HiddenFrames:#,0} narrow frames are");
            notes.Add($"{frames} not drawn one by one: {share} in all, with what they called.");
        }

        IEnumerable<string> warnings = profiles.SelectMany(p => p.Warnings.Select(
            w => profiles.Count > 1 ? $"{ProfileText.Where(p)}: {w}" : w));
        notes.AddRange(warnings.Distinct().Take(MostNotes).Select(w => LabelText.Cut(SafeText.Line(w), AboutCells)));
        return notes;
    }

    private static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(
            $"PyDebug.Profiles.Flame.{name}")
            ?? throw new InvalidOperationException($"The module was built without {name}.");
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    private static string Xml(string text)
        => text.Replace("&", "&amp;").Replace("<", "&lt;").Replace(">", "&gt;").Replace("\"", "&quot;");

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
