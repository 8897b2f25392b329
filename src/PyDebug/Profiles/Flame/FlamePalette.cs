using System.Collections.Generic;
using System.Globalization;
using System.Text;
using PyDebug.Internal;

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

    /// <summary>The class of a stack's end.</summary>
    public static string ClassOf(SampleState state) => state.Reason switch
    {
        TimeReason.Cpu => "rcpu",
        TimeReason.Gil => "rgil",
        TimeReason.Lock => "rlock",
        TimeReason.Sleep => "rsleep",
        TimeReason.Poll => "rpoll",
        TimeReason.Io => "rio",
        TimeReason.Runnable or TimeReason.Preempted => "rready",
        TimeReason.Unproven => "runproven",
        _ => "rother",
    };

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
        if (name[0] == 'r')
        {
            return End(name, dark);
        }

        (int hue, int spread) = metric switch
        {
            "Wall" => (200, 28),
            "Wait" => (232, 30),
            "Bytes" or "Leaked" or "HighWatermark" or "LeakedAllocations" or "HighWatermarkAllocations" => (84, 66),
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
            // Blue is dark to the eye, and the ends of the stacks are to stand out.
            ('a', false) when metric is "Wall" or "Wait" => (66, 74 + (3 * step)),
            ('a', true) when metric is "Wall" or "Wait" => (44, 62 + (3 * step)),
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

    /// <summary>The ends have one colour in every picture; what is not known for certain is grey.</summary>
    private static string End(string name, bool dark)
    {
        (int h, int s, int l) = name switch
        {
            "rcpu" => (14, 92, 62),
            "rgil" => (338, 82, 66),
            "rlock" => (292, 62, 72),
            "rsleep" => (220, 16, 78),
            "rpoll" => (178, 45, 68),
            "rio" => (158, 60, 52),
            "rready" => (46, 95, 58),
            "runproven" => (40, 6, 84),
            _ => (30, 30, 62),
        };
        return string.Create(CultureInfo.InvariantCulture, $"hsl({h},{s}%,{(dark ? l - 6 : l)}%)");
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
