using System;
using System.Collections;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Runtime.CompilerServices;
using System.Security;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Engine;

namespace PyDebug.Completion;

/// <summary>
/// Completes names that the API server knows. Takes two seconds at most; whatever goes wrong, it offers nothing and
/// says nothing.
/// </summary>
internal abstract class LiveCompleter : IArgumentCompleter
{
    private const int MostOffers = 200;

    private const int MostKnown = 100;

    private static readonly string[] s_way = ["Kubeconfig", "KubeconfigPath", "Context", "Server", "ApiServer"];

    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(30);

    private static readonly ConcurrentDictionary<string, (long At, IReadOnlyList<Offer> Offers)> s_known = new();

    private static readonly ConcurrentDictionary<string, long> s_dead = new();

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = wordToComplete.Trim('\'', '"');
        ParameterName = parameterName;
        try
        {
            Prepare(commandAst, fakeBoundParameters);
            return
            [
                .. Known(fakeBoundParameters)
                    .Where(o => o.Name.StartsWith(word, StringComparison.OrdinalIgnoreCase) && IsPlain(o.Name))
                    .DistinctBy(o => o.Name)
                    .Take(MostOffers)
                    .Select(o => new CompletionResult(
                        o.Name, o.Name, CompletionResultType.ParameterValue, Internal.SafeText.Line(o.Tip, 200))),
            ];
        }
        catch (Exception)
        {
            return [];
        }
    }

    /// <summary>How long whoever types waits at most; a test's server may be slower.</summary>
    internal static TimeSpan Limit { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>For how long names are taken to be as they were.</summary>
    internal static TimeSpan Fresh { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The parameter that is completed.</summary>
    private protected string ParameterName { get; private set; } = "";

    /// <summary>
    /// The names as they are now, or as they were a moment ago. A server that does not answer is left alone for a
    /// while, and what it said last stands in for it.
    /// </summary>
    private IReadOnlyList<Offer> Known(IDictionary parameters)
    {
        string server = Way(parameters);
        string key = string.Join(
            '|', GetType().Name, ParameterName, server, Text(parameters, "Namespace", "Ns", "n"), Text(
                parameters, "PodName", "Name", "Pod"));
        long now = Environment.TickCount64;
        s_known.TryGetValue(key, out (long At, IReadOnlyList<Offer> Offers) last);
        bool isFresh = last.Offers is not null && now - last.At < Fresh.TotalMilliseconds;
        bool isDead = s_dead.TryGetValue(server, out long since) && now - since < s_rest.TotalMilliseconds;
        if (isFresh || isDead)
        {
            return last.Offers ?? [];
        }

        CancellationTokenSource cancel = new(Limit);
        Task<IReadOnlyList<Offer>> work = Task.Run(() => AskAsync(parameters, cancel.Token), cancel.Token);
        try
        {
            if (work.Wait(Limit))
            {
                s_dead.TryRemove(server, out _);
                if (s_known.Count >= MostKnown)
                {
                    s_known.Clear();
                }

                s_known[key] = (now, work.Result);
                return work.Result;
            }
        }
        catch (AggregateException e) when (e.InnerException is EngineException { Cause: Causes.Forbidden })
        {
            // It answers, and says no.
            return [];
        }
        catch (AggregateException)
        {
            // What went wrong is told by the cmdlet, not while somebody types.
        }

        s_dead[server] = now;
        return last.Offers ?? [];
    }

    /// <summary>Looks at what was typed, on the console's own thread.</summary>
    private protected virtual void Prepare(CommandAst? command, IDictionary parameters)
    {
    }

    /// <summary>Tells who is asked from every other.</summary>
    private protected virtual string Way(IDictionary parameters)
        => string.Join('|', s_way.Select(n => Text(parameters, n)))
            + (parameters["AccessToken"] is SecureString token ? RuntimeHelpers.GetHashCode(token) : 0);

    /// <summary>Asks for the names.</summary>
    private protected abstract Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct);

    /// <summary>The kubeconfig that was typed already: nothing has resolved it yet.</summary>
    internal static string? FileIn(IDictionary parameters)
        => Text(parameters, "Kubeconfig", "KubeconfigPath") is string path
            && path.StartsWith("~/", StringComparison.Ordinal)
            ? System.IO.Path.Join(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), path[2..])
            : Text(parameters, "Kubeconfig", "KubeconfigPath");

    /// <summary>A parameter that was typed already, or null.</summary>
    private protected static string? Text(IDictionary parameters, params string[] names)
        => names.Select(n => parameters[n]).OfType<object>().Select(v => v.ToString()).FirstOrDefault();

    /// <summary>The way to the server that was typed.</summary>
    private protected static ConnectionSettings Settings(IDictionary parameters) => new()
    {
        Kubeconfig = FileIn(parameters),
        Context = Text(parameters, "Context"),
        Server = Text(parameters, "Server", "ApiServer"),
        AccessToken = parameters["AccessToken"] as SecureString,
        CertificateAuthorityData = Text(parameters, "CertificateAuthorityData"),
    };

    private protected virtual async Task<IReadOnlyList<Offer>> AskAsync(IDictionary parameters, CancellationToken ct)
    {
        using GatewayPool gateways = new(_ => { });
        return await AskAsync(gateways.Get(Settings(parameters)), parameters, ct).ConfigureAwait(false);
    }

    /// <summary>Whether a name can be typed without quotes. Names of Kubernetes can.</summary>
    private protected virtual bool IsPlain(string name)
        => name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.');

    /// <summary>A name to offer, and what is shown beside it.</summary>
    private protected sealed record Offer(string Name, string Tip);
}
