using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>A start is held against the memory that the pod has left.</summary>
public sealed class StartMemoryTests : IDisposable
{
    private const long Mebibyte = 1 << 20;

    private readonly FakeCluster _cluster = new();
    private readonly List<string> _warnings = [];

    public StartMemoryTests()
    {
        foreach (JsonNode? container in _cluster.PodObject["spec"]!["containers"]!.AsArray())
        {
            container!["resources"] = Limit("64Mi");
        }
    }

    public void Dispose() => _cluster.Dispose();

    [Theory]
    [InlineData("metrics")]
    [InlineData("kubelet")]
    public async Task A_start_without_room_for_it_is_refused_with_both_numbers_before_anything_is_changed(string source)
    {
        Report(source, 120 * Mebibyte);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.Equal(Causes.MemoryLow, e.Cause);
        Assert.Contains("needs 9.0 MiB", e.Message, StringComparison.Ordinal);
        Assert.Contains("has 8.0 MiB left under its limit of 128.0 MiB", e.Message, StringComparison.Ordinal);
        Assert.Equal($"{8 * Mebibyte}", e.Detail["headroom"]);
        Assert.Empty(_cluster.Patches);
    }

    [Theory]
    [InlineData(512, 503, "")]
    [InlineData(512, 504, "9.0")]
    [InlineData(2560, 2547, "")]
    [InlineData(2560, 2548, "13.0")]
    [InlineData(65536, 65520, "")]
    [InlineData(65536, 65521, "16.0")]
    public async Task A_larger_limit_takes_more_of_it(int limit, int used, string needs)
    {
        foreach (JsonNode? container in _cluster.PodObject["spec"]!["containers"]!.AsArray())
        {
            container!["resources"] = Limit($"{limit / 2}Mi");
        }

        Report("metrics", used * Mebibyte);

        EngineException? e = await Record.ExceptionAsync(() => StartAsync(_cluster.Request())) as EngineException;

        Assert.Equal(needs.Length == 0, e is null);
        Assert.Contains(needs, e?.Message ?? string.Empty, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("metrics")]
    [InlineData("kubelet")]
    public async Task With_room_for_it_nothing_is_said(string source)
    {
        Report(source, 119 * Mebibyte);

        await StartAsync(_cluster.Request(warnings: _warnings));

        Assert.Empty(_warnings);
    }

    [Fact]
    public async Task Where_the_use_is_not_known_a_warning_says_so()
    {
        await StartAsync(_cluster.Request(warnings: _warnings));

        Assert.Equal(PodMemory.UseUnknown, Assert.Single(_warnings));
    }

    [Fact]
    public async Task A_person_may_start_it_all_the_same()
    {
        Report("metrics", 127 * Mebibyte);
        string header = "";
        _cluster.Exec = async exec =>
        {
            await FakeCluster.ProbeAsync(exec);
            header = exec.Header;
        };

        await StartAsync(_cluster.Request(warnings: _warnings, allowLowMemory: true));

        Assert.Empty(_warnings);
        Assert.Equal("op probe\nneeds 1048576\nlow 1\nnew 1\n", header);
    }

    [Fact]
    public async Task A_container_that_runs_is_taken_whatever_is_left()
    {
        await StartAsync(_cluster.Request());
        Report("metrics", 127 * Mebibyte);

        DebugContainerInfo again = await StartAsync(_cluster.Request());

        Assert.True(again.Reused);
    }

    [Fact]
    public async Task What_the_agent_refuses_ends_the_new_container_and_is_the_failure()
    {
        string header = "";
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            header = exec.Header;
            await exec.HelloAsync();
            await exec.SendFrameAsync('E', new JsonObject
            {
                ["cause"] = "MemoryLow",
                ["message"] = "A look at the target needs 2.0 MiB of memory, and 0.5 MiB are left.",
                ["pid"] = null,
                ["detail"] = new JsonObject { ["headroom"] = 524288, ["needed"] = 2097152 },
            });
            await exec.FinishAsync(1);
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.Equal("op probe\nneeds 1048576\nlow 0\nnew 1\n", header);
        Assert.Equal(Causes.MemoryLow, e.Cause);
        Assert.StartsWith("A look at the target needs 2.0 MiB", e.Message, StringComparison.Ordinal);
        Assert.Matches("Debug container 'pydebug-[a-z0-9]{5}' has been ended again.$", e.Message);
        Assert.Equal("524288", e.Detail["headroom"]);
    }

    [Fact]
    public async Task A_debug_container_that_the_kernel_ended_is_explained_by_the_memory()
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
                FakeCluster.Terminated("OOMKilled", 137, "");
            await exec.SendStatusAsync(
                """
                {"status":"Failure","reason":"NonZeroExitCode","message":"error executing command [python3 -c import]",
                 "details":{"causes":[{"reason":"ExitCode","message":"137"}]}}
                """);
            await exec.SendCloseAsync();
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.Equal(Causes.MemoryLow, e.Cause);
        Assert.Matches(
            "^A debug container needs 9.0 MiB of memory, and less is left under the pod's limit of 128.0 MiB: the "
                + "kernel ended debug container 'pydebug-[a-z0-9]{5}', and container 'app' runs on.$",
            e.Message);
    }

