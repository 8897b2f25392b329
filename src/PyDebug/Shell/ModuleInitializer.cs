using System;
using System.Collections.Generic;
using System.Linq;
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

        using PowerShell shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        // By its class: by its name PowerShell would import the whole module, which takes longer than this one.
        Type? command = Assembly.Load(Utility).GetType(UpdateTypeData, throwOnError: true);
        TypeData[] types = [.. RecordTypes.All().SelectMany(r => TypesOf(r.Type, r.Depth, r.Properties))];
        shell.AddCommand(new CmdletInfo("Update-TypeData", command))
            .AddParameter("TypeData", types)
            // Where the module is imported once more they are there already.
            .AddParameter("Force")
            .AddParameter("ErrorAction", "Stop")
            .Invoke();
    }

    /// <summary>Stops to answer requests for the engine assembly.</summary>
    /// <param name="psModuleInfo">The module that is being removed.</param>
    public void OnRemove(PSModuleInfo psModuleInfo) => AssemblyLoadContext.Default.Resolving -= ModuleFiles.Resolve;

    /// <summary>CLIXML keeps a record's properties, not the cells of its views; it is made again from them.</summary>
    private static IEnumerable<TypeData> TypesOf(Type type, int depth, string properties)
    {
        yield return new TypeData(type.FullName!)
        {
            SerializationMethod = "SpecificProperties",
            SerializationDepth = (uint)depth,
            PropertySerializationSet = new PropertySetData(properties.Split(' ')),
        };
        yield return new TypeData($"Deserialized.{type.FullName}") { TargetTypeForDeserialization = type };
    }
}
