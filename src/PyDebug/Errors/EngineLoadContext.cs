using System.IO;
using System.Reflection;
using System.Runtime.Loader;

namespace PyDebug;

/// <summary>
/// Loads the engine and what it depends on from a folder of their own, so that another version of the same libraries
/// may live in the session; what was compiled ahead of time for this system, from that one's.
/// </summary>
internal sealed class EngineLoadContext(string directory, string compiled)
    : AssemblyLoadContext("PyDebug", isCollectible: false)
{
    /// <summary>Loads an assembly of the folder.</summary>
    public Assembly LoadFrom(string path)
        => CompiledImage.Load(this, compiled, Path.GetFileName(path), AssemblyIdentity.Read(path))
            ?? LoadFromAssemblyPath(path);

    protected override Assembly? Load(AssemblyName assemblyName)
    {
        string path = Path.Join(directory, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFrom(path) : null;
    }
}
