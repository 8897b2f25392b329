using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Watch-PyProcess in front of an agent that answers as the test says.</summary>
public sealed class WatchTests : IDisposable
{
    private const string Start = "$s = Start-PodDebug web-0 -Namespace shop -ContainerName app @server; ";

    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;
    private readonly ConcurrentQueue<JsonObject> _asked = new();
    private readonly ConcurrentQueue<char> _heard = new();

    public WatchTests() => _shell = new(_cluster);

    private int Watches => _asked.Count(a => a["op"]!.ToString() == "watch");

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Fact]
    public async Task A_sample_has_what_the_agent_says()
    {
        Answer((exec, _) => SendAsync(exec, Sample(1, 7)));

        PyProcessSample sample = Assert.Single(await WatchAsync("-DurationSeconds 60"));

        Assert.Equal(("shop", "web-0", "app"), (sample.Namespace, sample.PodName, sample.ContainerName));
        Assert.Equal((7, "python3"), (sample.ProcessId, sample.Name));
        Assert.Equal((50.0, 25.0), (sample.CpuPercent, sample.CpuLimitPercent));
        Assert.Equal((20.0, 10.0), (sample.ThrottledPercent, sample.RunQueuePercent));
        Assert.Equal((1L << 20, 300L), (sample.ResidentBytes, sample.ContainerBytes));
        Assert.Equal((1200L, 25.0), (sample.ContainerLimitBytes, sample.ContainerPercent));
        Assert.Equal((4, 9), (sample.ThreadCount, sample.OpenFileCount));
        Assert.Equal((1024L, 2), (sample.OpenFileLimit, sample.ChildCount));
        Assert.Equal((3L, 1L, "sleeping"), (sample.MinorFaults, sample.MajorFaults, sample.State));
        Assert.Equal((5.0, 0.0), (sample.CpuPressurePercent, sample.IoPressurePercent));
        Assert.Null(sample.MemoryPressurePercent);
        Assert.Equal((20, 15.0, 11), (sample.LookCount, sample.GilWaitPercent, sample.LoopThreadId));
        Assert.Equal((40.0, 0.75), (sample.LoopAwayPercent, sample.LoopAwaySeconds));
        Assert.Equal((12, 2.0), (sample.TaskCount, sample.IntervalSeconds));
        Assert.Null(sample.Gap);
        JsonObject asked = _asked.Single(a => a["op"]!.ToString() == "watch");
        Assert.Equal(2.0, asked["interval"]!.GetValue<double>());
        Assert.InRange(asked["seconds"]!.GetValue<double>(), 1, 60);
    }

    [Fact]
    public async Task What_is_not_known_is_empty_and_what_cannot_be_is_not_taken()
    {
        JsonObject strange = new()
        {
            ["kind"] = "sample", ["round"] = 1, ["pid"] = 7, ["seconds"] = 2.0,
            ["cpu"] = -1, ["quota"] = 0, ["gil"] = 7,
            ["throttled"] = "all", ["memory"] = -5, ["rss"] = 1e300, ["loop"] = new JsonArray(1), ["pressure"] = null,
            ["name"] = "a\u001b[2Jb", ["notes"] = new JsonArray("x\ny", 5), ["started"] = -1,
        };
        Answer((exec, _) => SendAsync(exec, strange));

        PyProcessSample sample = Assert.Single(await WatchAsync("-DurationSeconds 60"));

        Assert.All(
            typeof(PyProcessSample).GetProperties().Where(p => Nullable.GetUnderlyingType(p.PropertyType) is not null),
            p => Assert.Null(p.GetValue(sample)));
        Assert.DoesNotContain('\u001b', sample.Name);
        Assert.DoesNotContain('\n', Assert.Single(sample.Notes));
    }

    [Fact]
    public async Task A_sample_binds_where_a_process_does()
    {
        Answer((exec, _) => SendAsync(exec, Sample(1, 7)));

        await _shell.RunAsync(
            Start + "$w = $s | Watch-PyProcess -DurationSeconds 60; $w | Get-PyStack; "
            + "$xml = [System.Management.Automation.PSSerializer]::Serialize($w); "
            + "[System.Management.Automation.PSSerializer]::Deserialize($xml) | Get-PyStack @server");

        Assert.Empty(_shell.Errors);
        List<JsonObject> stacks = [.. _asked.Where(a => a["op"]!.ToString() == "stack")];
        Assert.Equal(2, stacks.Count);
        Assert.All(stacks, s => Assert.Equal("[7]", s["pids"]!.ToJsonString()));
        Assert.All(stacks, s => Assert.Equal(1.7e9, s["started"]!["7"]!.GetValue<double>()));
    }

    [Fact]
    public async Task A_connection_that_is_cut_is_one_record_and_it_goes_on()
    {
        Answer(async (exec, number) =>
        {
            await SendAsync(exec, Sample(1, 7), finish: number > 2);
            if (number <= 2)
            {
                exec.Connection.Reset();
            }
        });

        IReadOnlyList<PyProcessSample> records = await WatchAsync("-DurationSeconds 100");

        Assert.Equal([false, true, false, true, false], records.Select(r => r.Gap is not null));
        PyProcessSample gap = records[1];
        Assert.Equal((7, "web-0"), (gap.ProcessId, gap.PodName));
        Assert.NotNull(gap.GapSeconds);
        Assert.Null(gap.CpuPercent);
        Assert.NotNull(gap.StartTime);
        Assert.Empty(_shell.Errors);
        Assert.Equal(2, _shell.Warnings.Count(w => w.EndsWith("until it goes on.", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_server_that_never_answered_is_an_error_and_no_gap()
    {
        Answer((exec, _) =>
        {
            exec.Connection.Reset();
            return Task.CompletedTask;
        });

        IReadOnlyList<PyProcessSample> records = await WatchAsync("-DurationSeconds 100");

        Assert.Empty(records);
        Assert.Single(_shell.Errors);
        Assert.Equal(1, Watches);
    }

    [Fact]
    public async Task The_end_of_a_process_is_a_record()
    {
        JsonObject ended = new() { ["kind"] = "ended", ["round"] = 2, ["pid"] = 7, ["started"] = 1.7e9 };
        Answer((exec, _) => SendAsync(exec, [Sample(1, 7), ended]));

        IReadOnlyList<PyProcessSample> records = await WatchAsync("-DurationSeconds 60");

        Assert.Equal([null, "the process ended"], records.Select(r => r.Gap));
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("-PassThru", 3)]
    public async Task Until_writes_the_record_that_makes_it_true_and_ends_all(string more, int count)
    {
        Answer(async (exec, _) =>
        {
            JsonObject[] samples = [Sample(1, 7), Sample(2, 7), Sample(3, 7, cpu: 1.9), Sample(4, 7, cpu: 1.9)];
            await SendAsync(exec, samples, finish: false);
            await HearAsync(exec);
            await exec.FinishAsync(130);
        });

        IReadOnlyList<PyProcessSample> records = await WatchAsync($"-Until {{ $_.CpuPercent -gt 90 }} {more}");

        Assert.Equal(count, records.Count);
        Assert.Equal(95.0, records[^1].CpuPercent);
        Assert.Empty(_shell.Warnings);
        Assert.Empty(_shell.Errors);
        Assert.Equal(['C'], _heard);
    }

    [Fact]
    public async Task Until_ends_all_pods_by_the_record_of_one()
    {
        FakeFleet fleet = new(_cluster);
        fleet.Add("web-1");
        fleet.Add("web-2");
        TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Answer(async (exec, _) =>
        {
            bool isQuiet = exec.Request.Path.Contains("/web-1/", StringComparison.Ordinal);
            await SendAsync(exec, Sample(1, 7), finish: false);
            if (isQuiet)
            {
                first.SetResult();
            }
            else
            {
                await first.Task;
                await SendAsync(exec, Sample(2, 7, cpu: 1.9), finish: false);
            }

            await HearAsync(exec);
            await exec.FinishAsync(130);
        });

        IReadOnlyList<PSObject> output = await _shell.RunAsync(
            "Start-PodDebug web-1, web-2 -Namespace shop @server | Watch-PyProcess -Until { $_.CpuPercent -gt 90 }");

        Assert.Equal("web-2", ((PyProcessSample)Assert.Single(output).BaseObject).PodName);
        Assert.Equal(['C', 'C'], _heard);
        Assert.Empty(_shell.Warnings);
        Assert.Empty(_shell.Errors);
    }

    [Fact]
    public async Task Until_holds_for_what_came_before_the_agent_ended_by_itself()
    {
        Answer((exec, _) => SendAsync(exec, Sample(1, 7, cpu: 1.9)));

        IReadOnlyList<PyProcessSample> records = await WatchAsync(
            "-DurationSeconds 60 -Until { $_.CpuPercent -gt 90 }");

        Assert.Single(records);
        Assert.Empty(_shell.Warnings);
        Assert.Empty(_shell.Errors);
    }

    [Fact]
    public async Task Until_that_is_never_true_writes_no_record_and_one_warning()
    {
        Answer((exec, _) => SendAsync(exec, [Sample(1, 7), Sample(2, 7)]));

        IReadOnlyList<PyProcessSample> records = await WatchAsync(
            "-DurationSeconds 60 -Until { $_.CpuPercent -gt 90 }");

        Assert.Empty(records);
        Assert.Contains("there were 2", Assert.Single(_shell.Warnings), StringComparison.Ordinal);
        Assert.Empty(_shell.Errors);
    }

    [Fact]
    public async Task What_the_condition_throws_ends_it()
    {
        Answer(async (exec, _) =>
        {
            await SendAsync(exec, Sample(1, 7), finish: false);
            await HearAsync(exec);
            await exec.FinishAsync(130);
        });

        IReadOnlyList<PSObject> output = await _shell.RunAsync(
            Start + "try { $s | Watch-PyProcess -Until { throw 'mine' } } catch { \"caught $_\" }");

        Assert.Equal("caught mine", Assert.Single(output).ToString());
        Assert.Equal(['C'], _heard);
    }

    [Fact]
    public async Task Who_sends_more_than_processes_can_come_to_is_stopped()
    {
        byte[] one = FakeExec.Frame('R', Encoding.UTF8.GetBytes(Sample(1, 7).ToJsonString()));
        byte[] many = [.. Enumerable.Repeat(one, 500).SelectMany(b => b)];
        Answer(async (exec, _) =>
        {
            for (int i = 0; i < 100; i++)
            {
                await exec.SendOutputAsync(many);
            }
        });

        await _shell.RunAsync(Start + "$s | Watch-PyProcess -IntervalSeconds 3600 | Out-Null");

        ErrorRecord error = Assert.Single(_shell.Errors);
        Assert.StartsWith("LimitExceeded,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PassThru_without_a_condition_is_a_terminating_error_before_anything_is_sent()
    {
        Answer((exec, _) => SendAsync(exec, Sample(1, 7)));

        IReadOnlyList<PSObject> output = await _shell.RunAsync(
            Start + "try { $s | Watch-PyProcess -PassThru } catch { $_.FullyQualifiedErrorId }");

        Assert.StartsWith("ParameterInvalid,", Assert.Single(output).ToString(), StringComparison.Ordinal);
        Assert.Equal(0, Watches);
    }

    private static JsonObject Sample(int round, int pid, double cpu = 1.0) => new()
    {
        ["kind"] = "sample", ["round"] = round, ["pid"] = pid, ["started"] = 1.7e9, ["name"] = "python3",
        ["state"] = "S",
        ["seconds"] = 2.0, ["interval"] = 2.0, ["cpu"] = cpu, ["quota"] = 2.0, ["throttled"] = 0.2, ["wait"] = 0.2,
        ["rss"] = 1 << 20, ["memory"] = 300, ["memoryLimit"] = 1200, ["threads"] = 4, ["files"] = 9,
        ["filesLimit"] = 1024,
        ["children"] = 2, ["minor"] = 3, ["major"] = 1, ["looks"] = 20, ["gil"] = 0.15, ["tasks"] = 12,
        ["pressure"] = new JsonObject { ["cpu"] = 0.05, ["memory"] = null, ["io"] = 0.0 },
        ["loop"] = new JsonObject { ["tid"] = 11, ["away"] = 0.4, ["longest"] = 0.75, ["looks"] = 20 },
        ["notes"] = new JsonArray(),
    };

    private static async Task SendAsync(FakeExec exec, JsonObject[] samples, bool finish = true)
    {
        foreach (JsonObject sample in samples)
        {
            await exec.SendFrameAsync('R', sample.DeepClone().AsObject());
        }

        if (finish)
        {
            await exec.FinishAsync();
        }
    }

    /// <summary>Notes what the module says first. That it is still there, it may say at any time.</summary>
    private async Task HearAsync(FakeExec exec)
    {
        char kind;
        do
        {
            kind = (await exec.ReadFrameAsync()).Kind;
        }
        while (kind == 'K');
        _heard.Enqueue(kind);
    }

    private static Task SendAsync(FakeExec exec, JsonObject sample, bool finish = true)
        => SendAsync(exec, [sample], finish);

    private void Answer(Func<FakeExec, int, Task> watch)
        => _cluster.Exec = async exec =>
        {
            JsonObject asked = await exec.BootAsync();
            _asked.Enqueue(asked);
            await exec.HelloAsync();
            if (asked["op"]!.ToString() == "watch")
            {
                await watch(exec, Watches);
                return;
            }

            if (asked["op"]!.ToString() == "probe")
            {
                await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = true });
            }

            await exec.FinishAsync();
        };

    private async Task<IReadOnlyList<PyProcessSample>> WatchAsync(string parameters)
    {
        IReadOnlyList<PSObject> output = await _shell.RunAsync(Start + $"$s | Watch-PyProcess {parameters}");
        return [.. output.Select(o => (PyProcessSample)o.BaseObject)];
    }
}
