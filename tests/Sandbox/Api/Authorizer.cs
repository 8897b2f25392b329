using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Api;

/// <summary>Who may do what: bearer tokens, and rules in the manner of RBAC.</summary>
internal sealed class Authorizer(IReadOnlyList<User> users)
{
    public IReadOnlyList<User> Users { get; } = users;

    /// <summary>
    /// The administrator, and those of a policy file (<c>{"users":[{"name","rules":[...]}]}</c>) or, without one,
    /// <c>viewer</c>, who may look at pods, and <c>debugger</c>, who holds the Role in <c>deploy/role.yaml</c>.
    /// </summary>
    public static Authorizer Create(string? policyFile)
    {
        List<User> users = [User.Administrator(NewToken())];
        if (policyFile is null)
        {
            users.Add(new User("viewer", NewToken(), [User.Rule(["get", "list", "watch"], ["pods"])]));
            users.Add(new User("debugger", NewToken(),
            [
                User.Rule(["get", "list"], ["pods"]),
                User.Rule(["get", "patch"], ["pods/ephemeralcontainers"]),
                User.Rule(["get", "create"], ["pods/exec"]),
                User.Rule(["list"], ["events"]),
            ]));
            return new Authorizer(users);
        }

        foreach (JsonObject user in JsonNode.Parse(File.ReadAllText(policyFile)).Items("users"))
        {
            users.Add(new User(user.Text("name") ?? throw new InvalidDataException("a user of the policy has no name"),
                user.Text("token") ?? NewToken(), user.Items("rules")));
        }

        return new Authorizer(users);
    }

    /// <summary>The user of a request's bearer token, or null.</summary>
    public User? Authenticate(HttpRequest request)
    {
        string header = request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.Ordinal))
        {
            return null;
        }

        byte[] token = Encoding.UTF8.GetBytes(header[7..].Trim());
        return Users.FirstOrDefault(
            user => CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(user.Token), token));
    }

    /// <summary>Throws the API's 403 where the user may not.</summary>
    public static void Check(User user, ApiRequest request)
    {
        if (request.Group is "authorization.k8s.io" or "authentication.k8s.io")
        {
            return;
        }

        Check(user, request, request.Verb);
        if (request.Subresource is "exec" or "attach" or "portforward")
        {
            // Since 1.35 a WebSocket needs the right to create as well as that to get.
            Check(user, request, "create");
        }
    }

    private static void Check(User user, ApiRequest request, string verb)
    {
        if (user.May(verb, request.FullResource, request.Namespace))
        {
            return;
        }

        string scope = request.Namespace.Length > 0
            ? $"in the namespace \"{request.Namespace}\""
            : "at the cluster scope";
        throw ApiException.Forbidden(request.Resource, request.Name,
            $"User \"{user.Name}\" cannot {verb} resource \"{request.FullResource}\" in API group "
            + $"\"{request.Group}\" {scope}");
    }

    private static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
}
