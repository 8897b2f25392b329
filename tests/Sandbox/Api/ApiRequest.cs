using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>One request to a resource, taken apart as the API server's request info does.</summary>
internal sealed class ApiRequest
{
    private ApiRequest(HttpContext context)
    {
        Context = context;
    }

    public HttpContext Context { get; }

    public string Group { get; private init; } = "";

    public string Resource { get; private init; } = "";

    public string Subresource { get; private init; } = "";

    public string Namespace { get; private init; } = "";

    public string Name { get; private init; } = "";

    /// <summary>get, list, watch, create, update, patch, delete or deletecollection.</summary>
    public string Verb { get; private init; } = "";

    public bool DryRun => Context.Request.Query["dryRun"].Contains("All");

    /// <summary>The resource with its subresource, as RBAC writes it.</summary>
    public string FullResource => Subresource.Length > 0 ? Resource + "/" + Subresource : Resource;

    public string? Query(string name) => Context.Request.Query[name].FirstOrDefault();

    public bool Flag(string name) => Query(name) is "true" or "1" or "t" or "T" or "True" or "TRUE";

    public long? Number(string name) => long.TryParse(Query(name), out long number) ? number : null;

    /// <summary>Takes a path apart; null where it is no resource path.</summary>
    public static ApiRequest? Parse(HttpContext context)
    {
        string[] parts = (context.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        string group = "";
        string[] rest;
        if (parts is ["api", "v1", ..])
        {
            rest = parts[2..];
        }
        else if (parts is ["apis", _, "v1", ..])
        {
            group = parts[1];
            rest = parts[3..];
        }
        else
        {
            return null;
        }

        string space = "";
        if (rest is ["namespaces", _, not ("status" or "finalize"), ..])
        {
            space = rest[1];
            rest = rest[2..];
        }

        if (rest.Length is 0 or > 3)
        {
            return null;
        }

        string name = rest.Length > 1 ? rest[1] : "";
        return new ApiRequest(context)
        {
            Group = group,
            Namespace = rest[0] == "namespaces" ? name : space,
            Resource = rest[0],
            Name = name,
            Subresource = rest.Length > 2 ? rest[2] : "",
            Verb = VerbOf(context.Request, name),
        };
    }

    /// <summary>The body as a JSON object.</summary>
    public async Task<JsonObject> ReadAsync() =>
        await ReadNodeAsync().ConfigureAwait(false) as JsonObject
            ?? throw ApiException.BadRequest("the object provided is unrecognized (must be of type Object)");

    public async Task<JsonNode?> ReadNodeAsync()
    {
        using MemoryStream body = new();
        await Context.Request.Body.CopyToAsync(body, Context.RequestAborted).ConfigureAwait(false);
        if (Context.Request.ContentType == ProtobufBody.ContentType)
        {
            return ProtobufBody.Decode(body.ToArray());
        }

        try
        {
            return body.Length == 0 ? null : JsonNode.Parse(body.ToArray());
        }
        catch (JsonException)
        {
            throw ApiException.BadRequest(
                "the object provided is unrecognized (must be of type Object): couldn't get version/kind; "
                + "json parse error");
        }
    }

    public Task WriteAsync(JsonNode body, int code = 200) => WriteAsync(Context, body, code);

    public static async Task WriteAsync(HttpContext context, JsonNode body, int code = 200)
    {
        byte[] bytes = body.ToBytes();
        context.Response.StatusCode = code;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    private static string VerbOf(HttpRequest request, string name) => request.Method switch
    {
        "GET" or "HEAD" when IsWatch(request) => "watch",
        "GET" or "HEAD" => name.Length > 0 ? "get" : "list",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => name.Length > 0 ? "delete" : "deletecollection",
        _ => "",
    };

    private static bool IsWatch(HttpRequest request) =>
        request.Query["watch"].FirstOrDefault() is "true" or "1" or "t" or "T" or "True" or "TRUE";
}
