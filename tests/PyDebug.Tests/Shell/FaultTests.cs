using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>
/// What a network and a server can do to a question, as a user sees it, over both versions of the exec protocol. Each
/// has its id, says when it happened and what may be left of it, and shows the token nowhere.
/// </summary>
public sealed class FaultTests : IDisposable
{
    private const string NotStarted = RemoteStates.NotStarted;
    private const string Stopped = RemoteStates.Stopped;
    private const string MayBeRunning = RemoteStates.MayBeRunning;
    private const string Unknown = RemoteStates.Unknown;

    private const string Succeeded = "{\"metadata\":{},\"status\":\"Success\"}";

    /// <summary>All of them; <see cref="TokenTests"/> has them in a PowerShell of its own.</summary>
    internal static readonly Fault[] All =
    [
        Refused(401, Causes.Unauthorized, again: false),
        Refused(403, Causes.Forbidden, again: false),
        Refused(404, Causes.RequestFailed, again: false),
        Refused(409, Causes.ExecFailed, again: false),
        Refused(422, Causes.ExecFailed, again: false),
        Refused(429, Causes.RequestFailed, again: true),
        Refused(500, Causes.ExecFailed, again: true),
        Refused(502, Causes.RequestFailed, again: true),
        Refused(503, Causes.RequestFailed, again: true),
        Refused(504, Causes.RequestFailed, again: true),
        new("another protocol", Causes.ProtocolError, Phases.Connect, NotStarted, false)
        {
            Upgrade = (request, connection) => connection.UpgradeAsync(request, "v3.channel.k8s.io"),
        },
        new("no protocol", Causes.ProtocolError, Phases.Connect, NotStarted, false)
        {
            Upgrade = (request, connection) => connection.UpgradeAsync(request, ""),
        },
        new("reset before the upgrade", Causes.ConnectionFailed, Phases.Connect, NotStarted, true)
        {
            Upgrade = (_, connection) => Reset(connection),
        },
        new("reset after the upgrade", Causes.ConnectionFailed, Phases.Run, MayBeRunning, true)
        {
            Exec = exec => Reset(exec.Connection),
        },
        Answered("reset before the hello", Causes.ConnectionFailed, MayBeRunning, exec => Reset(
            exec.Connection), hello: false),
        Answered("reset after the hello", Causes.OutcomeUnknown, MayBeRunning, exec => Reset(exec.Connection)),
        Answered("reset within a frame", Causes.OutcomeUnknown, MayBeRunning, async exec =>
        {
            await exec.SendAsync(1, Stack()[..9]);
            await Reset(exec.Connection);
        }),
        Answered("reset after data", Causes.OutcomeUnknown, MayBeRunning, async exec =>
        {
            await exec.SendAsync(1, Stack());
            await Reset(exec.Connection);
        }),
        Answered("success and no trailer", Causes.OutcomeUnknown, Stopped, async exec =>
        {
            await exec.SendAsync(1, Stack());
            await exec.SendStatusAsync(Succeeded);
            await exec.SendCloseAsync();
        }),
        Answered("success and less than was sent", Causes.OutcomeUnknown, Stopped, async exec =>
        {
            await exec.SendTrailerAsync(missing: 1000);
            await exec.SendStatusAsync(Succeeded);
            await exec.SendCloseAsync();
        }),
        Answered("success and other bytes than were sent", Causes.OutcomeUnknown, Stopped, async exec =>
        {
            await exec.SendAsync(1, Stack());
            await exec.SendTrailerAsync(missing: Stack().Length);
            await exec.ReadFrameAsync();
        }),
        Answered("neither status nor trailer", Causes.OutcomeUnknown, MayBeRunning, exec => exec.SendCloseAsync()),
        Answered("a status that is none", Causes.OutcomeUnknown, MayBeRunning, async exec =>
        {
            await exec.SendStatusAsync("{\"status\":{\"a\":1,\"a\":2}}");
            await exec.SendCloseAsync();
        }),
        Answered("a text message", Causes.ProtocolError, Unknown, async exec =>
        {
            await exec.Connection.WriteFrameAsync("hello"u8.ToArray(), opcode: 1);
            await exec.ReadFrameAsync();
        }),
        Answered("an unknown channel", Causes.ProtocolError, Unknown, async exec =>
        {
            await exec.SendAsync(9, [1]);
            await exec.ReadFrameAsync();
        }),
        Answered("words that are no frame", Causes.ProtocolError, Unknown, async exec =>
        {
            await exec.SendAsync(1, "Python 3.13.5 on linux\n"u8.ToArray());
            await exec.ReadFrameAsync();
        }),
        Answered("a frame of 2 GiB", Causes.ProtocolError, Unknown, async exec =>
        {
            await exec.SendAsync(1, [0x7f, 0xff, 0xff, 0xff, (byte)'R']);
            await exec.ReadFrameAsync();
        }),
        Answered("base64 instead of bytes", Causes.ProtocolError, Unknown, async exec =>
        {
            await exec.SendAsync(1, Encoding.ASCII.GetBytes(Convert.ToBase64String(Stack())));
            await exec.ReadFrameAsync();
        }),
        Answered("an exit code without a trailer", Causes.OutcomeUnknown, Stopped, async exec =>
        {
            await exec.SendStatusAsync(
                "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
                + "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"42\"}]}}");
            await exec.SendCloseAsync();
        }),
        Answered("a failure that it tells", AgentCause.PtraceDenied, Stopped, async exec =>
        {
            await exec.SendFrameAsync('E', new JsonObject { ["cause"] = "PtraceDenied", ["message"] = "not allowed" });
            await exec.FinishAsync(1);
        }),
    ];

    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public FaultTests()
    {
        _shell = new(_cluster);
        _cluster.Add(new JsonObject { ["name"] = "pydebug-abcde" }, FakeCluster.Running());
        _shell["s"] = new PodDebugSession
        {
            Namespace = "shop", PodName = "web-0", ContainerName = "app", DebugContainer = "pydebug-abcde",
            PodUid = "uid-1",
            Python = "/usr/bin/python3", TargetContainerId = "containerd://aaaa", IsVerified = true,
            Connection = new ConnectionSettings
            {
                Server = _cluster.Address,
                AccessToken = Secrets.Token,
                CertificateAuthorityData = TestCertificates.Shared.AuthorityData,
                Clock = _cluster.Clock,
            },
        };
    }

