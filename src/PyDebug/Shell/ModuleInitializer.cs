using System;
using System.IO;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;
using System.Runtime.Loader;

namespace PyDebug;

/// <summary>
/// Tells the runtime where the engine is found while the module is imported, and PowerShell how deep the module's
/// records are written. Loads nothing itself.
/// </summary>
public sealed class ModuleInitializer : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    private const string Utility = "Microsoft.PowerShell.Commands.Utility";
    private const string UpdateTypeData = "Microsoft.PowerShell.Commands.UpdateTypeDataCommand";

    /// <summary>Starts to answer requests for the engine assembly, and for no other.</summary>
    public void OnImport()
    {
        AssemblyLoadContext.Default.Resolving += ModuleFiles.Resolve;
        // For the script that looks at a second import.
        AppContext.SetData("PyDebug", typeof(ModuleInitializer).Assembly);
        if (Runspace.DefaultRunspace is null)
        {
            return;
        }

        // Not by the manifest: a second copy of the module would be refused for these, one error for each type.
        string path = Path.GetFullPath(ModuleFiles.Folder("../PyDebug.Types.ps1xml"));
        try
        {
            using PowerShell shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
            // By its class: by its name PowerShell would import the whole module, which takes longer than this one.
            Type? command = Assembly.Load(Utility).GetType(UpdateTypeData, throwOnError: true);
            shell.AddCommand(new CmdletInfo("Update-TypeData", command))
                .AddParameter("AppendPath", path)
                .AddParameter("ErrorAction", "Stop")
                .Invoke();
        }
        catch (RuntimeException e)
        {
            throw ModuleFiles.Broken(path, e.Message);
        }
    }

    /// <summary>Stops to answer requests for the engine assembly.</summary>
    /// <param name="psModuleInfo">The module that is being removed.</param>
    public void OnRemove(PSModuleInfo psModuleInfo) => AssemblyLoadContext.Default.Resolving -= ModuleFiles.Resolve;
}
