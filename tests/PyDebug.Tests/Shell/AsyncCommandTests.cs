using System;
using System.Collections.ObjectModel;
using System.Diagnostics;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Threading;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class AsyncCommandTests : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private readonly Runspace _runspace;

    public AsyncCommandTests()
    {
        StreamingTestCommand.CleanedUp = 0;
        StreamingTestCommand.Started = false;
        InitialSessionState state = InitialSessionState.CreateDefault2();
        state.Commands.Add(new SessionStateCmdletEntry("Test-Streaming", typeof(StreamingTestCommand), null));
        _runspace = RunspaceFactory.CreateRunspace(state);
        _runspace.Open();
    }

    public void Dispose() => _runspace.Dispose();

    [Fact]
    public void All_objects_come_in_order()
        => Assert.Equal(Enumerable.Range(0, 5000), Invoke("Test-Streaming -Count 5000").Select(o => (int)o.BaseObject));

    [Fact]
    public void A_pipeline_that_ends_early_ends_the_work_and_waits_for_its_clean_up()
    {
        Collection<PSObject> output = Invoke(
            "do { Test-Streaming | & { process { $_; if ($_ -eq 2) { break } } } } while ($false)");
        Assert.Equal([0, 1, 2], output.Select(o => (int)o.BaseObject));
        Assert.Equal(1, StreamingTestCommand.CleanedUp);
    }

    [Fact]
    public void Error_action_stop_ends_the_work_and_waits_for_its_clean_up()
    {
        Collection<PSObject> output = Invoke(
            "try { Test-Streaming -Errors 1 -EA Stop } catch { $_.FullyQualifiedErrorId; $_.Exception.Message }");
        Assert.StartsWith("NoPython,", output[0].ToString(), StringComparison.Ordinal);
        Assert.StartsWith("No 0. Get-PyProcess lists", output[1].ToString(), StringComparison.Ordinal);
        Assert.Equal(1, StreamingTestCommand.CleanedUp);
    }

    [Fact]
    public void An_error_can_be_caught_by_its_type()
    {
        Collection<PSObject> output = Invoke(
            "try { Test-Streaming -Errors 1 -ErrorAction Stop } catch [PyDebug.PyDebugException] { 'caught' }");
        Assert.Equal("caught", output.Single().ToString());
    }

    [Theory]
    [InlineData("Test-Streaming | ForEach-Object { $_ }")]
    [InlineData("Test-Streaming -Silent")]
    public void Stop_ends_within_five_seconds_with_the_clean_up_done(string script)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        IAsyncResult running = shell.AddScript(script).BeginInvoke();
        Assert.True(SpinWait.SpinUntil(() => StreamingTestCommand.Started, TimeSpan.FromSeconds(60)));
        Stopwatch clock = Stopwatch.StartNew();
        shell.Stop();
        Assert.True(clock.Elapsed < s_limit, $"It took {clock.Elapsed}.");
        Assert.Equal(PSInvocationState.Stopped, shell.InvocationStateInfo.State);
        Assert.Equal(1, StreamingTestCommand.CleanedUp);
        Assert.True(running.IsCompleted);
    }

    [Fact]
    public void One_failure_after_another_is_reported_and_the_rest_goes_on()
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        Collection<PSObject> output = shell.AddScript("Test-Streaming -Errors 3 -Count 2").Invoke();
        Assert.Equal(2, output.Count);
        Assert.Equal(3, shell.Streams.Error.Count);
    }

    [Fact]
    public void A_failure_that_nobody_expected_is_an_error_record_with_a_constant_id()
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        shell.AddScript("Test-Streaming -Fail").Invoke();
        ErrorRecord error = shell.Streams.Error.Single();
        Assert.StartsWith("InternalError,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', error.ToString());
    }

    [Fact]
    public void What_if_does_nothing()
    {
        Assert.Empty(Invoke("Test-Streaming -Count 3 -WhatIf"));
        Assert.Equal(1, StreamingTestCommand.CleanedUp);
    }

    [Fact]
    public void A_host_without_any_interface_gets_all_objects()
        => Assert.Equal(10, Invoke("Test-Streaming -Count 10 -Progress").Count);

    private Collection<PSObject> Invoke(string script)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        return shell.AddScript(script).Invoke();
    }
}