    public static TheoryData<string, bool> Faults
    {
        get
        {
            TheoryData<string, bool> data = [];
            foreach (Fault fault in All)
            {
                data.Add(fault.Name, false);
                if (fault.Exec is not null)
                {
                    data.Add(fault.Name, true);
                }
            }

            return data;
        }
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_fault_has_its_id_and_says_what_is_left(string name, bool fifth)
    {
        Fault fault = All.Single(f => f.Name == name);
        _cluster.Before = async (request, connection) =>
        {
            if (!request.IsExec)
            {
                return false;
            }

            if (fifth && request.Headers["sec-websocket-protocol"] == "v4.channel.k8s.io")
            {
                await connection.RespondAsync(400, "unable to upgrade: unable to negotiate protocol");
                return true;
            }

            await (fault.Upgrade?.Invoke(request, connection) ?? Task.CompletedTask);
            return fault.Upgrade is not null;
        };
        _cluster.Exec = fault.Exec ?? (_ => Task.CompletedTask);

        ErrorRecord error = await FailAsync("$s | Get-PyStack -TimeoutSeconds 20 -Verbose -Debug");

        Assert.Equal(
            $"{ErrorTable.Find(fault.Cause).Id},PyDebug.Commands.GetPyStackCommand", error.FullyQualifiedErrorId);
        PyDebugException e = Assert.IsType<PyDebugException>(error.Exception);
        Assert.Equal((fault.Phase, fault.RemoteState, fault.Again), (e.Phase, e.RemoteState, e.IsRetryable));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_with_its_trailer_counts_though_no_status_comes(bool reset)
    {
        _cluster.Exec = async exec =>
        {
            await exec.BootAsync();
            await exec.HelloAsync();
            await exec.SendTrailerAsync();
            await exec.ReadFrameAsync();
            await (reset ? Reset(exec.Connection) : exec.SendCloseAsync());
        };

        await _shell.RunAsync("$s | Get-PyStack");

        Assert.Empty(_shell.Errors);
    }

    [Fact]
    public async Task A_wrong_address_is_told_with_nothing_of_the_token()
    {
        _cluster.Before = (_, connection) => Reset(connection).ContinueWith(_ => true, TaskScheduler.Default);

        ErrorRecord error = await FailAsync("$s | Get-PyStack -Verbose -Debug");

        Assert.StartsWith("ConnectionFailed,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.InRange(_cluster.Clock.Waited, TimeSpan.Zero, Patience.Unheard);
    }

    private static Fault Refused(int code, string cause, bool again)
        => new($"HTTP {code}", cause, Phases.Connect, NotStarted, again)
        {
            Upgrade = (_, connection) => connection.RespondAsync(
                code, FakeConnection.Status(code, "Reason", "these are the words"), "Retry-After: 3"),
        };

    private static Fault Answered(
        string name, string cause, string state, Func<FakeExec, Task> exec, bool hello = true)
        => new(name, cause, Phases.Run, state, cause is Causes.OutcomeUnknown or Causes.ConnectionFailed)
        {
            Exec = async far =>
            {
                await far.BootAsync();
                if (hello)
                {
                    await far.HelloAsync();
                }

                await exec(far);
            },
        };

    private static byte[] Stack() => FakeExec.Frame('R', "{\"kind\":\"stack\",\"pid\":1,\"threads\":[]}"u8.ToArray());

    private static Task Reset(FakeConnection connection)
    {
        connection.Reset();
        return Task.CompletedTask;
    }

    /// <summary>Runs a script that writes one error, and looks through all that it writes, also as CLIXML.</summary>
    private async Task<ErrorRecord> FailAsync(string script)
    {
        IReadOnlyList<PSObject> output = await _shell.RunAsync("& { " + script + " } *>&1");
        foreach (PSObject one in output)
        {
            string properties = string.Join(
                '\n', one.Properties.OfType<PSProperty>().Select(p => $"{p.Name} {p.Value}"));
            string exception = $"{(one.BaseObject as ErrorRecord)?.Exception}";
            foreach (string text in new[] { $"{one} "
                + $"{one.BaseObject}", properties, exception, PSSerializer.Serialize(one, 5) })
            {
                Assert.DoesNotContain(Secrets.Canary, text, StringComparison.Ordinal);
            }
        }

        return Assert.Single(output.Select(o => o.BaseObject).OfType<ErrorRecord>());
    }

    internal sealed record Fault(string Name, string Cause, string Phase, string RemoteState, bool Again)
    {
        public Func<FakeRequest, FakeConnection, Task>? Upgrade { get; init; }

        public Func<FakeExec, Task>? Exec { get; init; }
    }
}
