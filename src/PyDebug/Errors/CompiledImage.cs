using System;
using System.IO;
using System.Reflection;
using System.Reflection.PortableExecutable;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace PyDebug;

/// <summary>
/// Assemblies of the module that were compiled ahead of time for this system, in a folder beside those that are
/// compiled as they run. What is not there, is another build's or is refused by the runtime is done without.
/// </summary>
internal static class CompiledImage
{
    private const string FolderName = "compiled";

    /// <summary>The folder with this system's, in the folder of the module's own assembly.</summary>
    public static string Folder(string bin)
    {
        string system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
        return Path.Join(bin, FolderName, $"{system}-{RuntimeInformation.ProcessArchitecture}".ToLowerInvariant());
    }

    /// <summary>The folder that an assembly would lie in, were it not compiled ahead of time.</summary>
    public static string? Bin(string assembly)
    {
        string? folder = Path.GetDirectoryName(assembly);
        string? above = Path.GetDirectoryName(folder);
        return Path.GetFileName(above) == FolderName ? Path.GetDirectoryName(above) : folder;
    }

    /// <summary>An assembly's compiled image, loaded; null where the assembly itself has to do.</summary>
    /// <param name="context">Where it is loaded.</param>
    /// <param name="folder">Of the compiled ones.</param>
    /// <param name="name">Of the file.</param>
    /// <param name="identity">The assembly's own.</param>
    public static Assembly? Load(AssemblyLoadContext context, string folder, string name, Guid? identity)
    {
        string path = Path.Join(folder, name);
        // What the runtime refused once it has bound to the name, so that it would refuse the assembly itself, too.
        if (identity is null || !File.Exists(path) || AssemblyIdentity.Read(path) != identity
            || Machine(path) is not Machine machine || machine != Machine(typeof(object).Assembly.Location))
        {
            return null;
        }

        try
        {
            return context.LoadFromAssemblyPath(path);
        }
        catch (Exception e) when (e is IOException or BadImageFormatException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The system and processor that an image is for; the runtime's own are for this one.</summary>
    private static Machine? Machine(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            using PEReader image = new(file);
            return image.PEHeaders.CoffHeader.Machine;
        }
        catch (Exception e) when (e is IOException or BadImageFormatException or UnauthorizedAccessException
            or ArgumentException)
        {
            return null;
        }
    }
}
