using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>Requests, their repetition and their failures.</summary>
public sealed class RestTests : IDisposable
{
    private readonly FakeCluster _cluster = new();

    public void Dispose() => _cluster.Dispose();

    [Fact]
    public async Task A_busy_server_is_asked_again_when_it_says_so()
    {
        int asked = 0;
        _cluster.Before = async (request, connection) =>
        {
            if (++asked == 1)
            {
                await connection.RespondAsync(
                    429, FakeConnection.Status(429, "TooManyRequests", "slow down"), "Retry-After: 7");
                return true;
            }

            return false;
        };

        await GetAsync();

        Assert.Equal(2, asked);
        Assert.Equal(TimeSpan.FromSeconds(7), _cluster.Clock.Waited);
        Assert.Contains("too busy", Assert.Single(_cluster.Told));
        Assert.Empty(_cluster.Warned);
    }

    [Fact]
    public async Task What_a_test_answers_wrongly_closes_the_connection_and_fails_the_test()
    {
        FakeCluster cluster = new();
        cluster.Before = (_, _) => throw new FormatException("not so");

        await Assert.ThrowsAsync<EngineException>(
            () => cluster.Gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken));

        Assert.Contains("not so", Assert.Throws<InvalidOperationException>(cluster.Dispose).Message);
    }

    [Fact]
    public async Task A_server_that_stays_busy_is_given_up()
    {
        int asked = 0;
        _cluster.Before = async (request, connection) =>
        {
            asked++;
            await connection.RespondAsync(503, FakeConnection.Status(503, "ServiceUnavailable", "later"));
            return true;
        };

        EngineException e = await FailsAsync();

        Assert.Equal((Causes.RequestFailed, 503, "later", true), (e.Cause, e.StatusCode, e.ServerMessage, e.Retryable));
        Assert.InRange(_cluster.Clock.Waited.TotalSeconds, 50, 61);
        Assert.InRange(asked, 20, 80);
        Assert.Single(_cluster.Told);
        Assert.Contains("It is tried again, for 60 s at most", _cluster.Told.Single());
        Assert.Matches(
            @"That is so for 1\d s; it is tried again, for (49|50|4\d) s at most", Assert.Single(_cluster.Warned));
    }

    [Theory]
    [InlineData("reset")]
    [InlineData("502")]
    [InlineData("503")]
    [InlineData("504")]
    [InlineData("429")]
    [InlineData("half an answer")]
    public async Task What_may_pass_is_waited_out(string how)
    {
        int asked = 0;
        _cluster.Before = async (_, connection) =>
        {
            if (++asked > 12)
            {
                return false;
            }

            switch (how)
            {
                case "reset":
                    connection.Reset();
                    break;
                case "half an answer":
                    await connection.Stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"u8.ToArray());
                    connection.Close();
                    break;
                default:
                    await connection.RespondAsync(int.Parse(how), "<html>a proxy's page</html>");
                    break;
            }

            return true;
        };
        if (how == "reset")
        {
            // A server that answered once is known to be there.
            asked = 99;
            await GetAsync();
            asked = 0;
        }

        await GetAsync();

        Assert.Equal(13, asked);
        Assert.Single(_cluster.Told);
    }

    [Fact]
    public async Task A_server_that_was_never_heard_is_given_ten_seconds()
    {
        _cluster.Before = (_, connection) =>
        {
            connection.Reset();
            return Task.FromResult(true);
        };

        Assert.Equal(Causes.ConnectionFailed, (await FailsAsync()).Cause);
        Assert.InRange(_cluster.Clock.Waited.TotalSeconds, 6, 10);
    }

    [Fact]
    public async Task A_servers_own_error_is_not_waited_for_as_long()
    {
        int asked = 0;
        _cluster.Before = async (_, connection) =>
        {
            asked++;
            await connection.RespondAsync(500, FakeConnection.Status(500, "InternalError", "failed calling webhook"));
            return true;
        };

        Assert.Equal(500, (await FailsAsync()).StatusCode);
        Assert.Equal(4, asked);
    }

    [Fact]
    public async Task A_pause_longer_than_anybody_waits_is_not_waited_for()
    {
        int asked = 0;
        _cluster.Before = async (request, connection) =>
        {
            asked++;
            await connection.RespondAsync(429, FakeConnection.Status(429, "TooManyRequests", "x"), "Retry-After: 3600");
            return true;
        };

        await FailsAsync();

        Assert.Equal(1, asked);
    }

    [Theory]
    [InlineData(401, "Unauthorized", null, Causes.Unauthorized)]
    [InlineData(403, "Forbidden", "pods", Causes.Forbidden)]
    [InlineData(404, "NotFound", "pods", Causes.PodNotFound)]
    [InlineData(400, "BadRequest", null, Causes.RequestFailed)]
    [InlineData(409, "Conflict", null, Causes.RequestFailed)]
    [InlineData(422, "Invalid", null, Causes.RequestFailed)]
    public async Task A_refusal_has_its_cause_and_the_servers_words_and_no_token(
        int code, string reason, string? kind, string cause)
    {
        _cluster.Before = async (request, connection) =>
        {
            JsonObject details = new() { ["kind"] = kind, ["name"] = "web-0" };
            await connection.RespondAsync(code, FakeConnection.Status(code, reason, "the words", details));
            return true;
        };

        EngineException e = await FailsAsync();

        Assert.Equal((cause, code, "the words"), (e.Cause, e.StatusCode, e.ServerMessage));
        Assert.Equal(TimeSpan.Zero, _cluster.Clock.Waited);
        Assert.DoesNotContain(Secrets.Canary, e.ToString());
    }

    [Theory]
    [InlineData("<html>a proxy's page</html>")]
    [InlineData("{\"kind\":\"Status\",\"kind\":\"Status\"}")]
    [InlineData("[1]")]
    [InlineData("")]
    public async Task An_answer_that_is_no_object_is_an_error(string body)
    {
        _cluster.Before = async (_, connection) =>
        {
            await connection.RespondAsync(200, body);
            return true;
        };

        Assert.Equal(Causes.RequestFailed, (await FailsAsync()).Cause);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_is_given_up_in_time()
    {
        _cluster.Before = async (_, _) =>
        {
            // It was never heard, and has had its ten seconds when the first attempt ends.
            _ = Task.Delay(TimeSpan.FromSeconds(20), _cluster.Clock, TestContext.Current.CancellationToken);
            await Task.Delay(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            return true;
        };
        Assert.Equal(Causes.Timeout, (await FailsAsync()).Cause);
    }

    [Fact]
    public async Task Nobody_listening_is_a_failed_connection()
    {
        FakeAgentFiles files = new();
        using KubeGateway gateway = KubeGateway.Connect(
            new() { Server = "https://127.0.0.1:9", Clock = new HastyClock() }, files.Bundle, FakeCluster.Timing);

        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken));

        Assert.Equal(Causes.ConnectionFailed, e.Cause);
        Assert.Contains("https://127.0.0.1:9", e.Message);
    }

    [Fact]
    public async Task A_long_list_is_read_page_by_page()
    {
        _cluster.Before = async (request, connection) =>
        {
            bool first = request.Query["continue"] is null;
            await connection.RespondAsync(200, new JsonObject
            {
                ["metadata"] = new JsonObject { ["continue"] = first ? "next page" : "" },
                ["items"] = new JsonArray(FakeCluster.NewPod(), FakeCluster.NewPod()),
            });
            return true;
        };

        IReadOnlyList<PodInfo> pods = await _cluster.Gateway.ListPodsAsync(
            ns: null, selector: null, p => p, TestContext.Current.CancellationToken);

        Assert.Equal(4, pods.Count);
    }

    [Fact]
    public async Task A_missing_namespace_is_told_from_a_missing_pod()
    {
        _cluster.Before = async (request, connection) =>
        {
            bool ns = request.Path == "/api/v1/namespaces/shop";
            JsonObject details = new() { ["kind"] = ns ? "namespaces" : "pods", ["name"] = ns ? "shop" : "web-0" };
            await connection.RespondAsync(404, FakeConnection.Status(404, "NotFound", "not found", details));
            return true;
        };

        Assert.Equal(Causes.NamespaceNotFound, (await FailsAsync()).Cause);
    }

    [Theory]
    [InlineData("kube-system", "../../secrets")]
    [InlineData("a/b?c", "x#y%2f")]
    public async Task Names_cannot_leave_their_place_in_the_path(string ns, string name)
    {
        await Assert.ThrowsAsync<EngineException>(
            () => _cluster.Gateway.GetPodAsync(ns, name, TestContext.Current.CancellationToken));

        Assert.True(_cluster.Requests.TryPeek(out FakeRequest? request));
        Assert.Equal(
            $"/api/v1/namespaces/{Uri.EscapeDataString(ns)}/pods/{Uri.EscapeDataString(name)}", request.Target);
    }

    [Theory]
    [InlineData("..", "web-0")]
    [InlineData("shop", "..")]
    [InlineData("shop", "")]
    public async Task A_name_of_dots_is_not_sent(string ns, string name)
    {
        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => _cluster.Gateway.GetPodAsync(ns, name, TestContext.Current.CancellationToken));

        Assert.Equal(Causes.PodNotFound, e.Cause);
        Assert.Empty(_cluster.Requests);
    }

    private Task<PodInfo> GetAsync()
        => _cluster.Gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken);

    private Task<EngineException> FailsAsync() => Assert.ThrowsAsync<EngineException>(GetAsync);
}
