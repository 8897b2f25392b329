using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;

namespace PyDebug.Engine;

/// <summary>
/// What one run of a login helper gave, for all commands of a pipeline: they follow each other at once, with the same
/// helper, arguments and environment. Who comes later logs in anew, as who is logged in may have changed.
/// </summary>
internal sealed class SharedLogin
{
    private static readonly TimeSpan s_gap = TimeSpan.FromSeconds(10);
    private static readonly Dictionary<string, SharedLogin> s_logins = [];

    private readonly string _key;
    private int _users;
    private long _leftAt;

    private SharedLogin(string key) => _key = key;

    /// <summary>Lets one at a time run the helper.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>What the helper gave last; to be read and written with <see cref="Gate"/>.</summary>
    public Credential? Current { get; set; }

    /// <summary>Joins the commands that use a helper, or is the first.</summary>
    public static SharedLogin Join(ExecPlugin plugin)
    {
        string key = Key(plugin);
        lock (s_logins)
        {
            foreach (SharedLogin old in s_logins.Values.Where(l => l.IsOver).ToList())
            {
                s_logins.Remove(old._key);
            }

            if (!s_logins.TryGetValue(key, out SharedLogin? login))
            {
                s_logins.Add(key, login = new SharedLogin(key));
            }

            login._users++;
            return login;
        }
    }

    /// <summary>Ends the use by one command.</summary>
    public void Leave()
    {
        lock (s_logins)
        {
            _users--;
            _leftAt = Environment.TickCount64;
        }
    }

    private bool IsOver => _users == 0 && Environment.TickCount64 - _leftAt > s_gap.TotalMilliseconds;

    private static string Key(ExecPlugin plugin)
    {
        JsonObject all = new()
        {
            ["command"] = plugin.Command,
            ["version"] = plugin.ApiVersion,
            ["arguments"] = new JsonArray([.. plugin.Arguments.Select(a => (JsonNode)a)]),
            ["own"] = new JsonArray([.. plugin.Environment.Select(e => (JsonNode)$"{e.Key}={e.Value}")]),
            ["cluster"] = plugin.Cluster?.DeepClone(),
            ["environment"] = new JsonArray([.. Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
                .Select(e => $"{e.Key}={e.Value}").Order(StringComparer.Ordinal).Select(e => (JsonNode)e)]),
            ["folder"] = Environment.CurrentDirectory,
        };
        return Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(all.ToJsonString())));
    }
}
