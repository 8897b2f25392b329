using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;

namespace PyDebug.Tests.Engine;

/// <summary>One pod behind an API: it takes ephemeral containers, and starts them as the test says.</summary>
internal sealed class FakeCluster : IDisposable
{
    private readonly FakeServer _server;
    private readonly FakeAgentFiles _files = new();
    private readonly string? _authority;
    private readonly object _lock = new();
    private int _version = 100;

    public FakeCluster(bool tls = true)
    {
        _server = new FakeServer(AnswerAsync, tls ? TestCertificates.Shared.Server() : null);
        _authority = tls ? TestCertificates.Shared.AuthorityData : null;
        Gateway = Connect(TeamPolicy.None);
    }

    public static AgentTiming Timing { get; } = new()
    {
        KeepAlive = TimeSpan.FromMilliseconds(200),
        Silence = TimeSpan.FromSeconds(2),
        Grace = TimeSpan.FromSeconds(1),
        Farewell = TimeSpan.FromSeconds(1),
        Tick = TimeSpan.FromMilliseconds(50),
    };

    public KubeGateway Gateway { get; }

    /// <summary>The clock of the pauses between attempts.</summary>
    public HastyClock Clock { get; } = new();

    /// <summary>What the user was told, and warned of.</summary>
    public ConcurrentQueue<string> Told { get; } = new();

    public ConcurrentQueue<string> Warned { get; } = new();

    public string Address => _server.Address;

    /// <summary>How far the server's clock is ahead of this machine's; null where it does not say.</summary>
    public TimeSpan? Ahead
    {
        get => _server.Ahead;
        set => _server.Ahead = value;
    }

    /// <summary>The program of a debug container, as this gateway starts it.</summary>
    public KeeperProgram Keeper => _files.Bundle.Keeper;

    public PodReference Pod { get; } = new() { Namespace = "shop", Name = "web-0", Uid = "uid-1" };

    public JsonObject PodObject { get; set; } = NewPod();

    /// <summary>Answers a patch instead of taking it; null lets it through.</summary>
    public Func<FakeRequest, JsonObject?> Refuse { get; set; } = _ => null;

    /// <summary>What admission makes of a container, in a dry run and otherwise.</summary>
    public Action<JsonObject> Admit { get; set; } = _ => { };

    /// <summary>The name by which the server knows who asks; null where it does not know such a question.</summary>
    public string? Caller { get; set; }

    /// <summary>The state a new container shows.</summary>
    public Func<JsonObject, JsonObject> State { get; set; } = _ => Running();

    /// <summary>What an exec does.</summary>
    public Func<FakeExec, Task> Exec { get; set; } = ProbeAsync;

    /// <summary>Answers any request first; true means that it did.</summary>
    public Func<FakeRequest, FakeConnection, Task<bool>> Before { get; set; } = (_, _) => Task.FromResult(false);

    public JsonArray Events { get; } = [];

    public ConcurrentQueue<FakeRequest> Requests => _server.Requests;

    public List<FakeRequest> Patches => [.. Requests.Where(r => r.Method == "PATCH" && !r.Target.Contains("dryRun"))];

    public List<FakeRequest> DryRuns
        => [.. Requests.Where(r => r.Method == "PATCH" && r.Target.Contains("dryRun=All"))];

    public JsonArray Ephemeral => PodObject["spec"]!["ephemeralContainers"]!.AsArray();

    public static JsonObject Running(DateTime? since = null)
        => new()
        {
            ["running"] = new JsonObject { ["startedAt"] = $"{since ?? DateTime.UtcNow:yyyy-MM-ddTHH:mm:ssZ}" },
        };

    public static JsonObject Waiting(string reason, string message = "")
        => new() { ["waiting"] = new JsonObject { ["reason"] = reason, ["message"] = message } };

    public static JsonObject Terminated(string reason, int code, string message)
        => new()
        {
            ["terminated"] = new JsonObject { ["reason"] = reason, ["exitCode"] = code, ["message"] = message },
        };

    public static JsonObject NewPod() => JsonNode.Parse(
        """
        {"apiVersion":"v1","kind":"Pod",
         "metadata":{"name":"web-0","namespace":"shop","uid":"uid-1","resourceVersion":"100"},
         "spec":{"nodeName":"node-a","containers":[
           {"name":"app","image":"shop/web:3","command":["/usr/bin/python3.13","/srv/app.py"]},
           {"name":"sidecar","image":"proxy:1"}],
           "ephemeralContainers":[]},
         "status":{"phase":"Running","containerStatuses":[
           {"name":"app","containerID":"containerd://aaaa","state":{"running":{}},
            "user":{"linux":{"uid":10001,"gid":10002}}},
           {"name":"sidecar","containerID":"containerd://bbbb","state":{"running":{}}}],
           "ephemeralContainerStatuses":[]}}
        """)!.AsObject();

