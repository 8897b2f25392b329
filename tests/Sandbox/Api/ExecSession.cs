using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Node;

namespace PyDebug.Sandbox.Api;

/// <summary>One process in a container, its streams on a WebSocket.</summary>
internal sealed class ExecSession(
    NodeContext node, ChannelSocket channels, string container, IReadOnlyList<string> command, ExecStreams streams,
    bool translated)
{
    private const byte Output = 1;
    private const byte Error = 2;

    public async Task RunAsync(CancellationToken stop)
    {
        string id = RunningContainer.NewId();
        string home = node.ContainerHome(container);
        string pidFile = Path.Combine(home, id + ".pid");
        string log = Path.Combine(home, id + ".log");

        // Go's server sends an empty message on the lowest channel it writes to, and clients have come to expect it.
        await channels.SendAsync(streams.Output ? Output : Error, ReadOnlyMemory<byte>.Empty).ConfigureAwait(false);
        using Process process = node.Runc.Exec(container, command, pidFile, log);
        Task receiving = channels.ReceiveAsync(streams.Input ? process.StandardInput.BaseStream : null);
        if (!streams.Input)
        {
            process.StandardInput.Close();
        }

        int? pid = await RunningContainer.WaitForPidAsync(process, pidFile).ConfigureAwait(false);
        if (pid is null)
        {
            string why = Runc.LastError(log) ?? await process.StandardError.ReadToEndAsync(stop).ConfigureAwait(false);
            Remove(pidFile, log);
            why = command.Count == 0 ? "exec failed: args must not be empty" : why.Trim();
            JsonObject failed = ExecStatus.Failed(
                $"failed to start exec \"{id}\": OCI runtime exec failed: {why}", translated);
            await FinishAsync(failed, receiving).ConfigureAwait(false);
            return;
        }

        Remove(pidFile, log);
        byte error = streams.Terminal ? Output : Error;
        Task pumping = Task.WhenAll(
            Pump(process.StandardOutput.BaseStream, Output, streams.Output),
            Pump(process.StandardError.BaseStream, error, streams.Error || streams.Terminal));
        await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        await pumping.ConfigureAwait(false);
        JsonObject ended = ExecStatus.Ended(process.ExitCode, translated ? null : command);
        await FinishAsync(ended, receiving).ConfigureAwait(false);
    }

    private Task Pump(Stream source, byte channel, bool wanted) =>
        wanted ? channels.PumpAsync(source, channel) : source.CopyToAsync(Stream.Null);

    private async Task FinishAsync(JsonObject status, Task receiving)
    {
        await channels.FinishAsync(status).ConfigureAwait(false);
        await Task.WhenAny(receiving, Task.Delay(TimeSpan.FromSeconds(5))).ConfigureAwait(false);
    }

    private static void Remove(params IEnumerable<string> files)
    {
        foreach (string file in files)
        {
            try
            {
                File.Delete(file);
            }
            catch (DirectoryNotFoundException)
            {
                // The container ended meanwhile and took its home with it.
            }
        }
    }
}
