using System.IO;
using System.Management.Automation;
using System.Reflection;
using System.Runtime.Loader;

namespace PyDebug;

/// <summary>Tells the runtime where the engine is found while the module is imported. Loads nothing itself.</summary>
public sealed class ModuleInitializer : IModuleAssemblyInitializer, IModuleAssemblyCleanup
{
    private const string EngineName = "PyDebug.Engine";

    private static readonly EngineLoadContext s_engine = new(BinaryFolder("dependencies"));

    /// <summary>Starts to answer requests for the engine assembly, and for no other.</summary>
    public void OnImport() => AssemblyLoadContext.Default.Resolving += Resolve;

    /// <summary>Stops to answer requests for the engine assembly.</summary>
    /// <param name="psModuleInfo">The module that is being removed.</param>
    public void OnRemove(PSModuleInfo psModuleInfo) => AssemblyLoadContext.Default.Resolving -= Resolve;

    /// <summary>A folder beside the module's own assembly.</summary>
    internal static string BinaryFolder(string name)
        => Path.Join(Path.GetDirectoryName(typeof(ModuleInitializer).Assembly.Location), name);

    private static Assembly? Resolve(AssemblyLoadContext context, AssemblyName name)
        => name.Name == EngineName ? s_engine.LoadFromAssemblyName(name) : null;
}
