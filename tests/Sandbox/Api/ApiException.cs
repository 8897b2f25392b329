using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Api;

/// <summary>A failure the API answers with: becomes a v1.Status.</summary>
internal sealed class ApiException(int code, string reason, string message, JsonObject? details = null)
    : Exception(message)
{
    public int Code { get; } = code;

    public string Reason { get; } = reason;

    public static ApiException NotFound(string resource, string name) => new(
        404, "NotFound", $"{resource} \"{name}\" not found", new JsonObject { ["name"] = name, ["kind"] = resource });

    /// <summary>A path or subresource this server does not have: 404 without a name in its details.</summary>
    public static ApiException NoSuchResource() => new(
        404, "NotFound", "the server could not find the requested resource", []);

    public static ApiException MethodNotAllowed() => new(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", []);

    public static ApiException AlreadyExists(string resource, string name, string before = "") => new(
        409, "AlreadyExists", $"{before}{resource} \"{name}\" already exists",
        new JsonObject { ["name"] = name, ["kind"] = resource });

    public static ApiException Conflict(string resource, string name, string why) => new(
        409, "Conflict", $"Operation cannot be fulfilled on {resource} \"{name}\": {why}",
        new JsonObject { ["name"] = name, ["kind"] = resource });

    public static ApiException BadRequest(string message) => new(400, "BadRequest", message);

    public static ApiException Internal(string message) => new(
        500, "InternalError", "Internal error occurred: " + message,
        new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) });

    public static ApiException Forbidden(string resource, string name, string why) => new(
        403, "Forbidden",
        name.Length == 0 ? $"{resource} is forbidden: {why}" : $"{resource} \"{name}\" is forbidden: {why}",
        name.Length == 0
            ? new JsonObject { ["kind"] = resource }
            : new JsonObject { ["name"] = name, ["kind"] = resource });

    public static ApiException Expired(long wanted, long oldest) => new(
        410, "Expired", $"too old resource version: {wanted} ({oldest})");

    /// <summary>422 with a cause for each field, in the form of the API server.</summary>
    public static ApiException Invalid(string kind, string name, IReadOnlyList<FieldError> errors)
    {
        string list = errors.Count == 1 ? errors[0].ToString() : "[" + string.Join(", ", errors) + "]";
        JsonArray causes = new([.. errors.Select(error => (JsonNode)new JsonObject
        {
            ["reason"] = error.Type, ["message"] = error.Body, ["field"] = error.Field,
        })]);
        return new ApiException(422, "Invalid", $"{kind} \"{name}\" is invalid: {list}",
            new JsonObject { ["name"] = name, ["kind"] = kind, ["causes"] = causes });
    }

    /// <summary>The v1.Status this failure is answered with.</summary>
    public JsonObject ToStatus()
    {
        JsonObject status = new()
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = Message,
            ["reason"] = Reason,
        };
        if (details is not null)
        {
            status["details"] = details.DeepClone();
        }

        status["code"] = Code;
        return status;
    }
}
