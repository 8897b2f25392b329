using System;
using System.Collections.Generic;
using System.IO;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Node;

namespace PyDebug.Sandbox.Api;

/// <summary>A container's own process, its streams on a WebSocket from now on.</summary>
internal sealed class AttachSession(
    ChannelSocket channels, RunningContainer container, ContainerLog log, ExecStreams streams)
{
    public async Task RunAsync(CancellationToken stop)
    {
        Task receiving = channels.ReceiveAsync(streams.Input ? container.Input : null);
        long next = log.Read(long.MaxValue).Next;
        try
        {
            while (true)
            {
                (IReadOnlyList<LogLine> lines, next, bool ended, Task changed) = log.Read(next);
                foreach (LogLine line in lines)
                {
                    bool output = line.Stream == "stdout" || streams.Terminal;
                    if (output ? streams.Output : streams.Error)
                    {
                        await channels.SendAsync((byte)(output ? 1 : 2), line.Bytes).ConfigureAwait(false);
                    }
                }

                if (ended)
                {
                    break;
                }

                await changed.WaitAsync(stop).ConfigureAwait(false);
            }

            (int code, string _) = await container.Ended.ConfigureAwait(false);
            await channels.FinishAsync(ExecStatus.Ended(code, null)).ConfigureAwait(false);
            await Task.WhenAny(receiving, Task.Delay(TimeSpan.FromSeconds(5), stop)).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is WebSocketException or OperationCanceledException or IOException)
        {
        }
    }
}
