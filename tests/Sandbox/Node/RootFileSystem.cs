using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;

namespace PyDebug.Sandbox.Node;

/// <summary>A container's root: the image below a writable layer of its own.</summary>
internal static class RootFileSystem
{
    /// <summary>Makes the root in the container's home and returns its path.</summary>
    public static async Task<string> CreateAsync(string home, Image image)
    {
        string root = Path.Combine(home, "rootfs");
        string upper = Path.Combine(home, "upper");
        string work = Path.Combine(home, "work");
        foreach (string directory in (string[])[root, upper, work])
        {
            Directory.CreateDirectory(directory);
        }

        if (!Mounts.TryOverlay(image.RootFs, upper, work, root))
        {
            using Process copy = Process.Start("cp", ["-a", image.RootFs + "/.", root]);
            await copy.WaitForExitAsync().ConfigureAwait(false);
            if (copy.ExitCode != 0)
            {
                throw new ContainerFailure("CreateContainerError", "failed to create snapshot: cp -a failed");
            }
        }

        return root;
    }

    public static void Remove(string home)
    {
        Mounts.Unmount(Path.Combine(home, "rootfs"));
        try
        {
            Directory.Delete(home, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
        }
    }
}
