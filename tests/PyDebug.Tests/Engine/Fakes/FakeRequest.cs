using System;
using System.Collections.Generic;
using System.Collections.Specialized;
using System.Text.Json.Nodes;
using System.Web;

namespace PyDebug.Tests.Engine;

/// <summary>A request as the fake server got it.</summary>
internal sealed class FakeRequest
{
    public required string Method { get; init; }

    public required string Target { get; init; }

    public required Dictionary<string, string> Headers { get; init; }

    public byte[] Body { get; init; } = [];

    public string Path => Target.Split('?', 2)[0];

    public NameValueCollection Query
        => HttpUtility.ParseQueryString(Target.Contains('?') ? Target.Split('?', 2)[1] : "");

    public bool IsExec => Path.EndsWith("/exec", StringComparison.Ordinal);

    public string? Authorization => Headers.GetValueOrDefault("authorization");

    public JsonObject Json => JsonNode.Parse(Body)!.AsObject();
}
