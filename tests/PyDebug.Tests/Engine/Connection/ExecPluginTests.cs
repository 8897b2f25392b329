using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Login helpers: how they are run, and how often.</summary>
public sealed class ExecPluginTests : IDisposable
{
    private readonly TempDirectory _directory = new();
    private readonly FakeAgentFiles _files = new();
    private string _accepted = "Bearer good";

    public ExecPluginTests()
        => Assert.SkipWhen(OperatingSystem.IsWindows(), "The helpers of these tests are shell scripts.");

    private int Runs => File.Exists(Log) ? File.ReadAllLines(Log).Length : 0;

    private string Log => Path.Join(_directory.Path, "runs");

    public void Dispose()
    {
        _directory.Dispose();
    }

    [Fact]
    public async Task Arguments_and_variables_arrive_as_they_are()
    {
        using FakeServer server = Server();
        Helper("printf '%s\\n' \"$@\" \"$GREETING\" \"$KUBERNETES_EXEC_INFO\" > seen", Credential("good"));
        using KubeGateway gateway = Connect(
            server,
            "args: ['--name', 'hello world', 'a;b', '$(id)'], env: [{name: GREETING, value: 'x y'}], "
            + "provideClusterInfo: true");

        await CallAsync(gateway);

        string[] seen = File.ReadAllLines(Path.Join(_directory.Path, "seen"));
        Assert.Equal(["--name", "hello world", "a;b", "$(id)", "x y"], seen[..5]);
        JsonNode info = JsonNode.Parse(seen[5])!;
        Assert.Equal("ExecCredential", info["kind"]!.ToString());
        Assert.False(info["spec"]!["interactive"]!.GetValue<bool>());
        Assert.Equal(server.Address, info["spec"]!["cluster"]!["server"]!.ToString());
    }

