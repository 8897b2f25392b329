using System;
using System.Collections.Generic;
using System.Management.Automation;
using System.Runtime.CompilerServices;
using System.Security;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Completion;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>Base of cmdlets that talk to a Kubernetes API server: how it is reached.</summary>
public abstract class KubernetesCommandBase : AsyncCommandBase
{
    private ConnectionSettings? _named;

    /// <summary>
    /// A kubeconfig file. Without it kubectl's rules hold: the files in <c>$env:KUBECONFIG</c>, <c>~/.kube/config</c>,
    /// or the service account of the pod that this runs in.
    /// </summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [Alias("KubeconfigPath")]
    public string? Kubeconfig { get; set; }

    /// <summary>A context of the kubeconfig instead of its current one.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(ContextCompleter))]
    public string? Context { get; set; }

    /// <summary>The API server's address, to connect without a kubeconfig.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [Alias("ApiServer")]
    public string? Server { get; set; }

    /// <summary>A bearer token for <c>-Server</c>, or instead of the kubeconfig's own user.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? AccessToken { get; set; }

    /// <summary>The server's certificate authority: PEM, or base64 of it as a kubeconfig has it.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CertificateAuthorityData { get; set; }

    /// <summary>The way to the server that the parameters name; null where none of them was given.</summary>
    private protected ConnectionSettings? Named => _named;

    /// <summary>The parameters' way to the server, or the one that kubectl would take.</summary>
    private protected ConnectionSettings Settings => _named ?? ConnectionSettings.Default;

    /// <summary>Reads the connection parameters.</summary>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (Kubeconfig is null && Context is null && Server is null && AccessToken is null
            && CertificateAuthorityData is null)
        {
            return;
        }

        string? kubeconfig = null;
        try
        {
            CheckConnection();
            kubeconfig = Kubeconfig is null ? null : LocalPath.Full(this, Kubeconfig, Causes.KubeconfigInvalid);
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
        }

        _named = new ConnectionSettings
        {
            Kubeconfig = kubeconfig,
            Context = Context,
            Server = Server,
            AccessToken = AccessToken,
            CertificateAuthorityData = CertificateAuthorityData,
        };
        try
        {
            CheckWay(_named);
        }
        catch (Exception e)
        {
            ThrowTerminatingError(ErrorFactory.From(e, target: null).ErrorRecord);
        }
    }

    /// <summary>Whether each request is told: what nobody reads costs time for each.</summary>
    private bool IsVerbose
        => MyInvocation.BoundParameters.TryGetValue("Verbose", out object? verbose)
            ? verbose is SwitchParameter { IsPresent: true }
            : SessionState.PSVariable.GetValue("VerbosePreference") is ActionPreference preference
                && preference != ActionPreference.SilentlyContinue;

    /// <summary>Runs work that may open connections; they are closed when it ends.</summary>
    private protected void RunConnected(Func<GatewayPool, PipelineWriter, CancellationToken, Task> work)
    {
        string cmdlet = MyInvocation.MyCommand.Name;
        bool isVerbose = IsVerbose;
        Run(async (writer, ct) =>
        {
            TeamPolicy policy = TeamPolicy.Installed();
            policy.CheckCmdlet(cmdlet);
            using GatewayPool gateways = new(writer.Warn, writer.Tell, policy, isVerbose ? writer.Tell : null);
            await work(gateways, writer, ct).ConfigureAwait(false);
        });
    }

    /// <summary>Does the work for every item, some side by side. One that fails is reported, and that is all.</summary>
    private protected static Task ForEachAsync<T>(
        IEnumerable<T> items,
        int throttleLimit,
        PipelineWriter writer,
        Func<T, PodTarget?> target,
        Func<T, CancellationToken, Task> work,
        CancellationToken ct)
    {
        ParallelOptions options = new() { MaxDegreeOfParallelism = throttleLimit, CancellationToken = ct };
        return Parallel.ForEachAsync(items, options, async (item, stop) =>
        {
            try
            {
                await work(item, stop).ConfigureAwait(false);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                ErrorRecord error = ErrorFactory.From(e, target(item)).ErrorRecord;
                await writer.WriteErrorAsync(error, ct).ConfigureAwait(false);
            }
        });
    }

    /// <summary>Ends the cmdlet over parameters that do not go together, before anything is sent.</summary>
    private protected void Refuse(string message, string advice)
        => ThrowTerminatingError(ErrorFactory.Local(
            LocalCause.ParameterInvalid,
            message,
            detail: new Dictionary<string, string> { ["advice"] = advice }).ErrorRecord);

    /// <summary>Apart, since it wants the engine: what tells that there is none must do without.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CheckWay(ConnectionSettings settings) => GatewayPool.Check(settings);

    private void CheckConnection()
    {
        if (Server is not null && (Kubeconfig is not null || Context is not null))
        {
            throw ErrorFactory.Local(
                LocalCause.ParameterInvalid,
                "-Server cannot be combined with -Kubeconfig or -Context.",
                detail: new Dictionary<string, string> { ["advice"] = "Name the server in one way." });
        }
    }
}
