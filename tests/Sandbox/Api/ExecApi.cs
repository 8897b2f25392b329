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
        if (kubelet.Find(pod, name) is not { Current: RunningContainer container } runner)
        {
            await RefuseAsync(request.Context, 500, $"container not found (\"{name}\")").ConfigureAwait(false);
            return;
        }

        WebSocketManager sockets = request.Context.WebSockets;
        if (!sockets.IsWebSocketRequest)
        {
            throw ApiException.BadRequest("Upgrade request required");
        }

        if (!streams.Any)
        {
            const string Missing = "you must specify at least 1 of stdin, stdout, stderr";
            await RefuseAsync(request.Context, 400, Missing).ConfigureAwait(false);
            return;
        }

        string? protocol = sockets.WebSocketRequestedProtocols.FirstOrDefault(offer => offer is V4 or V5);
        if (protocol is null)
        {
            request.Context.Response.StatusCode = 403;
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
            await new ExecSession(kubelet.Node, channels, container.Id, command, streams, protocol == V5)
                .RunAsync(end.Token).ConfigureAwait(false);
        }
    }

    /// <summary>The kubelet's refusals are text: the API server passes them on as they are.</summary>
    private static async Task RefuseAsync(HttpContext context, int code, string message)
    {
        context.Response.StatusCode = code;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.ContentLength = message.Length;
        await context.Response.WriteAsync(message).ConfigureAwait(false);
    }
}
