using System.IO;
using System.Reflection;
using System.Runtime.Loader;

namespace PyDebug;

/// <summary>
/// Loads the engine and what it depends on from a folder of their own, so that another version of the same libraries
/// may live in the session.
/// </summary>
internal sealed class EngineLoadContext(string directory) : AssemblyLoadContext("PyDebug", isCollectible: false)
{
    protected override Assembly? Load(AssemblyName assemblyName)
    {
        string path = Path.Join(directory, assemblyName.Name + ".dll");
        return File.Exists(path) ? LoadFromAssemblyPath(path) : null;
    }
}
