using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Errors;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>
/// A debug container whose Python is anybody's: it speaks the protocol, and every frame is forged. The cmdlets run as
/// PowerShell runs them.
/// </summary>
public sealed class HostileAgentTests : IDisposable
{
    private static readonly TimeSpan s_seconds = TimeSpan.FromSeconds(20);

    private static readonly HashSet<string> s_ids =
    [
        .. typeof(ErrorId).GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            .Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!),
    ];

    private readonly FakeCluster _cluster = new(tls: false);

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pydebug-hostile-");

    private readonly Runspace _runspace;

    private volatile bool _cancelled;
    private Task _mayClose = Task.CompletedTask;

    public HostileAgentTests()
    {
        _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());
        InitialSessionState state = InitialSessionState.CreateDefault2();
        foreach (Type type in typeof(CopyPodFileCommand).Assembly.GetExportedTypes())
        {
            if (type.GetCustomAttribute<CmdletAttribute>() is CmdletAttribute cmdlet)
            {
                state.Commands.Add(new SessionStateCmdletEntry($"{cmdlet.VerbName}-{cmdlet.NounName}", type, null));
            }
        }

        _runspace = RunspaceFactory.CreateRunspace(state);
        _runspace.Open();
        _runspace.SessionStateProxy.Path.SetLocation(_folder.FullName);
        _runspace.SessionStateProxy.SetVariable("s", new PodDebugSession
        {
            Namespace = "shop", PodName = "web-0", ContainerName = "app", DebugContainer = "pydebug-abcde",
            PodUid = "uid-1", Python = "/usr/bin/python3", TargetContainerId = "containerd://aaaa", IsVerified = true,
            Connection = new ConnectionSettings
            {
                Server = _cluster.Address, AccessToken = new System.Net.NetworkCredential("", "token").SecurePassword,
            },
        });
        FakePayload.WritePySpy();
        FakePayload.Write("memray", """{"version":"1.20.0","payloads":{}}""");
    }

    public static TheoryData<string> Cmdlets => new(
        "Get-PyProcess", "Get-PyStack", "Get-PyTask", "Get-PyHeap", "Measure-PyTime -DurationSeconds 1",
        "Copy-PodFile -Path /x", "Copy-PodFile -Path /x -Recurse", "Invoke-PySpy",
        "Invoke-PySpy -Record -DurationSeconds 1", "Invoke-PySpy -Top -DurationSeconds 1",
        "Get-MemrayReport -DurationSeconds 1 -Confirm:$false",
        "Invoke-Bpftrace -Program 'BEGIN { @ = 1; }' -DurationSeconds 1", "Stop-PodDebug");

    /// <summary>Results that no agent of ours sends.</summary>
    private static IEnumerable<string> Forged()
    {
        string[] kinds =
        [
            "process", "stack", "task", "time", "heap", "tool", "file", "fileEnd", "tree", "left", "end", "memray",
            "bpftrace", "bpftraceCost", "bpftraceFrames", "bpftraceEnd", "stopped", "x",
        ];
        foreach (string odd in new[] { "", "7", "[]", "{", "{}", "{\"kind\":null}" })
        {
            yield return odd;
        }

        yield return new string('[', 5000);
        yield return "{\"\\ud800\":{\"\\udc00\":1},\"kind\":\"\\ud800\"}";
        foreach (string kind in kinds)
        {
            foreach (string value in new[] { "null", "7", "-1", "1e999", "99999999999999999999", "\"x\"", "[]",
                "[[[[]]]]", "{}", "true", "\"\\ud800\\u001b[2J\"" })
            {
                IEnumerable<string> fields = new[]
                {
                    "pid", "threads", "thread", "frames", "stacks", "tasks", "size", "sha256", "samples", "report",
                    "totals", "version", "words", "cost", "messages", "messagesRepeated", "exit", "started", "cpu",
                    "command", "name", "seconds", "machine", "container", "waits", "entries", "memory", "types",
                    "parts", "path", "files", "bytes", "offset", "inode", "mtime", "why",
                }.Select(f => $"\"{f}\":{value}");
                yield return $"{{\"kind\":\"{kind}\",{string.Join(',', fields)}}}";
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public async Task Forged_results_become_records_or_errors_of_ours(string cmdlet)
    {
        foreach (string[] some in Forged().Chunk(60))
        {
            (List<ErrorRecord> errors, _) = await CheckAsync(cmdlet, async exec =>
            {
                foreach (string result in some)
                {
                    await exec.SendFrameAsync('R', Encoding.UTF8.GetBytes(result));
                }
            });
            Assert.DoesNotContain(
                errors, e => e.FullyQualifiedErrorId.StartsWith("InternalError", StringComparison.Ordinal));
        }
    }

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public async Task What_a_pod_says_is_never_advice_and_moves_no_cursor(string cmdlet)
    {
        (List<ErrorRecord> errors, List<string> told) = await CheckAsync(cmdlet, async exec =>
        {
            foreach (string cause in new[] { "ToolUnavailable", "ToolOutputInvalid", "DiskFull", "DestinationInvalid",
                "ParameterInvalid", "LimitExceeded", "SourceInvalid", "Nobody" })
            {
                await exec.SendFrameAsync('E', new JsonObject
                {
                    ["cause"] = cause, ["pid"] = 1, ["message"] = "py-spy is \u001b[2Jblocked",
                    ["detail"] = new JsonObject { ["advice"] = "irm https://evil.example/fix", ["tool"] = "memray" },
                });
            }

            await exec.SendFrameAsync('W', new JsonObject { ["message"] = "careful\u001b]0;x\u0007\r\n", ["pid"] = 1 });
            await exec.SendFrameAsync(
                'P', new JsonObject { ["text"] = "\u001b[2J", ["done"] = 5, ["total"] = 0.0000001 });
            await exec.SendFrameAsync('P', Encoding.UTF8.GetBytes("[]"));
            await exec.SendFrameAsync('E', Encoding.UTF8.GetBytes("7"));
            await exec.SendFrameAsync('W', Encoding.UTF8.GetBytes(""));
        });

        Assert.True(errors.Count >= 8, $"{errors.Count} errors");
        Assert.All(errors, e => Assert.DoesNotContain(
            "evil.example", $"{e} {e.ErrorDetails?.RecommendedAction} {e.Exception.Message}"));
        Assert.Contains(told, t => t.Contains("careful"));
    }

    [Theory]
    [InlineData('W')]
    [InlineData('E')]
    public async Task Notes_without_end_are_stopped(char kind)
        => await StopsAsync("Get-PyStack", async exec =>
        {
            for (int i = 0; i < 30_000 && !_cancelled; i++)
            {
                await exec.SendFrameAsync(kind, Encoding.UTF8.GetBytes("{}"));
            }
        });

    [Fact]
    public async Task A_result_of_more_parts_than_memory_has_room_for_is_stopped()
        => await StopsAsync("Get-PyStack", exec => exec.SendFrameAsync('R', Encoding.UTF8.GetBytes(
            "{\"kind\":\"stack\",\"threads\":[" + string.Concat(Enumerable.Repeat("{},", 5_000_000)) + "{}]}")));

    [Theory]
    [InlineData("Get-PyStack")]
    [InlineData("Measure-PyTime -DurationSeconds 1")]
    [InlineData("Get-PyProcess")]
    public async Task A_file_that_nobody_asked_for_is_stopped(string cmdlet)
        => await StopsAsync(cmdlet, exec => exec.SendFrameAsync('F', new byte[1000]));

    [Fact]
    public async Task A_file_without_end_is_stopped_at_its_announced_size_and_leaves_nothing()
    {
        await StopsAsync("Copy-PodFile -Path /x", async exec =>
        {
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "file", ["size"] = 1_000_000 });
            await FloodAsync(exec);
        });
        await StopsAsync("Copy-PodFile -Path /x", FloodAsync);
        Assert.Empty(_folder.GetFiles());
    }

    [Theory]
    [InlineData("/tmp/a\nb", "a_b")]
    [InlineData("/tmp/e\\f.json", "e\\f.json")]
    [InlineData("/tmp/plain", "plain")]
    public async Task A_file_comes_under_a_name_that_it_can_have_here(string path, string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Names are others there.");
        (List<ErrorRecord> errors, List<string> told) = await CheckAsync($"Copy-PodFile -Path '{path}'", async exec =>
        {
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "file", ["size"] = 2 });
            await exec.SendFrameAsync('F', "ok"u8.ToArray());
            await exec.SendFrameAsync('R', new JsonObject
            {
                ["kind"] = "fileEnd", ["size"] = 2,
                ["sha256"] = "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df",
            });
        });
        Assert.Empty(errors);
        Assert.Equal("ok", File.ReadAllText(Path.Combine(_folder.FullName, name)));
        Assert.Contains(told, t => t.EndsWith(name, StringComparison.Ordinal));
        Assert.Equal(path.EndsWith(name, StringComparison.Ordinal), !told.Any(t => t.Contains("cannot be called")));
    }

    [Fact]
    public async Task A_file_larger_than_the_disk_is_refused_before_its_first_byte()
    {
        (List<ErrorRecord> errors, _) = await CheckAsync("Copy-PodFile -Path /x", async exec =>
        {
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "file", ["size"] = long.MaxValue / 2 });
            await FloodAsync(exec);
        });
        Assert.StartsWith("DiskFull,", Assert.Single(errors).FullyQualifiedErrorId);
        Assert.Empty(_folder.GetFiles());
    }

    [Theory]
    [InlineData("Invoke-PySpy", 65L << 20)]
    [InlineData("Invoke-PySpy -Record -DurationSeconds 1", 2L << 30)]
    [InlineData("Invoke-PySpy", 1000L)]
    [InlineData("Invoke-PySpy", null)]
    public async Task What_a_tool_wrote_is_counted_against_what_it_may_be(string cmdlet, long? announced)
        => await StopsAsync(cmdlet, async exec =>
        {
            await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "tool", ["pid"] = 1, ["size"] = announced });
            await FloodAsync(exec);
        });

    [Fact]
    public async Task A_capture_is_counted_against_what_was_announced()
    {
        const string Ask = "Get-MemrayReport -DurationSeconds 1 -KeepCapture -Confirm:$false -ProcessId 1";
        await StopsAsync(Ask, FloodAsync, skipsProcesses: true);
        await StopsAsync(Ask, e => e.SendFrameAsync('R', new JsonObject { ["kind"] = "file", ["size"] = 1L << 40 }),
            skipsProcesses: true);
    }

    [Fact]
    public async Task Output_of_a_program_is_counted_on_this_side()
        => await StopsAsync(
            "Invoke-Bpftrace -Program 'BEGIN { @ = 1; }' -DurationSeconds 1 -MaximumBytes 100000", FloodAsync);

    [Fact]
    public async Task One_that_asks_again_and_again_for_what_was_sent_is_stopped()
        => await StopsAsync("Copy-PodFile -Path /x", async exec =>
        {
            // Each is answered with a cancel, as there is nothing of that name: it ends nothing here.
            TaskCompletionSource sent = new();
            _mayClose = sent.Task;
            try
            {
                for (int i = 0; i < 1000; i++)
                {
                    await exec.SendFrameAsync('N', new JsonObject { ["name"] = "content" });
                }
            }
            finally
            {
                sent.SetResult();
            }
        });

    [Fact]
    public async Task The_target_container_is_named_in_every_question()
    {
        List<string?> asked = [];
        foreach (string cmdlet in Cmdlets.Select(c => c.Data).Where(c => c != "Stop-PodDebug"))
        {
            await CheckAsync(cmdlet, _ => Task.CompletedTask, onQuestion: q => asked.Add(q["container"]?.ToString()));
        }

        Assert.Equal(12, asked.Count);
        Assert.All(asked, c => Assert.Equal("containerd://aaaa", c));
    }

    public void Dispose()
    {
        _runspace.Dispose();
        _cluster.Dispose();
        _folder.Delete(recursive: true);
    }

    private async Task FloodAsync(FakeExec exec)
    {
        byte[] chunk = new byte[1 << 18];
        for (int i = 0; i < 2000 && !_cancelled; i++)
        {
            await exec.SendFrameAsync('F', chunk);
        }
    }

    /// <summary>
    /// Runs a cmdlet against an agent that sends more than it may: one error with the id, and the agent is told to end.
    /// </summary>
    private async Task StopsAsync(string cmdlet, Func<FakeExec, Task> send, bool skipsProcesses = false)
    {
        (List<ErrorRecord> errors, _) = await CheckAsync(cmdlet, send, skipsProcesses);
        Assert.Contains(errors, e => e.FullyQualifiedErrorId.StartsWith("LimitExceeded,", StringComparison.Ordinal));
        ErrorRecord limit = errors.Last();
        Assert.Equal(ErrorCategory.LimitsExceeded, limit.CategoryInfo.Category);
        Assert.Matches("more than|larger than|which takes|nobody asked for|had announced", limit.ErrorDetails.Message);
        Assert.Contains("Nothing of it was taken", limit.ErrorDetails.RecommendedAction);
        // The far side may hear it a little later.
        for (int i = 0; i < 100 && !_cancelled; i++)
        {
            await Task.Delay(100);
        }

        Assert.True(_cancelled, "The agent was not told to end.");
    }

    private async Task<(List<ErrorRecord> Errors, List<string> Told)> CheckAsync(
        string cmdlet,
        Func<FakeExec, Task> send,
        bool skipsProcesses = false,
        Action<JsonObject>? onQuestion = null)
    {
        _cancelled = false;
        _cluster.Exec = async exec =>
        {
            JsonObject question = await exec.BootAsync();
            onQuestion?.Invoke(question);
            await exec.HelloAsync();
            if (skipsProcesses && question["op"]!.ToString() == "processes")
            {
                await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "process", ["pid"] = 1,
                    ["version"] = "3.13.5", ["implementation"] = "CPython" });
                await exec.FinishAsync();
                return;
            }

            Task listening = ListenAsync(exec);
            try
            {
                await send(exec);
                await exec.SendTrailerAsync();
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
            {
                // The client has gone.
            }

            await listening;
        };
        using PowerShell shell = PowerShell.Create(_runspace);
        Stopwatch watch = Stopwatch.StartNew();
        IAsyncResult running = shell.AddScript($"$s | {cmdlet} -ErrorAction Continue").BeginInvoke();
        Assert.True(
            await Task.Run(() => running.AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(60))), $"{cmdlet} did not end");
        Assert.True(watch.Elapsed < s_seconds * 2, $"{cmdlet} took {watch.Elapsed}");
        List<PSObject> output = [.. shell.EndInvoke(running)];
        List<ErrorRecord> errors = [.. shell.Streams.Error];
        foreach (ErrorRecord error in errors)
        {
            Assert.IsType<PyDebugException>(error.Exception);
            Assert.Contains(error.FullyQualifiedErrorId.Split(',')[0], s_ids);
        }

        List<string> told =
        [
            .. shell.Streams.Warning.Select(w => w.Message), .. shell.Streams.Progress.Select(
                p => $"{p.StatusDescription} {p.CurrentOperation}"),
            .. errors.Select(e => $"{e} {e.ErrorDetails?.Message}"), .. output.Select(o => o.ToString()),
        ];
        Assert.All(told, t => Assert.DoesNotContain(t, c => char.IsControl(c) && c is not '\n'));
        return (errors, told);
    }

    /// <summary>Hears what the client says until it says that it has all, or wants no more.</summary>
    private async Task ListenAsync(FakeExec exec)
    {
        try
        {
            while ((await exec.ReadFrameAsync()).Kind is not ('A' or 'C'))
            {
            }

            // One that had sent all it has, whatever of it is read, is let go instead.
            _cancelled = true;
            await _mayClose;
            await exec.SendStatusAsync();
            await exec.SendCloseAsync();
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            _cancelled = true;
        }
    }
}
