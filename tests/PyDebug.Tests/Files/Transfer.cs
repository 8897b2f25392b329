using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Tests.Engine;

namespace PyDebug.Tests.Module;

/// <summary>One copy in front of a fake cluster, without a shell and without pauses.</summary>
internal sealed class Transfer : IDisposable
{
    private readonly FakeCluster _cluster = new(tls: false);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pydebug-copy-");

    public Transfer(FakeFileAgent agent, bool onlyV5 = false)
        : this(agent.ServeAsync, onlyV5)
    {
    }

    public Transfer(Func<FakeExec, Task> answer, bool onlyV5 = false)
    {
        _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());
        _cluster.Exec = answer;
        if (onlyV5)
        {
            _cluster.Before = async (request, connection) =>
            {
                if (!request.IsExec || request.Headers["sec-websocket-protocol"]
                    .StartsWith("v5", StringComparison.Ordinal))
                {
                    return false;
                }

                await connection.RespondAsync(403, "unknown protocol");
                return true;
            };
        }
    }

    /// <summary>The folder that it goes to or comes from.</summary>
    public string Folder => _folder.FullName;

    /// <summary>How long the copy would have waited between its tries.</summary>
    public List<TimeSpan> Pauses { get; } = [];

    /// <summary>The names of all files in the folder.</summary>
    public string[] Names
        => [.. _folder.EnumerateFiles("*", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Folder, f.FullName).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    public string At(string name) => Path.Join(Folder, name);

    /// <summary>Copies out of the pod.</summary>
    public async Task ReceiveAsync(string local, bool recurse = false, bool noClobber = false)
    {
        using PodFileReceiver receiver = new(
            Run(), new PodFileOptions("/srv/file", local) { Recurse = recurse, NoClobber = noClobber });
        await receiver.RunAsync(CancellationToken.None);
    }

    /// <summary>Copies into the pod.</summary>
    public Task SendAsync(string local)
    {
        bool folder = Directory.Exists(local);
        LocalTree tree = folder ? LocalTree.Below(local, []) : LocalTree.Of(local);
        return new PodFileSender(Run(), new PodFileOptions("/srv/file", local), tree, folder).RunAsync(
            CancellationToken.None);
    }

    public void Dispose()
    {
        _cluster.Dispose();
        _folder.Delete(recursive: true);
    }

    /// <summary>A request that is not made yet.</summary>
    public AgentRun Run()
    {
        PodDebugSession session = new()
        {
            Namespace = "shop", PodName = "web-0", ContainerName = "app", DebugContainer = "pydebug-abcde",
            PodUid = "uid-1",
            Python = "/usr/bin/python3", TargetContainerId = "containerd://aaaa", IsVerified = true,
        };
        Channel<Action<AsyncCommandBase>> queue = Channel.CreateUnbounded<Action<AsyncCommandBase>>();
        return new AgentRun(
            _cluster.Gateway,
            new PodWork(session, ConnectionSettings.Default),
            new PipelineWriter(queue.Writer),
            "Copy-PodFile",
            TimeSpan.FromMinutes(10))
        {
            Pause = (pause, _) =>
            {
                Pauses.Add(pause);
                return Task.CompletedTask;
            },
        };
    }
}
