using System;
using System.IO;
using System.Management.Automation;
using System.Reflection;
using System.Runtime.Loader;

namespace PyDebug;

/// <summary>
/// Is imported before the module's own assembly, and loads what of it was compiled ahead of time for this system;
/// PowerShell then takes that in its place. A session keeps the first PyDebug.dll that it loaded: another build beside
/// it, which would run that one's code under a new name, is refused. Every build's loader has a name of its own, so it
/// is never itself taken for another's.
/// </summary>
public sealed class ModuleLoader : IModuleAssemblyInitializer
{
    private const string FileName = "PyDebug.dll";

    /// <summary>Loads the module's assembly, unless it is loaded.</summary>
    public void OnImport()
    {
        string bin = Path.GetDirectoryName(typeof(ModuleLoader).Assembly.Location)!;
        string path = Path.Join(bin, FileName);
        Guid? identity = AssemblyIdentity.Read(path);
        if (AppContext.GetData("PyDebug") is not Assembly loaded)
        {
            _ = CompiledImage.Load(AssemblyLoadContext.Default, CompiledImage.Folder(bin), FileName, identity);
        }
        else if (identity is Guid other && other != loaded.ManifestModule.ModuleVersionId)
        {
            throw Refusal(loaded, path);
        }
    }

    private static RuntimeException Refusal(Assembly loaded, string path)
    {
        string first = loaded.GetName().Version!.ToString(3);
        string second = AssemblyName.GetAssemblyName(path).Version!.ToString(3);
        string message = $"PyDebug {first} of '{CompiledImage.Bin(loaded.Location)}' is loaded in this session, which "
            + $"cannot load another one ({second} of '{Path.GetDirectoryName(path)}') any more. Start a new PowerShell "
            + "for that.";
        InvalidOperationException exception = new(message);
        return new RuntimeException(
            message, exception, new ErrorRecord(exception, "ModuleLoadedAlready", ErrorCategory.ResourceExists, path));
    }
}
