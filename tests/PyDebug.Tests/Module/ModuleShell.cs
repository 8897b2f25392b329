using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Reflection;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Tests.Engine;

namespace PyDebug.Tests.Module;

/// <summary>
/// The module's cmdlets in a runspace, in front of a fake cluster: <c>@server</c> in a script leads there.
/// </summary>
internal sealed class ModuleShell : IDisposable
{
    private readonly Runspace _runspace;

    public ModuleShell(FakeCluster cluster)
    {
        InitialSessionState state = InitialSessionState.CreateDefault2();
        foreach (Type type in typeof(StartPodDebugCommand).Assembly.GetExportedTypes())
        {
            if (type.GetCustomAttribute<CmdletAttribute>() is CmdletAttribute cmdlet)
            {
                state.Commands.Add(new SessionStateCmdletEntry($"{cmdlet.VerbName}-{cmdlet.NounName}", type, null));
            }
        }

        _runspace = RunspaceFactory.CreateRunspace(state);
        _runspace.Open();
        _runspace.SessionStateProxy.SetVariable("server", new System.Collections.Hashtable
        {
            ["Server"] = cluster.Address,
            ["AccessToken"] = Secrets.Token,
            ["CertificateAuthorityData"] = TestCertificates.Shared.AuthorityData,
        });
    }

    public IReadOnlyList<ErrorRecord> Errors { get; private set; } = [];

    public IReadOnlyList<string> Warnings { get; private set; } = [];

    public IReadOnlyList<string> Verbose { get; private set; } = [];

    public object this[string name]
    {
        set => _runspace.SessionStateProxy.SetVariable(name, value);
    }

    public void Dispose() => _runspace.Dispose();

    /// <summary>Runs a script and gives its output; what else it wrote is in the lists.</summary>
    public async Task<IReadOnlyList<PSObject>> RunAsync(string script)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        List<PSObject> output = [];
        List<ErrorRecord> ending = [];
        try
        {
            output = [.. await shell.AddScript(script).InvokeAsync()];
        }
        catch (RuntimeException e)
        {
            // What ended it is told with the others.
            ending.Add(e.ErrorRecord);
        }

        Errors = [.. shell.Streams.Error, .. ending];
        Warnings = [.. shell.Streams.Warning.Select(w => w.Message)];
        Verbose = [.. shell.Streams.Verbose.Select(v => v.Message)];
        return output;
    }

    /// <summary>Runs a script that writes one error, and gives that.</summary>
    public async Task<ErrorRecord> FailAsync(string script)
    {
        await RunAsync(script);
        return Xunit.Assert.Single(Errors);
    }
}
