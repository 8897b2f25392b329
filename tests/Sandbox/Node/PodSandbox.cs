using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>What a pod's containers share: namespaces held by a pause process, volumes, /dev/shm, a cgroup.</summary>
internal sealed class PodSandbox
{
    private static int s_addresses = 1;

    private readonly NodeContext _node;
    private readonly JsonObject _pod;
    private readonly RunningContainer _pause;

    private PodSandbox(NodeContext node, JsonObject pod, RunningContainer pause, string address)
    {
        _node = node;
        _pod = pod;
        _pause = pause;
        Address = address;
    }

    /// <summary>The pod's IP. Nothing routes to it: a pod has loopback only.</summary>
    public string Address { get; }

    /// <summary>The pause process, as the host numbers it.</summary>
    public int Pid => _pause.Pid;

    public static string CgroupOf(NodeContext node, JsonObject pod) => $"{node.CgroupRoot}/pod{pod.UidOf()}";

    public static async Task<PodSandbox> StartAsync(NodeContext node, JsonObject pod)
    {
        string home = node.PodHome(pod.UidOf());
        int number = Interlocked.Increment(ref s_addresses);
        string address = $"10.88.{number / 250}.{number % 250 + 1}";
        string host = pod.Text("spec", "hostname") ?? pod.NameOf();
        WriteFiles(home, pod, host, address);
        string id = RunningContainer.NewId();
        Directory.CreateDirectory(node.ContainerHome(id));
        ContainerSetup setup = new()
        {
            Arguments = ["/pause"],
            Environment = ["PATH=/"],
            WorkingDirectory = "/",
            Security = new SecuritySettings { ReadOnlyRoot = true, NoNewPrivileges = true },
            RootPath = node.PauseRoot,
            CgroupPath = $"{CgroupOf(node, pod)}/{id}",
            Hostname = host,
        };
        RunningContainer pause = await RunningContainer.StartAsync(
            node, id, setup, new ContainerLog(), keepInput: false).ConfigureAwait(false);
        LimitMemory(node, pod);
        return new PodSandbox(node, pod, pause, address);
    }

    /// <summary>The mounts of one container: the pod's own files, /dev/shm and the volumes it names.</summary>
    public IReadOnlyList<JsonObject> MountsFor(JsonObject container)
    {
        string home = _node.PodHome(_pod.UidOf());
        List<JsonObject> mounts = [OciSpec.Bind(Path.Combine(home, "shm"), "/dev/shm")];
        foreach (string file in (string[])["hosts", "hostname", "resolv.conf"])
        {
            mounts.Add(OciSpec.Bind(Path.Combine(home, file), "/etc/" + file));
        }

        foreach (JsonObject mount in container.Items("volumeMounts"))
        {
            string name = mount.Text("name") ?? "";
            JsonObject volume = _pod.Items("spec", "volumes").First(item => item.Text("name") == name);
            string source = volume.Text("hostPath", "path") ?? Path.Combine(home, "volumes", name);
            mounts.Add(OciSpec.Bind(source, mount.Text("mountPath") ?? "/", mount.Flag("readOnly") ?? false));
        }

        return mounts;
    }

    /// <summary>Ends the pause process and removes all the pod's files, mounts and groups.</summary>
    public async Task StopAsync()
    {
        await _pause.KillAsync("KILL").ConfigureAwait(false);
        await _pause.Ended.ConfigureAwait(false);
        RootFileSystem.Remove(_node.ContainerHome(_pause.Id));
        string home = _node.PodHome(_pod.UidOf());
        Mounts.UnmountBelow(home);
        Directory.Delete(home, recursive: true);
        Cgroups.Remove(CgroupOf(_node, _pod));
    }

    private static void WriteFiles(string home, JsonObject pod, string host, string address)
    {
        string shm = Path.Combine(home, "shm");
        Directory.CreateDirectory(shm);
        Mounts.Tmpfs(shm, "size=64m,mode=1777");
        File.WriteAllText(Path.Combine(home, "hosts"), $"127.0.0.1\tlocalhost\n::1\tlocalhost\n{address}\t{host}\n");
        File.WriteAllText(Path.Combine(home, "hostname"), host + "\n");
        File.WriteAllText(Path.Combine(home, "resolv.conf"), "");
        foreach (JsonObject volume in pod.Items("spec", "volumes"))
        {
            string path = Path.Combine(home, "volumes", volume.Text("name") ?? "");
            Directory.CreateDirectory(path);
            if (volume.Text("emptyDir", "medium") == "Memory")
            {
                Mounts.Tmpfs(path, "mode=1777");
            }

            File.SetUnixFileMode(path, (UnixFileMode)0b111_111_111);
        }
    }

    /// <summary>The pod's own limit: the sum of its containers', where each has one.</summary>
    private static void LimitMemory(NodeContext node, JsonObject pod)
    {
        decimal?[] limits = pod.Items("spec", "containers").Select(item => Quantity.Limit(item, "memory")).ToArray();
        if (limits.All(limit => limit is not null))
        {
            Cgroups.LimitMemory(CgroupOf(node, pod), (long)limits.Sum()!.Value);
        }
    }
}
