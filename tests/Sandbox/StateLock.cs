using System;
using System.IO;

namespace PyDebug.Sandbox;

/// <summary>
/// Marks a state directory as a sandbox's and holds it: two never share one, and nothing is cleaned that is not ours.
/// </summary>
internal sealed class StateLock : IDisposable
{
    private readonly string _path;
    private readonly FileStream _file;

    private StateLock(string path, FileStream file)
    {
        _path = path;
        _file = file;
    }

    /// <summary>Takes the lock; null where nothing is to be created and no sandbox was ever there.</summary>
    /// <exception cref="IOException">Another sandbox holds it, or the directory is something else's.</exception>
    public static StateLock? Take(string state, bool create)
    {
        string path = Path.Combine(state, ".pydebug-sandbox");
        if (!File.Exists(path))
        {
            if (!create)
            {
                return null;
            }

            if (Directory.Exists(state) && Directory.GetFileSystemEntries(state).Length > 0)
            {
                throw new IOException($"{state} is not empty and not a sandbox's");
            }

            Directory.CreateDirectory(state);
        }

        try
        {
            return new StateLock(
                path, new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            throw new IOException($"another sandbox uses {state}");
        }
    }

    public void Remove() => File.Delete(_path);

    public void Dispose() => _file.Dispose();
}
