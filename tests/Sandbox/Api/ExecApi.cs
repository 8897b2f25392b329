using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>The <c>exec</c> and <c>attach</c> subresources over WebSocket.</summary>
internal sealed class ExecApi(ObjectStore store, Kubelet kubelet)
{
    private const string V4 = "v4.channel.k8s.io";
    private const string V5 = "v5.channel.k8s.io";

    public async Task ConnectAsync(ApiRequest request, CancellationToken stopping)
    {
        JsonObject pod = store.Get("pods", request.Namespace, request.Name);
        string name = ContainerLookup.Choose(pod, request.Query("container"));
        ContainerLookup.RequireNode(pod);
        ExecStreams streams = new(
            request.Flag("stdin"), request.Flag("stdout"), request.Flag("stderr"), request.Flag("tty"));
        IReadOnlyList<string> command = request.Context.Request.Query["command"].OfType<string>().ToList();
        if (!streams.Any)
        {
            throw ApiException.BadRequest("you must specify at least 1 of stdin, stdout, stderr");
        }

        if (request.Subresource == "exec" && command.Count == 0)
        {
            throw ApiException.BadRequest("you must specify command for pod exec");
        }

        string? protocol = request.Context.WebSockets.IsWebSocketRequest
            ? request.Context.WebSockets.WebSocketRequestedProtocols.FirstOrDefault(offer => offer is V4 or V5)
            : null;
        if (protocol is null)
        {
            throw ApiException.BadRequest("Upgrade request required");
        }

        ContainerRunner? runner = kubelet.Find(pod, name);
        if (runner?.Current is not RunningContainer container)
        {
            await RefuseAsync(request.Context, protocol, $"container not found (\"{name}\")").ConfigureAwait(false);
            return;
        }

        using WebSocket socket =
            await request.Context.WebSockets.AcceptWebSocketAsync(protocol).ConfigureAwait(false);
        using CancellationTokenSource end =
            CancellationTokenSource.CreateLinkedTokenSource(request.Context.RequestAborted, stopping);
        ChannelSocket channels = new(socket, protocol == V5, end.Token);
        if (request.Subresource == "attach")
        {
            await new AttachSession(channels, container, runner.Log!, streams).RunAsync(end.Token)
                .ConfigureAwait(false);
        }
        else
        {
            await new ExecSession(kubelet.Node, channels, container.Id, command, streams).RunAsync(end.Token)
                .ConfigureAwait(false);
        }
    }

    /// <summary>v4 goes to the kubelet, which answers in HTTP; v5 is upgraded before the kubelet is asked.</summary>
    private static async Task RefuseAsync(HttpContext context, string protocol, string message)
    {
        if (protocol == V4)
        {
            context.Response.StatusCode = 500;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync(message).ConfigureAwait(false);
            return;
        }

        using WebSocket socket = await context.WebSockets.AcceptWebSocketAsync(protocol).ConfigureAwait(false);
        ChannelSocket channels = new(socket, true, context.RequestAborted);
        await channels.FinishAsync(ExecStatus.Internal("unable to upgrade connection: " + message))
            .ConfigureAwait(false);
    }
}