    [Theory]
    [InlineData("pydebug-keeper: 3145728 bytes of memory are left", "3.0 MiB are left")]
    [InlineData("pydebug-keeper: 99999999999999999999999 bytes", "less is left")]
    [InlineData("", "less is left")]
    public async Task A_debug_container_that_found_too_little_left_is_not_asked_anything(string said, string left)
    {
        int execs = 0;
        _cluster.Exec = _ =>
        {
            execs++;
            return Task.CompletedTask;
        };
        _cluster.State = _ => FakeCluster.Terminated("Error", 86, said);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => StartAsync(_cluster.Request()));

        Assert.Equal((Causes.MemoryLow, 0), (e.Cause, execs));
        Assert.Matches(
            $"^A debug container needs 9.0 MiB of memory, and {left} under the pod's limit of 128.0 MiB beside the "
                + "debug container: 'pydebug-[a-z0-9]{5}' has ended again.$",
            e.Message);
    }

    [Fact]
    public async Task The_mark_tells_the_agent_what_it_cannot_see()
    {
        await StartAsync(_cluster.Request());

        string mark = _cluster.Ephemeral[0]!["env"]!.AsArray()
            .Single(e => e!["name"]!.ToString() == SessionMark.Variable)!["value"]!.ToString();
        Assert.Contains($"\"limit\":{128 * Mebibyte}", mark, StringComparison.Ordinal);
        Assert.Contains($"\"beside\":{64 * Mebibyte}", mark, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"containers":[{"name":"a","resources":{"limits":{"memory":"64Mi"}}},{"name":"b"}]}""", null)]
    [InlineData("""{"containers":[{"name":"a","resources":{"limits":{"memory":"64Mi"}}}]}""", 64L)]
    [InlineData(
        """
        {"containers":[{"name":"a","resources":{"limits":{"memory":"64Mi"}}}],
         "initContainers":[{"name":"i","resources":{"limits":{"memory":"200Mi"}}}]}
        """,
        200L)]
    [InlineData(
        """
        {"containers":[{"name":"a","resources":{"limits":{"memory":"64Mi"}}}],
         "initContainers":[{"name":"s","restartPolicy":"Always","resources":{"limits":{"memory":"32Mi"}}}]}
        """,
        96L)]
    [InlineData(
        """{"containers":[{"name":"a","resources":{"limits":{"memory":"64Mi"}}}],"initContainers":[{"name":"i"}]}""",
        null)]
    [InlineData("""{"resources":{"limits":{"memory":"100Mi"}},"containers":[{"name":"a"},{"name":"b"}]}""", 100L)]
    [InlineData("""{"containers":[]}""", null)]
    public void The_pods_limit_is_the_one_that_the_kubelet_sets(string spec, long? mebibytes)
    {
        PodInfo pod = PodParser.Parse(new JsonObject { ["spec"] = JsonNode.Parse(spec) });

        Assert.Equal(mebibytes * Mebibyte, PodMemory.LimitOf(pod));
    }

    [Fact]
    public void A_limit_that_was_changed_in_place_counts()
    {
        PodInfo pod = PodParser.Parse(new JsonObject
        {
            ["spec"] = new JsonObject
            {
                ["containers"] = new JsonArray(new JsonObject { ["name"] = "a", ["resources"] = Limit("64Mi") }),
            },
            ["status"] = new JsonObject
            {
                ["containerStatuses"] = new JsonArray(new JsonObject { ["name"] = "a", ["resources"] = Limit("96Mi") }),
            },
        });

        Assert.Equal(96 * Mebibyte, PodMemory.LimitOf(pod));
    }

    private static JsonObject Limit(string memory)
        => new() { ["limits"] = new JsonObject { ["memory"] = memory } };

    private Task<DebugContainerInfo> StartAsync(DebugContainerRequest request)
        => _cluster.Gateway.StartDebugContainerAsync(request, CancellationToken.None);

    /// <summary>Lets one of the two that may know say what the pod uses, half of it in each container.</summary>
    private void Report(string source, long used)
    {
        JsonObject metrics = new()
        {
            ["containers"] = new JsonArray(
                new JsonObject { ["name"] = "app", ["usage"] = new JsonObject { ["memory"] = $"{used / 2 / 1024}Ki" } },
                new JsonObject { ["name"] = "sidecar", ["usage"] = new JsonObject { ["memory"] = $"{used / 2}" } }),
        };
        JsonObject summary = new()
        {
            ["pods"] = new JsonArray(
                new JsonObject
                {
                    ["podRef"] = new JsonObject { ["name"] = "web-0", ["uid"] = "another" },
                    ["memory"] = new JsonObject { ["workingSetBytes"] = 1 },
                },
                new JsonObject
                {
                    ["podRef"] = new JsonObject { ["name"] = "web-0", ["uid"] = "uid-1" },
                    // That of the pod as a whole lags behind.
                    ["memory"] = new JsonObject { ["workingSetBytes"] = 0 },
                    ["containers"] = new JsonArray(
                        new JsonObject { ["memory"] = new JsonObject { ["workingSetBytes"] = used / 2 } },
                        new JsonObject { ["memory"] = new JsonObject { ["workingSetBytes"] = used / 2 } }),
                }),
        };
        (string path, JsonObject answer) = source == "metrics"
            ? ("/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web-0", metrics)
            : ("/api/v1/nodes/node-a/proxy/stats/summary", summary);
        _cluster.Before = async (request, connection) =>
        {
            if (request.Path != path)
            {
                return false;
            }

            await connection.RespondAsync(200, answer);
            return true;
        };
    }
}
