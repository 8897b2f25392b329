using System;
using System.Collections.Generic;

namespace PyDebug.Engine;

/// <summary>Gives a refused request its cause and its sentence.</summary>
internal static class ApiErrors
{
    /// <summary>The detail of a time-out that no parameter lengthens.</summary>
    public static readonly Dictionary<string, string> FixedLimit = new() { ["limit"] = "fixed" };

    /// <summary>The failure of <paramref name="doing"/> (as in "read pod 'shop/web'").</summary>
    public static EngineException From(ApiStatus status, string doing)
        => status.Code switch
        {
            401 => Make(Causes.Unauthorized, status, $"The server does not accept the credentials (to {doing})."),
            403 => Make(
                Causes.Forbidden, status, $"The server does not allow to {doing}.", MissingRight.Read(status.Message)),
            404 when status.Kind == "namespaces" => Make(
                Causes.NamespaceNotFound, status, $"There is no namespace '{status.Name}'."),
            404 when status.Kind == "pods" && !string.IsNullOrEmpty(status.Name) => Make(
                Causes.PodNotFound, status, $"There is no pod '{status.Name}' (to {doing})."),
            429 or 503 or 504 => Make(
                Causes.RequestFailed, status, $"The server is too busy to {doing} (HTTP {status.Code})."),
            502 => Make(
                Causes.RequestFailed, status, $"Something on the way does not reach the server to {doing} (HTTP 502)."),
            _ => Make(Causes.RequestFailed, status, $"The server could not {doing} (HTTP {status.Code})."),
        };

    public static EngineException Make(
        string cause, ApiStatus status, string message, Dictionary<string, string>? detail = null)
    {
        detail ??= [];
        if (status.Fields.Count > 0)
        {
            detail["fields"] = string.Join("; ", status.Fields);
        }

        return new EngineException(cause, message)
        {
            StatusCode = status.Code,
            Reason = status.Reason,
            ServerMessage = status.Message,
            Detail = detail,
            Retryable = IsTransient(status.Code),
            RetryAfter = status.RetryAfter,
        };
    }

    public static bool IsTransient(int code) => code is 429 or 500 or 502 or 503 or 504;
}
