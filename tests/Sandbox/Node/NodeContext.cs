using System;
using System.IO;
using System.Security.Cryptography;
using System.Text;

namespace PyDebug.Sandbox.Node;

/// <summary>Where the node keeps its things.</summary>
internal sealed class NodeContext
{
    /// <summary>The name of the only node.</summary>
    public const string NodeName = "sandbox";

    public const string HostAddress = "127.0.0.1";

    public NodeContext(string state, string images)
    {
        State = state;
        Images = new ImageStore(images);
        Runc = new Runc(Path.Combine(state, "runc"));
        CgroupRoot = CgroupRootOf(state);
        PauseRoot = Path.Combine(state, "pause");
    }

    public string State { get; }

    public ImageStore Images { get; }

    public Runc Runc { get; }

    /// <summary>The group that holds all of this sandbox's containers.</summary>
    public string CgroupRoot { get; }

    /// <summary>Root file system of the program that holds a pod's namespaces.</summary>
    public string PauseRoot { get; }

    /// <summary>The same for the same state directory, so that a later clean-up finds it.</summary>
    public static string CgroupRootOf(string state) =>
        "/pydebug-sandbox-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(state)))[..8];

    public string ContainerHome(string id) => Path.Combine(State, "containers", id);

    public string PodHome(string uid) => Path.Combine(State, "pods", uid);

    /// <summary>Prepares an empty node.</summary>
    public void Prepare()
    {
        Directory.CreateDirectory(Path.Combine(State, "containers"));
        Directory.CreateDirectory(Path.Combine(State, "pods"));
        foreach (string name in (string[])["proc", "dev", "sys"])
        {
            Directory.CreateDirectory(Path.Combine(PauseRoot, name));
        }

        PauseProgram.Write(Path.Combine(PauseRoot, "pause"));
    }
}
