using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Api;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Node;

/// <summary>Runs one pod: its sandbox, its containers, its status.</summary>
internal sealed class PodWorker(NodeContext node, ObjectStore store, EventRecorder events, JsonObject pod)
{
    private readonly Lock _lock = new();
    private readonly List<ContainerRunner> _runners = [];
    private readonly List<Task> _tasks = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly string _uid = pod.UidOf();
    private PodSandbox? _sandbox;
    private bool _initialized;
    private bool _finished;
    private bool _stopping;
    private Task? _started;
    private Task? _completion;

    public string Uid => _uid;

    /// <summary>Starts the pod in the background.</summary>
    public void Start() => _started = Task.Run(RunAsync);

    /// <summary>The runner of a container, or null.</summary>
    public ContainerRunner? Find(string container)
    {
        lock (_lock)
        {
            return _runners.FirstOrDefault(runner => runner.Name == container);
        }
    }

    /// <summary>Starts the ephemeral containers that are new in the pod's specification.</summary>
    public void StartEphemeral(JsonObject changed)
    {
        lock (_lock)
        {
            if (_sandbox is null || !_initialized || _finished || _stop.IsCancellationRequested)
            {
                return;
            }

            foreach (JsonObject container in changed.Items("spec", "ephemeralContainers"))
            {
                if (_runners.All(runner => runner.Name != container.Text("name")))
                {
                    Launch(changed, container, ContainerKind.Ephemeral);
                }
            }
        }

        Publish();
    }

    /// <summary>Stops all containers and removes everything the pod had on the node.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        bool finished;
        lock (_lock)
        {
            finished = _finished;
            _stopping = true;
        }

        // Not under the lock: what is cancelled publishes its state, and that takes the store's lock first.
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_started is not null)
        {
            await _started.ConfigureAwait(false);
        }

        await EndContainersAsync(grace).ConfigureAwait(false);
        await (_completion ?? Task.CompletedTask).ConfigureAwait(false);
        if (_sandbox is not null && !finished)
        {
            await _sandbox.StopAsync().ConfigureAwait(false);
        }
    }

    private async Task RunAsync()
    {
        try
        {
            _sandbox = await PodSandbox.StartAsync(node, pod).ConfigureAwait(false);
        }
        catch (ContainerFailure failure)
        {
            events.Record(pod, null, warning: true, "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: code = Unknown desc = " + failure.Message);
            return;
        }

        if (!await RunInitContainersAsync().ConfigureAwait(false))
        {
            return;
        }

        List<Task> main = [];
        lock (_lock)
        {
            _initialized = true;
            foreach (JsonObject container in pod.Items("spec", "containers"))
            {
                main.Add(Launch(pod, container, ContainerKind.Main).Task);
            }
        }

        _completion = Task.Run(() => CompleteAsync(Task.WhenAll(main)));
        Publish();
        if (store.Find("pods", pod.NamespaceOf(), pod.NameOf()) is JsonObject current && current.UidOf() == _uid)
        {
            StartEphemeral(current);
        }
    }

    /// <summary>Once all its containers have ended for good, a pod's debug containers and its sandbox go too.</summary>
    private async Task CompleteAsync(Task main)
    {
        await main.ConfigureAwait(false);
        lock (_lock)
        {
            _finished = !_stopping;
        }

        if (_finished)
        {
            await EndContainersAsync(TimeSpan.FromSeconds(2)).ConfigureAwait(false);
            await _sandbox!.StopAsync().ConfigureAwait(false);
            Publish();
        }
    }

    private async Task EndContainersAsync(TimeSpan grace)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        List<ContainerRunner> runners;
        List<Task> tasks;
        lock (_lock)
        {
            runners = [.. _runners];
            tasks = [.. _tasks];
        }

        Task all = Task.WhenAll(tasks);
        do
        {
            // Again and again: a container may have been just about to start.
            await Task.WhenAll(runners.Select(runner => runner.StopAsync(grace))).ConfigureAwait(false);
            await Task.WhenAny(all, Task.Delay(20)).ConfigureAwait(false);
        }
        while (!all.IsCompleted);

        await all.ConfigureAwait(false);
    }

    private async Task<bool> RunInitContainersAsync()
    {
        foreach (JsonObject container in pod.Items("spec", "initContainers"))
        {
            Task task;
            ContainerRunner runner;
            lock (_lock)
            {
                (runner, task) = Launch(pod, container, ContainerKind.Init);
            }

            Publish();
            await task.ConfigureAwait(false);
            if (runner.FinalExitCode != 0)
            {
                return false;
            }
        }

        return !_stop.IsCancellationRequested;
    }

    private (ContainerRunner Runner, Task Task) Launch(JsonObject source, JsonObject container, ContainerKind kind)
    {
        ContainerRunner runner = new(
            node, events, _sandbox!, source.Copy(), container.Copy(), kind, Find, Publish);
        Task task = Task.Run(() => runner.RunAsync(_stop.Token));
        _runners.Add(runner);
        _tasks.Add(task);
        return (runner, task);
    }

    private void Publish()
    {
        try
        {
            // The status is built under the store's lock, so that an older one can never overwrite a newer one.
            store.Change("pods", pod.NamespaceOf(), pod.NameOf(), current =>
            {
                if (current.UidOf() == _uid)
                {
                    List<ContainerRunner> runners;
                    lock (_lock)
                    {
                        runners = [.. _runners];
                    }

                    PodStatus.Write(current, runners, _sandbox, _initialized);
                }

                return current;
            });
        }
        catch (ApiException)
        {
            // The pod was removed meanwhile.
        }
    }
}
