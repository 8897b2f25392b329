using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using PyDebug.Watch;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Watch-PyProcess where the pod is replaced by another of the same owner, under the same name.</summary>
public sealed class WatchFollowTests : IDisposable
{
    private const string Start = "$s = Start-PodDebug web-0 -Namespace shop -ContainerName app @server; ";

    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;
    private readonly ConcurrentQueue<JsonObject> _watches = new();

    public WatchFollowTests()
    {
        _shell = new(_cluster);
        _cluster.PodObject["metadata"]!["ownerReferences"] = new JsonArray(new JsonObject
        {
            ["kind"] = "StatefulSet", ["name"] = "web", ["uid"] = "owner-1", ["controller"] = true,
        });
        _cluster.Before = async (request, connection) =>
        {
            if (request.Method != "GET" || request.Path != "/api/v1/namespaces/shop/pods")
            {
                return false;
            }

            JsonArray items = [_cluster.PodObject.DeepClone()];
            await connection.RespondAsync(200, new JsonObject { ["metadata"] = new JsonObject(), ["items"] = items });
            return true;
        };
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Fact]
    public async Task The_successor_of_a_pod_is_watched_in_its_place()
    {
        Answer(replaced: 1);

        IReadOnlyList<PyProcessSample> records = await WatchAsync("-DurationSeconds 100 -Follow -Confirm:$false");

        Assert.Empty(_shell.Errors);
        Assert.Equal([false, true, false], records.Select(r => r.Gap is not null));
        Assert.Equal(["uid-1", "uid-2", "uid-2"], records.Select(r => r.PodUid));
        Assert.Equal(2, _cluster.Patches.Count);
        Assert.NotNull(records[1].GapSeconds);
    }

    [Fact]
    public async Task Without_Follow_the_end_of_a_pod_is_one_record_and_one_error()
    {
        Answer(replaced: 1);

        IReadOnlyList<PyProcessSample> records = await WatchAsync("-DurationSeconds 100");

        Assert.StartsWith("PodReplaced,", Assert.Single(_shell.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal([false, true], records.Select(r => r.Gap is not null));
        Assert.Null(records[1].GapSeconds);
        Assert.Single(_cluster.Patches);
    }

    [Fact]
    public async Task One_with_another_image_is_no_successor()
    {
        Answer(replaced: 1, pod => pod["spec"]!["containers"]![0]!["image"] = "shop/web:4");

        await WatchAsync("-DurationSeconds 2 -Follow -Confirm:$false");

        Assert.StartsWith("PodReplaced,", Assert.Single(_shell.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Single(_cluster.Patches);
    }

    [Fact]
    public async Task One_of_another_owner_is_no_successor()
    {
        Answer(replaced: 1, pod => pod["metadata"]!["ownerReferences"]![0]!["uid"] = "owner-2");

        await WatchAsync("-DurationSeconds 2 -Follow -Confirm:$false");

        Assert.StartsWith("PodReplaced,", Assert.Single(_shell.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Single(_cluster.Patches);
    }

    [Fact]
    public async Task Nothing_is_added_to_it_where_that_is_not_to_be()
    {
        Answer(replaced: 1);

        await WatchAsync("-DurationSeconds 100 -Follow -WhatIf");

        Assert.StartsWith("PodReplaced,", Assert.Single(_shell.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Single(_cluster.Patches);
    }

    [Fact]
    public async Task A_pod_that_goes_again_and_again_is_followed_five_times()
    {
        Answer(replaced: int.MaxValue);

        IReadOnlyList<PyProcessSample> records = await WatchAsync("-DurationSeconds 1000 -Follow -Confirm:$false");

        ErrorRecord error = Assert.Single(_shell.Errors);
        Assert.StartsWith("FollowLimit,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("followed 5 times in an hour", error.Exception.Message, StringComparison.Ordinal);
        Assert.Equal(1 + Successions.MostInAnHour, _cluster.Patches.Count);
        Assert.Equal(1 + Successions.MostInAnHour, records.Count(r => r.Gap is null));
        Assert.Equal(1 + Successions.MostInAnHour, records.Count(r => r.Gap is not null));
    }

    /// <summary>So many agents send a sample and go with their pod; those after them end in good order.</summary>
    private void Answer(int replaced, Action<JsonObject>? change = null)
        => _cluster.Exec = async exec =>
        {
            JsonObject asked = await exec.BootAsync();
            await exec.HelloAsync();
            if (asked["op"]!.ToString() == "probe")
            {
                await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = true });
                await exec.FinishAsync();
                return;
            }

            _watches.Enqueue(asked);
            await exec.SendFrameAsync('R', new JsonObject
            {
                ["kind"] = "sample", ["round"] = 1, ["pid"] = 1, ["started"] = 1.7e9, ["seconds"] = 2.0, ["cpu"] = 1.0,
            });
            if (_watches.Count > replaced)
            {
                await exec.FinishAsync();
                return;
            }

            JsonObject next = _cluster.PodObject.DeepClone().AsObject();
            next["metadata"]!["uid"] = $"uid-{_watches.Count + 1}";
            next["spec"]!["ephemeralContainers"] = new JsonArray();
            next["status"]!["ephemeralContainerStatuses"] = new JsonArray();
            change?.Invoke(next);
            _cluster.PodObject = next;
            exec.Connection.Reset();
        };

    private async Task<IReadOnlyList<PyProcessSample>> WatchAsync(string parameters)
    {
        IReadOnlyList<PSObject> output = await _shell.RunAsync(Start + $"$s | Watch-PyProcess {parameters}");
        return [.. output.Select(o => (PyProcessSample)o.BaseObject)];
    }
}
