using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>A patch of one of the three kinds, ready to be applied.</summary>
internal static class Patch
{
    private const string Strategic = "application/strategic-merge-patch+json";
    private const string Accepted = "application/json-patch+json, application/merge-patch+json, "
        + "application/strategic-merge-patch+json";

    public static bool IsStrategic(ApiRequest request) => TypeOf(request) == Strategic;

    /// <summary>Reads a request's patch. The function that is returned may change the object it is given.</summary>
    public static async Task<Func<JsonObject, JsonObject>> ReadAsync(ApiRequest request)
    {
        switch (TypeOf(request))
        {
            case Strategic:
                JsonObject strategic = await request.ReadAsync().ConfigureAwait(false);
                return target =>
                {
                    StrategicMerge.Apply(target, strategic);
                    return target;
                };
            case "application/merge-patch+json":
                JsonObject merge = await request.ReadAsync().ConfigureAwait(false);
                return target =>
                {
                    Merge(target, merge);
                    return target;
                };
            case "application/json-patch+json":
                IReadOnlyList<JsonObject> operations =
                    (await request.ReadNodeAsync().ConfigureAwait(false)).Items();
                return target => JsonPatch.Apply(target, operations);
            default:
                throw new ApiException(
                    415, "UnsupportedMediaType", "the body of the request was in an unknown format - "
                    + $"accepted media types include: {Accepted}");
        }
    }

    /// <summary>JSON merge patch (RFC 7386), in place.</summary>
    public static void Merge(JsonObject target, JsonObject patch)
    {
        foreach ((string name, JsonNode? value) in patch.ToList())
        {
            if (value is null)
            {
                target.Remove(name);
            }
            else if (value is JsonObject change)
            {
                Merge(target.Ensure(name), change);
            }
            else
            {
                target[name] = value.DeepClone();
            }
        }
    }

    private static string TypeOf(ApiRequest request) =>
        (request.Context.Request.ContentType ?? "").Split(';')[0].Trim();
}
