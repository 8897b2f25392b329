using System;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>What py-spy saw nothing of is told of in words.</summary>
public sealed class PySpySilenceTests : IDisposable
{
    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public PySpySilenceTests()
    {
        FakePayload.WritePySpy();
        _shell = new(_cluster);
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
    }

    [Theory]
    [InlineData("", "[]", "py-spy saw no thread that runs Python")]
    [InlineData(
        "-Top -DurationSeconds 2",
        """{"profiles":[],"shared":{"frames":[]}}""",
        "interval 1: Process 1 was never sampled: it was idle. -IncludeIdle shows where it waits.")]
    public async Task Nothing_to_write_is_a_warning(string mode, string written, string warning)
    {
        _cluster.Exec = async exec =>
        {
            if ((await exec.BootAsync())["op"]!.ToString() == "probe")
            {
                await exec.HelloAsync();
                await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "probe", ["targetVisible"] = true });
                await exec.FinishAsync();
                return;
            }

            await exec.HelloAsync();
            byte[] file = Encoding.UTF8.GetBytes(written);
            for (int sequence = 0; sequence < 2; sequence++)
            {
                await exec.SendFrameAsync('R', new JsonObject
                {
                    ["kind"] = "tool", ["pid"] = 1, ["size"] = file.Length, ["sequence"] = sequence, ["seconds"] = 1.0,
                });
                await exec.SendFrameAsync('F', file);
                await exec.SendFrameAsync('R', new JsonObject
                {
                    ["kind"] = "fileEnd", ["sha256"] = Convert.ToHexStringLower(SHA256.HashData(file)),
                });
                if (mode.Length == 0)
                {
                    break;
                }
            }

            await exec.FinishAsync();
        };

        Assert.Empty(await _shell.RunAsync(
            $"Start-PodDebug web-0 -Namespace shop -ContainerName app @server | Invoke-PySpy {mode}"));

        Assert.Empty(_shell.Errors);
        Assert.Contains(
            warning, Assert.Single(_shell.Warnings, w => !w.Contains("memory limit")), StringComparison.Ordinal);
    }
}
