using System;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>Serves the API over TLS on loopback.</summary>
internal sealed class ApiServer : IAsyncDisposable
{
    // An exec's command is in its URL, and Go's servers take a mebibyte of header.
    private const int LongestRequestLine = 1024 * 1024;

    private readonly WebApplication _application;
    private readonly Authorizer _authorizer;
    private readonly CollectionApi _collections;
    private readonly PodApi _pods;
    private readonly EphemeralApi _ephemeral;
    private readonly NamespaceApi _namespaces;
    private readonly LogApi _logs;
    private readonly ExecApi _exec;
    private readonly CancellationTokenSource _stopping = new();

    public ApiServer(ObjectStore store, Kubelet kubelet, Authorizer authorizer, X509Certificate2 certificate, int port)
    {
        _authorizer = authorizer;
        _collections = new CollectionApi(store);
        _pods = new PodApi(store, kubelet, new Scheduler());
        _ephemeral = new EphemeralApi(store, kubelet);
        _namespaces = new NamespaceApi(store, kubelet);
        _logs = new LogApi(store, kubelet);
        _exec = new ExecApi(store, kubelet);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, QuietLifetime>();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestLineSize = LongestRequestLine;
            kestrel.Limits.MaxRequestBufferSize = 2 * LongestRequestLine;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.UseHttps(certificate));
        });
        _application = builder.Build();
        _application.UseWebSockets(new WebSocketOptions { KeepAliveInterval = TimeSpan.Zero });
        _application.Run(HandleAsync);
    }

    /// <summary>Starts to listen and returns the server's address.</summary>
    public async Task<string> StartAsync()
    {
        await _application.StartAsync().ConfigureAwait(false);
        IServerAddressesFeature addresses = _application.Services.GetRequiredService<IServer>()
            .Features.Get<IServerAddressesFeature>() ?? throw new InvalidOperationException("no server addresses");
        return addresses.Addresses.First();
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        using CancellationTokenSource time = new(TimeSpan.FromSeconds(3));
        await _application.StopAsync(time.Token).ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        try
        {
            await RouteAsync(context).ConfigureAwait(false);
        }
        catch (ApiException failure)
        {
            await AnswerAsync(context, failure).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is OperationCanceledException or IOException)
        {
            // The client went away.
        }
        catch (Exception failure)
        {
            await Console.Error.WriteLineAsync(failure.ToString()).ConfigureAwait(false);
            await AnswerAsync(context, ApiException.Internal(failure.Message)).ConfigureAwait(false);
        }
    }

    private static async Task AnswerAsync(HttpContext context, ApiException failure)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        await ApiRequest.WriteAsync(context, failure.ToStatus(), failure.Code).ConfigureAwait(false);
    }

    private async Task RouteAsync(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "/";
        if (path is "/readyz" or "/livez" or "/healthz")
        {
            await context.Response.WriteAsync("ok").ConfigureAwait(false);
            return;
        }

        User user = _authorizer.Authenticate(context.Request)
            ?? throw new ApiException(401, "Unauthorized", "Unauthorized");
        if (context.Request.Method == "GET" && Discovery.Answer(path) is JsonNode answer)
        {
            await ApiRequest.WriteAsync(context, answer).ConfigureAwait(false);
            return;
        }

        ApiRequest request = ApiRequest.Parse(context) ?? throw ApiException.NoSuchResource();
        Authorizer.Check(user, request);
        if (request.Group.Length > 0)
        {
            bool known = request is
            {
                Verb: "create",
                Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews",
            } or
            {
                Verb: "create",
                Group: "authentication.k8s.io", Resource: "selfsubjectreviews",
            };
            await (known ? ReviewApi.CreateAsync(request, user) : throw ApiException.NoSuchResource())
                .ConfigureAwait(false);
            return;
        }

        await (request.Subresource.Length > 0 ? ServeSubresource(request) : ServeResource(request))
            .ConfigureAwait(false);
    }

    private Task ServeSubresource(ApiRequest request) => (request.Resource, request.Subresource, request.Verb) switch
    {
        ("pods", "ephemeralcontainers" or "status", "get") => _collections.GetAsync(request),
        ("pods", "ephemeralcontainers", "patch" or "update") => _ephemeral.ChangeAsync(request),
        ("pods", "exec" or "attach", "get" or "create") => _exec.ConnectAsync(request, _stopping.Token),
        ("pods", "log", "get") => _logs.GetAsync(request, _stopping.Token),
        ("pods", "ephemeralcontainers" or "status" or "exec" or "attach" or "log", _) =>
            throw ApiException.MethodNotAllowed(),
        _ => throw ApiException.NoSuchResource(),
    };

    private Task ServeResource(ApiRequest request) => (request.Resource, request.Verb) switch
    {
        ("pods" or "namespaces" or "events" or "nodes", "get") => _collections.GetAsync(request),
        ("pods" or "namespaces" or "events" or "nodes", "list") => _collections.ListAsync(request),
        ("pods" or "namespaces" or "events" or "nodes", "watch") => _collections.WatchAsync(request, _stopping.Token),
        ("pods", "create") when request.Namespace.Length > 0 => _pods.CreateAsync(request),
        ("pods", "patch" or "update") => _pods.PatchAsync(request),
        ("pods", "delete") => _pods.DeleteAsync(request),
        ("pods", "deletecollection") when request.Namespace.Length > 0 => _pods.DeleteCollectionAsync(request),
        ("namespaces", "create") => _namespaces.CreateAsync(request),
        ("namespaces", "patch") => _namespaces.PatchAsync(request),
        ("namespaces", "delete") => _namespaces.DeleteAsync(request),
        ("pods" or "namespaces" or "events" or "nodes", _) => throw ApiException.MethodNotAllowed(),
        _ => throw ApiException.NoSuchResource(),
    };
}
