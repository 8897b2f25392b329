using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Node;

/// <summary>The node: runs the pods that are bound to it and cleans up after them.</summary>
internal sealed class Kubelet(NodeContext node, ObjectStore store, EventRecorder events)
{
    private readonly ConcurrentDictionary<string, PodWorker> _workers = new(StringComparer.Ordinal);

    public NodeContext Node => node;

    public EventRecorder Events => events;

    /// <summary>Starts a pod that was just stored.</summary>
    public void Start(JsonObject pod)
    {
        PodWorker worker = new(node, store, events, pod);
        _workers[pod.UidOf()] = worker;
        worker.Start();
    }

    /// <summary>Starts what is new in a pod's ephemeral containers.</summary>
    public void Update(JsonObject pod) => _workers.GetValueOrDefault(pod.UidOf())?.StartEphemeral(pod);

    /// <summary>The runner of a pod's container, or null where the node has none.</summary>
    public ContainerRunner? Find(JsonObject pod, string container) =>
        _workers.GetValueOrDefault(pod.UidOf())?.Find(container);

    /// <summary>Ends a pod in the background, and then removes its object.</summary>
    public void Stop(JsonObject pod, TimeSpan grace)
    {
        foreach (JsonObject container in pod.Items("spec", "containers"))
        {
            events.Record(pod, $"spec.containers{{{container.Text("name")}}}", warning: false, "Killing",
                $"Stopping container {container.Text("name")}");
        }

        _ = Task.Run(() => StopAsync(pod, grace));
    }

    /// <summary>Ends all pods at once.</summary>
    public Task StopAllAsync() => Task.WhenAll(_workers.Values.Select(worker => worker.StopAsync(TimeSpan.Zero)));

    /// <summary>
    /// Removes what a sandbox left behind that was killed: its containers, processes, mounts, groups and files.
    /// </summary>
    public static async Task CleanAsync(string state)
    {
        Runc runc = new(Path.Combine(state, "runc"));
        await Task.WhenAll(runc.List().Select(runc.DeleteAsync)).ConfigureAwait(false);
        string group = NodeContext.CgroupRootOf(state);
        await KillAllAsync(group).ConfigureAwait(false);
        Mounts.UnmountBelow(state);
        Cgroups.Remove(group);
        foreach (string name in (string[])["containers", "pods", "runc", "pause"])
        {
            string directory = Path.Combine(state, name);
            if (Directory.Exists(directory))
            {
                Directory.Delete(directory, recursive: true);
            }
        }

        foreach (string file in Directory.Exists(state) ? Directory.EnumerateFiles(state) : [])
        {
            string name = Path.GetFileName(file);
            if (name is "ready" or "ca.crt" || name.StartsWith("kubeconfig", StringComparison.Ordinal))
            {
                File.Delete(file);
            }
        }
    }

    private static async Task KillAllAsync(string group)
    {
        DateTime deadline = DateTime.UtcNow.AddSeconds(10);
        while (DateTime.UtcNow < deadline && Cgroups.ProcessesBelow(group) is { Count: > 0 } left)
        {
            foreach (int pid in left)
            {
                try
                {
                    using System.Diagnostics.Process process = System.Diagnostics.Process.GetProcessById(pid);
                    process.Kill();
                }
                catch (ArgumentException)
                {
                }
            }

            await Task.Delay(20).ConfigureAwait(false);
        }
    }

    private async Task StopAsync(JsonObject pod, TimeSpan grace)
    {
        if (_workers.TryGetValue(pod.UidOf(), out PodWorker? worker))
        {
            await worker.StopAsync(grace).ConfigureAwait(false);
            _workers.TryRemove(pod.UidOf(), out _);
        }

        store.Remove("pods", pod.NamespaceOf(), pod.NameOf(), pod.UidOf());
    }
}