    [Fact]
    public async Task Sixteen_requests_at_once_run_it_once()
    {
        using FakeServer server = Server();
        Helper("", Credential("good", DateTime.UtcNow.AddHours(1)));
        using KubeGateway gateway = Connect(server);

        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => CallAsync(gateway)));

        Assert.Equal(1, Runs);
    }

    [Fact]
    public async Task A_token_is_renewed_before_it_expires()
    {
        using FakeServer server = Server();
        Helper("", Credential("good", DateTime.UtcNow.AddSeconds(10)));
        using KubeGateway gateway = Connect(server);

        await CallAsync(gateway);
        await CallAsync(gateway);

        Assert.Equal(2, Runs);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task After_a_refusal_it_is_run_once_more(bool exec)
    {
        using FakeServer server = Server();
        Helper("", Credential("run-$(wc -l < runs)"));
        _accepted = "Bearer run-2";
        using KubeGateway gateway = Connect(server);

        await (exec ? PingAsync(gateway) : CallAsync(gateway));

        Assert.Equal(2, Runs);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task One_that_hands_out_an_expired_token_is_named_after_two_runs_and_two_requests()
    {
        using FakeServer server = Server();
        Helper("", Credential(Secrets.Canary, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc)));
        using KubeGateway gateway = Connect(server);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => CallAsync(gateway));

        Assert.Equal(Causes.Unauthorized, e.Cause);
        Assert.Matches("^Login helper '.*helper.sh' gave a token that expired at 2020-01-01T00:00:00Z\\.$", e.Message);
        Assert.Equal(2, Runs);
        Assert.Equal(2, server.Requests.Count);
        Assert.DoesNotContain(Secrets.Canary, e.ToString());
    }

    [Theory]
    [InlineData("echo nothing is here >&2; exit 3", "code 3: nothing is here")]
    [InlineData("echo '{}'; exit 0", "did not answer with an ExecCredential")]
    [InlineData(
        "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{}}'; exit",
        "neither a token")]
    [InlineData(
        "echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v9\",\"status\":{}}'; exit",
        "in version")]
    public async Task One_that_fails_is_told_with_its_last_words(string body, string said)
    {
        using FakeServer server = Server();
        Helper(body, "");
        using KubeGateway gateway = Connect(server);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => CallAsync(gateway));

        Assert.Equal(Causes.ExecPluginFailed, e.Cause);
        Assert.Contains(said, e.Message);
    }

    [Fact]
    public async Task One_that_is_not_there_is_told_with_its_hint()
    {
        using FakeServer server = Server();
        using KubeGateway gateway = Connect(server, "installHint: Install it from the intranet.");

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => CallAsync(gateway));

        Assert.Equal(Causes.ExecPluginFailed, e.Cause);
        Assert.EndsWith("Install it from the intranet.", e.Message);
    }

    [Fact]
    public async Task One_that_hangs_is_ended()
    {
        Helper("echo $$ > pid; echo open https://login.test/device CODE >&2; sleep 60", "");
        ExecPlugin plugin = new()
        {
            Command = Path.Join(_directory.Path, "helper.sh"),
            ApiVersion = "client.authentication.k8s.io/v1",
            Timeout = TimeSpan.FromSeconds(2),
        };

        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => ExecPluginRunner.RunAsync(plugin, null, null, TestContext.Current.CancellationToken));

        Assert.Equal(Causes.ExecPluginFailed, e.Cause);
        Assert.EndsWith("did not answer within 2 s and was ended: open https://login.test/device CODE", e.Message);
        int pid = int.Parse(File.ReadAllText(Path.Join(_directory.Path, "pid")));
        long begun = Stopwatch.GetTimestamp();
        while (Directory.Exists($"/proc/{pid}") && Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(5))
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.False(Directory.Exists($"/proc/{pid}"));
    }

    [Fact]
    public async Task One_that_waits_for_somebody_says_so_at_once_and_no_request_times_out_meanwhile()
    {
        using FakeServer server = Server();
        Helper(
            "echo open https://login.test/device CODE >&2; while [ ! -e go ]; do sleep 0.1; done", Credential("good"));
        ConcurrentQueue<string> warnings = [];
        string path = Config(server);
        using KubeGateway gateway = KubeGateway.Connect(
            new() { Kubeconfig = path, Warn = warnings.Enqueue, RequestTimeout = TimeSpan.FromSeconds(1) },
            _files.Bundle,
            FakeCluster.Timing);

        Task call = CallAsync(gateway);
        await FakeServer.UntilAsync(() => warnings.Any(w => w.Contains("says: open https://login.test/device CODE")));
        _directory.Write("go", "");
        await call;

        Assert.Equal(1, Runs);
    }

    [Fact]
    public async Task What_it_leaves_behind_with_its_streams_is_not_waited_for()
    {
        using FakeServer server = Server();
        Helper("sleep 60 & echo $! > pid", Credential("good"));
        using KubeGateway gateway = Connect(server);

        await CallAsync(gateway);

        using Process left = Process.GetProcessById(int.Parse(File.ReadAllText(Path.Join(_directory.Path, "pid"))));
        left.Kill();
    }

    [Fact]
    public async Task The_commands_of_a_pipeline_share_one_run_and_their_words_are_their_own()
    {
        using FakeServer server = Server();
        Helper("echo a word >&2", Credential("good"));
        string path = Config(server);
        for (int i = 0; i < 3; i++)
        {
            ConcurrentQueue<string> told = [];
            using KubeGateway gateway = KubeGateway.Connect(
                new() { Kubeconfig = path, Tell = told.Enqueue }, _files.Bundle, FakeCluster.Timing);
            await CallAsync(gateway);
            Assert.Equal(i == 0 ? 1 : 0, told.Count(t => t.EndsWith("says: a word")));
        }

        Assert.Equal(1, Runs);
    }

    private static string Credential(string token, DateTime? expires = null)
    {
        string expiry = expires is null ? "" : $",\\\"expirationTimestamp\\\":\\\"{expires:yyyy-MM-ddTHH:mm:ssZ}\\\"";
        return "echo \"{\\\"apiVersion\\\":\\\"client.authentication.k8s.io/v1\\\",\\\"kind\\\":\\\"ExecCredential\\\","
            + $"\\\"status\\\":{{\\\"token\\\":\\\"{token}\\\"{expiry}}}}}\"";
    }

    private void Helper(string body, string credential)
        => _directory.Write(
            "helper.sh",
            $"#!/bin/sh\ncd '{_directory.Path}'\necho run >> runs\n{body}\n{credential}\n",
            executable: true);

    private FakeServer Server() => new(async (request, connection) =>
    {
        if (request.Authorization == _accepted && request.IsExec)
        {
            await connection.UpgradeAsync(request);
            await FakeCluster.ProbeAsync(new FakeExec(request, connection));
        }
        else if (request.Authorization == _accepted)
        {
            await connection.RespondAsync(200, FakeCluster.NewPod());
        }
        else
        {
            await connection.RespondAsync(401, FakeConnection.Status(401, "Unauthorized", "Unauthorized"));
        }
    });

    private KubeGateway Connect(FakeServer server, string more = "args: []")
        => KubeGateway.Connect(new() { Kubeconfig = Config(server, more) }, _files.Bundle, FakeCluster.Timing);

    private string Config(FakeServer server, string more = "args: []")
        => _directory.Write("kubeconfig", TlsTests.Kubeconfig(
            $"server: '{server.Address}'",
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: ./helper.sh, interactiveMode: Never, "
            + more + "}"));

    private static Task PingAsync(KubeGateway gateway) => gateway.RunAgentAsync(
        new() { Namespace = "shop", Name = "web-0", Uid = "uid-1" },
        "pydebug-abcde",
        "python3",
        new() { Op = "ping" },
        (_, _) => ValueTask.CompletedTask,
        TestContext.Current.CancellationToken);

    private static Task CallAsync(KubeGateway gateway)
        => gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken);
}
