using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
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

    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = wordToComplete.Trim('\'', '"');
        try
        {
            CancellationTokenSource cancel = new(s_limit);
            Task<IReadOnlyList<Offer>> work = Task.Run(() => AskAsync(fakeBoundParameters, cancel.Token), cancel.Token);
            if (!work.Wait(s_limit))
            {
                return [];
            }

            return
            [
                .. work.Result
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

    /// <summary>Asks for the names.</summary>
    private protected abstract Task<IReadOnlyList<Offer>> AskAsync(
        KubeGateway gateway,
        IDictionary parameters,
        CancellationToken ct);

    /// <summary>A parameter that was typed already, or null.</summary>
    private protected static string? Text(IDictionary parameters, params string[] names)
        => names.Select(n => parameters[n]).OfType<object>().Select(v => v.ToString()).FirstOrDefault();

    private async Task<IReadOnlyList<Offer>> AskAsync(IDictionary parameters, CancellationToken ct)
    {
        using GatewayPool gateways = new(_ => { });
        KubeGateway gateway = gateways.Get(new ConnectionSettings
        {
            Kubeconfig = Text(parameters, "Kubeconfig", "KubeconfigPath"),
            Context = Text(parameters, "Context"),
            Server = Text(parameters, "Server", "ApiServer"),
            AccessToken = parameters["AccessToken"] as SecureString,
            CertificateAuthorityData = Text(parameters, "CertificateAuthorityData"),
        });
        return await AskAsync(gateway, parameters, ct).ConfigureAwait(false);
    }

    /// <summary>Whether a name can be typed without quotes. Kubernetes allows no others.</summary>
    private static bool IsPlain(string name) => name.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.');

    /// <summary>A name to offer, and what is shown beside it.</summary>
    private protected sealed record Offer(string Name, string Tip);
}
