using System;
using System.Text.RegularExpressions;

namespace PyDebug.Profiles;

/// <summary>Whose code a frame is, and the package that it belongs to; told by the path of its file alone.</summary>
internal readonly partial record struct FrameOwner(FrameOrigin Origin, string Package)
{
    /// <summary>Finds the owner of a frame.</summary>
    public static FrameOwner Of(StackFrame frame)
    {
        string file = frame.FileName.Replace('\\', '/');
        Match packages = Packages().Match(file);
        if (packages.Success)
        {
            string name = packages.Groups["name"].Value;
            return new FrameOwner(FrameOrigin.Library, TrimSuffix(name));
        }

        // 3.12 and later lay it between a class that is called and its __init__.
        bool shim = file == "__init__" && frame.Name == file;
        if (shim || file.StartsWith("<frozen ", StringComparison.Ordinal))
        {
            return new FrameOwner(FrameOrigin.Python, "interpreter");
        }

        if (SharedLibrary().IsMatch(file) || (frame.Module is not null && frame.Module == frame.FileName))
        {
            return new FrameOwner(FrameOrigin.Native, file[(file.LastIndexOf('/') + 1)..]);
        }

        Match standard = Standard().Match(file);
        return standard.Success
            ? new FrameOwner(FrameOrigin.Python, TrimSuffix(standard.Groups["name"].Value))
            : new FrameOwner(FrameOrigin.Application, file[..(file.LastIndexOf('/') + 1)]);
    }

    private static string TrimSuffix(string name)
        => name.EndsWith(".py", StringComparison.Ordinal) ? name[..^3] : name;

    [GeneratedRegex(@".*/(?:site|dist)-packages/(?<name>[^/]+)", RegexOptions.Singleline)]
    private static partial Regex Packages();

    [GeneratedRegex(
        @"/(?:lib|lib64|Lib)/(?:python|pypy)\d(?:\.\d+t?)?/(?<name>[^/]+)|/python\d+\.zip/(?<name>[^/]+)",
        RegexOptions.Singleline)]
    private static partial Regex Standard();

    [GeneratedRegex(@"\.so(?:\.[0-9.]+)?\z|/libc\.musl|^\[vdso\]", RegexOptions.Singleline)]
    private static partial Regex SharedLibrary();
}
