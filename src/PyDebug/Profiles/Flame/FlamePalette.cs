using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace PyDebug.Profiles.Flame;

/// <summary>
/// Colours. They follow from names alone, so that the same code has the same colour in every picture: the hue from the
/// package, the lightness from the function. The application's own frames are saturated, others are pale.
/// </summary>
internal static class FlamePalette
{
    /// <summary>The class of boxes for processes and threads.</summary>
    public const string Group = "g";

    /// <summary>The class of the box that stands for several narrow ones.</summary>
    public const string Others = "o";

    private const int Hues = 8;

    private const int Shades = 6;

    /// <summary>The class of a frame.</summary>
    public static string ClassOf(StackFrame frame)
    {
        FrameOwner owner = FrameOwner.Of(frame);
        char kind = owner.Origin switch
        {
            FrameOrigin.Library => 'l',
            FrameOrigin.Python => 'p',
            FrameOrigin.Native => 'n',
            _ => 'a',
        };

        // An application is often one package: there the file tells its parts apart.
        string package = owner.Origin == FrameOrigin.Application ? frame.FileName : owner.Package;
        uint hue = Hash(package.Length == 0 ? frame.Name : package) % Hues;
        uint shade = Hash(frame.Name) % Shades;
        return string.Create(CultureInfo.InvariantCulture, $"{kind}{hue}{shade}");
    }

    /// <summary>The CSS rules of the classes, for light or dark surroundings.</summary>
    public static string Rules(IEnumerable<string> classes, string metric, bool dark)
    {
        StringBuilder css = new();
        foreach (string name in classes)
        {
            css.Append(CultureInfo.InvariantCulture, $".{name}{{fill:{Color(name, metric, dark)}}}");
        }

        return css.ToString();
    }

    private static string Color(string name, string metric, bool dark)
    {
        (int hue, int spread) = metric switch
        {
            "Wall" or "Wait" => (205, 60),
            "Bytes" => (84, 66),
            _ => (6, 38),
        };
        if (name is Group or Others)
        {
            return dark ? $"hsl({hue + 24},6%,26%)" : $"hsl({hue + 24},14%,90%)";
        }

        // A package has one hue, give or take a little; within it functions differ in both.
        int shade = name[2] - '0';
        double h = hue + ((double)spread * (name[1] - '0') / (Hues - 1)) + (4.0 * (shade % 3)) - 4;
        double step = shade / 2.0;
        (double s, double l) = (name[0], dark) switch
        {
            ('a', false) => (93, 59 + (4.5 * step)),
            ('a', true) => (78, 54 + (4.5 * step)),
            ('l', false) => (58, 81 + (2.5 * step)),
            ('l', true) => (28, 29 + (2.5 * step)),
            ('p', false) => (16, 86.5 + (1.5 * step)),
            ('p', true) => (7, 22 + (2 * step)),
            (_, false) => (14, 83.5 + (1.5 * step)),
            _ => (10, 26 + (2 * step)),
        };
        if (name[0] == 'n')
        {
            h = (h + 180) % 360;
        }

        return string.Create(CultureInfo.InvariantCulture, $"hsl({h:0.#},{s:0.#}%,{l:0.#}%)");
    }

    /// <summary>FNV-1a: the same on every machine and in every run, which string hashes are not.</summary>
    private static uint Hash(string text)
    {
        uint hash = 2166136261;
        foreach (char c in text)
        {
            hash = unchecked((hash ^ c) * 16777619);
        }

        return hash ^ (hash >> 16);
    }
}