    public DebugContainerRequest Request(
        string profile = "General",
        bool named = false,
        string? image = null,
        bool force = false,
        string? custom = null,
        Dictionary<string, string>? environment = null,
        bool dryRun = false,
        double timeout = 20,
        List<string>? warnings = null,
        string? pullPolicy = null,
        bool allowLowMemory = false)
        => new()
        {
            Pod = Pod,
            TargetContainer = "app",
            Profile = profile,
            ProfileNamed = named,
            Image = image,
            ImagePullPolicy = pullPolicy,
            Force = force,
            CustomJson = custom,
            Environment = environment ?? [],
            DryRunOnly = dryRun,
            AllowLowMemory = allowLowMemory,
            Timeout = TimeSpan.FromSeconds(timeout),
            Warn = w => warnings?.Add(w),
        };

    /// <summary>A gateway under other rules, or with other times.</summary>
    public KubeGateway Connect(TeamPolicy policy, AgentTiming? timing = null)
        => KubeGateway.Connect(
            new ConnectionOptions
            {
                Server = _server.Address,
                CertificateAuthorityData = _authority,
                AccessToken = Secrets.Token,
                RequestTimeout = TimeSpan.FromSeconds(5),
                Clock = Clock,
                Tell = Told.Enqueue,
                Warn = Warned.Enqueue,
                Policy = policy,
            },
            _files.Bundle,
            timing ?? Timing);

    public void Dispose()
    {
        Gateway.Dispose();
        _server.Dispose();
    }

    /// <summary>The far side of an agent that sees its target; of a shell that finds nothing.</summary>
    public static async Task ProbeAsync(FakeExec exec)
    {
        if (exec.Request.Target.Contains("command=%2Fbin%2Fsh", StringComparison.Ordinal))
        {
            await exec.SendStatusAsync();
            await exec.SendCloseAsync();
            return;
        }

        await exec.BootAsync();
        await exec.HelloAsync();
        await exec.SendFrameAsync(
            'R', new JsonObject { ["kind"] = "probe", ["processes"] = 1, ["targetVisible"] = true });
        await exec.FinishAsync();
    }

    /// <summary>Changes the pod as another client would.</summary>
    public void Touch()
    {
        lock (_lock)
        {
            PodObject["metadata"]!["resourceVersion"] = (++_version).ToString();
        }
    }

    private async Task AnswerAsync(FakeRequest request, FakeConnection connection)
    {
        if (await Before(request, connection))
        {
            return;
        }

        if (request.IsExec)
        {
            await connection.UpgradeAsync(request);
            await Exec(new FakeExec(request, connection));
        }
        else if (request.Path == "/api/v1/namespaces/shop/pods/web-0" && request.Method == "GET")
        {
            await connection.RespondAsync(200, Snapshot());
        }
        else if (request.Path.EndsWith("/ephemeralcontainers"))
        {
            (int code, JsonObject body) = Patch(request);
            await connection.RespondAsync(code, body);
        }
        else if (request.Path.EndsWith("/selfsubjectreviews") && Caller is not null)
        {
            JsonObject user = new() { ["username"] = Caller };
            await connection.RespondAsync(
                201, new JsonObject { ["status"] = new JsonObject { ["userInfo"] = user } });
        }
        else if (request.Path.EndsWith("/events"))
        {
            await connection.RespondAsync(200, new JsonObject { ["items"] = Events.DeepClone() });
        }
        else
        {
            await connection.RespondAsync(404, FakeConnection.Status(404, "NotFound", "not found"));
        }
    }

    private JsonNode Snapshot()
    {
        lock (_lock)
        {
            return PodObject.DeepClone();
        }
    }

    private (int Code, JsonObject Body) Patch(FakeRequest request)
    {
        if (Refuse(request) is JsonObject refusal)
        {
            return (refusal["code"]!.GetValue<int>(), refusal);
        }

        lock (_lock)
        {
            JsonObject metadata = request.Json["metadata"]!.AsObject();
            if (metadata["uid"]!.GetValue<string>() != PodObject["metadata"]!["uid"]!.GetValue<string>())
            {
                return (409, FakeConnection.Status(409, "Conflict", "the UID in the precondition does not match"));
            }

            if (metadata["resourceVersion"] is JsonNode version
                && version.ToString() != PodObject["metadata"]!["resourceVersion"]!.ToString())
            {
                return (409, FakeConnection.Status(409, "Conflict", "the object has been modified"));
            }

            JsonArray wanted = request.Json["spec"]!["ephemeralContainers"]!.AsArray();
            foreach (JsonNode? container in wanted)
            {
                Admit(container!.AsObject());
            }

            if (request.Target.Contains("dryRun=All"))
            {
                JsonObject answer = PodObject.DeepClone().AsObject();
                foreach (JsonNode? container in wanted)
                {
                    answer["spec"]!["ephemeralContainers"]!.AsArray().Add(container!.DeepClone());
                }

                return (200, answer);
            }

            foreach (JsonNode? container in wanted)
            {
                if (Ephemeral.All(e => e!["name"]!.ToString() != container!["name"]!.ToString()))
                {
                    Add(container!.AsObject(), State(container!.AsObject()));
                }
            }

            PodObject["metadata"]!["resourceVersion"] = (++_version).ToString();
            return (200, PodObject.DeepClone().AsObject());
        }
    }

    public void Add(JsonObject container, JsonObject state)
    {
        Ephemeral.Add(container.DeepClone());
        PodObject["status"]!["ephemeralContainerStatuses"]!.AsArray().Add(
            new JsonObject { ["name"] = container["name"]!.ToString(), ["state"] = state });
    }
}
