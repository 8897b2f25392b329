using System;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>Keeps one container of a pod in the state its specification asks for, and tells its status.</summary>
internal sealed class ContainerRunner(
    NodeContext node, EventRecorder events, PodSandbox sandbox, JsonObject pod, JsonObject container,
    ContainerKind kind, Func<string, ContainerRunner?> find, Action changed)
{
    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longestBackOff = TimeSpan.FromMinutes(5);

    // How often the kubelet looks what has become of its containers: no state that it shows is shorter.
    private static readonly TimeSpan s_relist = TimeSpan.FromSeconds(1);

    private readonly string _name = container.Text("name") ?? "";
    private readonly string _image = container.Text("image") ?? "";
    private JsonObject _state = ContainerState.Waiting("ContainerCreating");
    private JsonObject _lastState = [];
    private JsonObject? _user;
    private string _containerId = "";
    private string _imageId = "";
    private int _restarts;

    public string Name => _name;

    public ContainerKind Kind => kind;

    /// <summary>The id of the last instance, without its scheme; empty before the first.</summary>
    public string LastId => _containerId.Replace("containerd://", "", StringComparison.Ordinal);

    /// <summary>The container, while it runs.</summary>
    public RunningContainer? Current { get; private set; }

    /// <summary>What the current or the last instance wrote.</summary>
    public ContainerLog? Log { get; private set; }

    /// <summary>What the instance before that wrote.</summary>
    public ContainerLog? PreviousLog { get; private set; }

    /// <summary>The exit code of the last instance, once it will not be started again.</summary>
    public int? FinalExitCode { get; private set; }

    /// <summary>True from the moment an instance was made for the first time.</summary>
    public bool HasStarted { get; private set; }

    private string Field => kind switch
    {
        ContainerKind.Init => $"spec.initContainers{{{_name}}}",
        ContainerKind.Ephemeral => $"spec.ephemeralContainers{{{_name}}}",
        _ => $"spec.containers{{{_name}}}",
    };

    private string PodLabel => $"{pod.NameOf()}_{pod.NamespaceOf()}({pod.UidOf()})";

    /// <summary>The entry in the pod's container statuses.</summary>
    public JsonObject BuildStatus()
    {
        JsonObject status = new()
        {
            ["name"] = _name,
            ["state"] = _state.DeepClone(),
            ["lastState"] = _lastState.DeepClone(),
            ["ready"] = (kind == ContainerKind.Main && Current is not null)
                || (kind == ContainerKind.Init && FinalExitCode == 0),
            ["restartCount"] = _restarts,
            ["image"] = _image,
            ["imageID"] = _imageId,
        };
        if (_containerId.Length > 0)
        {
            status["containerID"] = _containerId;
        }

        if (kind != ContainerKind.Ephemeral)
        {
            status["started"] = Current is not null;
        }

        if (_user is not null)
        {
            status["user"] = _user.DeepClone();
        }

        return status;
    }

    /// <summary>Runs the container until it is not to be started again, or the pod stops.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        TimeSpan backOff = TimeSpan.Zero;
        while (!stop.IsCancellationRequested)
        {
            int? code = await RunOnceAsync(stop).ConfigureAwait(false);
            if (stop.IsCancellationRequested || !RestartsAfter(code))
            {
                FinalExitCode = code;
                changed();
                return;
            }

            if (backOff > TimeSpan.Zero)
            {
                await BackOffAsync(backOff, stop).ConfigureAwait(false);
            }
            else
            {
                await Delay(s_relist, stop).ConfigureAwait(false);
            }

            backOff = Longer(backOff);
            _restarts++;
        }
    }

    /// <summary>Asks the container to end and kills it after a while.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        if (Current is not RunningContainer running)
        {
            return;
        }

        if (grace > TimeSpan.Zero)
        {
            await running.KillAsync("TERM").ConfigureAwait(false);
            await Task.WhenAny(running.Ended, Task.Delay(grace)).ConfigureAwait(false);
        }

        if (!running.Ended.IsCompleted)
        {
            await running.KillAsync("KILL").ConfigureAwait(false);
        }

        await running.Ended.ConfigureAwait(false);
    }

    private bool RestartsAfter(int? code) => kind switch
    {
        ContainerKind.Ephemeral => false,
        ContainerKind.Init => code != 0 && pod.Text("spec", "restartPolicy") != "Never",
        _ => pod.Text("spec", "restartPolicy") switch
        {
            "Never" => false,
            "OnFailure" => code != 0,
            _ => true,
        },
    };

    private async Task<int?> RunOnceAsync(CancellationToken stop)
    {
        Image? image = await new ImagePuller(node.Images, events, pod, Field, SetWaiting)
            .PullAsync(_image, container.Text("imagePullPolicy"), stop).ConfigureAwait(false);
        while (image is not null && !stop.IsCancellationRequested)
        {
            string id = RunningContainer.NewId();
            try
            {
                ContainerSetup setup = await new SetupBuilder(node, sandbox, pod, container, kind, find)
                    .BuildAsync(id, image).ConfigureAwait(false);
                return await StartAsync(id, image, setup).ConfigureAwait(false);
            }
            catch (ContainerFailure failure)
            {
                RootFileSystem.Remove(node.ContainerHome(id));
                events.Record(pod, Field, warning: true, "Failed", "Error: " + failure.Message);
                if (failure.Reason == "RunContainerError")
                {
                    return FailStart(failure);
                }

                SetWaiting(failure.Reason, failure.Message);
                await Delay(s_firstBackOff, stop).ConfigureAwait(false);
            }
        }

        return null;
    }

    private async Task<int?> StartAsync(string id, Image image, ContainerSetup setup)
    {
        events.Record(pod, Field, warning: false, "Created", "Container created");
        ContainerLog log = new();
        _containerId = "containerd://" + id;
        _imageId = image.Reference.Split(':')[0] + "@" + image.Id;
        _user = UserStatus(setup.Security);
        RunningContainer running = await RunningContainer.StartAsync(
            node, id, setup, log, keepInput: container.Flag("stdin") ?? false).ConfigureAwait(false);
        PreviousLog = Log;
        Log = log;
        _state = ContainerState.Running(running.StartedAt);
        Current = running;
        HasStarted = true;
        events.Record(pod, Field, warning: false, "Started", "Container started");
        changed();
        (int code, string reason) = await running.Ended.ConfigureAwait(false);
        Current = null;
        string message = TerminationMessage.Read(node.ContainerHome(id), container, code, log);
        RootFileSystem.Remove(node.ContainerHome(id));
        JsonObject terminated = ContainerState.Terminated(code, reason, message, running.StartedAt, _containerId);
        if (RestartsAfter(code))
        {
            _lastState = terminated.Copy();
        }

        _state = terminated;
        changed();
        return code;
    }

    /// <summary>The kubelet shows the failed start as waiting where the pod's policy would start it again.</summary>
    private int FailStart(ContainerFailure failure)
    {
        HasStarted = true;
        JsonObject terminated = ContainerState.NeverStarted(failure.Message, _containerId);
        if (pod.Text("spec", "restartPolicy") == "Never")
        {
            _state = terminated;
        }
        else
        {
            _lastState = terminated;
            _state = ContainerState.Waiting(failure.Reason, failure.Message);
        }

        changed();
        return 128;
    }

    private async Task BackOffAsync(TimeSpan backOff, CancellationToken stop)
    {
        events.Record(
            pod, Field, warning: true, "BackOff", $"Back-off restarting failed container {_name} in pod {PodLabel}");
        SetWaiting("CrashLoopBackOff",
            $"back-off {Span(backOff)} restarting failed container={_name} pod={PodLabel}");
        await Delay(backOff, stop).ConfigureAwait(false);
    }

    private void SetWaiting(string reason, string? message)
    {
        _state = ContainerState.Waiting(reason, message);
        changed();
    }

    private static JsonObject UserStatus(SecuritySettings security) => new()
    {
        ["linux"] = new JsonObject
        {
            ["uid"] = security.Uid,
            ["gid"] = security.Gid,
            ["supplementalGroups"] = new JsonArray([.. security.Groups.Select(gid => (JsonNode)gid)]),
        },
    };

    private static TimeSpan Longer(TimeSpan backOff) =>
        backOff == TimeSpan.Zero ? s_firstBackOff : backOff * 2 < s_longestBackOff ? backOff * 2 : s_longestBackOff;

    private static string Span(TimeSpan time) =>
        time.TotalSeconds < 60 ? $"{time.TotalSeconds:0}s" : $"{(int)time.TotalMinutes}m{time.Seconds}s";

    private static async Task Delay(TimeSpan time, CancellationToken stop)
    {
        try
        {
            await Task.Delay(time, stop).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
    }
}
