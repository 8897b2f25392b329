using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>
/// What agents compiled and keep in their containers. The hashes are known here alone: whoever can write there, such as
/// an application of the same user, nothing runs that an agent did not tell of over its own stream.
/// </summary>
internal sealed class KeptCode(Func<string, bool> isModule)
{
    private const int MostContainers = 256;

    private const int MostFiles = 8;

    private readonly Dictionary<string, KeptFile[]> _files = new(StringComparer.Ordinal);

    /// <summary>A container of a pod and the Python in it.</summary>
    public static string Key(PodReference pod, string container, string python) => $"{pod.Uid} {container} {python}";

    /// <summary>The files of a container.</summary>
    public IReadOnlyList<KeptFile> Of(string key)
    {
        lock (_files)
        {
            return _files.GetValueOrDefault(key, []);
        }
    }

    /// <summary>Takes in what an agent says that it kept.</summary>
    public void Note(string key, byte[] told)
    {
        if (KeptFile.Read(KubeJson.ParseObject(told), isModule) is not KeptFile file)
        {
            return;
        }

        lock (_files)
        {
            KeptFile[] known = _files.GetValueOrDefault(key, []);
            // Two that asked side by side have compiled the same.
            if (known.Length >= MostFiles || file.Modules.All(name => known.Any(other => other.Modules.Contains(name))))
            {
                return;
            }

            if (known.Length == 0 && _files.Count >= MostContainers)
            {
                _files.Clear();
            }

            _files[key] = [.. known, file];
        }
    }

    /// <summary>Forgets the files of a container, which are not there any more, or not as they were.</summary>
    public void Forget(string key)
    {
        lock (_files)
        {
            _files.Remove(key);
        }
    }
}
