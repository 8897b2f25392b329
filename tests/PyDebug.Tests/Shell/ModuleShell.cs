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

    private IReadOnlyList<ErrorRecord> _errors = [];

    private bool _unseen;

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

    /// <summary>What the last script wrote. A test that does not look at them claims that there are none.</summary>
    public IReadOnlyList<ErrorRecord> Errors
    {
        get
        {
            _unseen = false;
            return _errors;
        }
    }

    public IReadOnlyList<string> Warnings { get; private set; } = [];

    public IReadOnlyList<string> Verbose { get; private set; } = [];

    public object this[string name]
    {
        set => _runspace.SessionStateProxy.SetVariable(name, value);
    }

    public void Dispose()
    {
        _runspace.Dispose();
        AssertSeen();
    }

    /// <summary>Runs a script and gives its output; what else it wrote is in the lists.</summary>
    public async Task<IReadOnlyList<PSObject>> RunAsync(string script)
    {
        AssertSeen();
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

        _errors = [.. shell.Streams.Error, .. ending];
        _unseen = _errors.Count > 0;
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

    private void AssertSeen()
    {
        if (_unseen)
        {
            _unseen = false;
            Xunit.Assert.Fail("A script wrote errors that the test did not expect: " + string.Join(" | ", _errors));
        }
    }
}
