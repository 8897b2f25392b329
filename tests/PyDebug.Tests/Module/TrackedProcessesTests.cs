using System.Collections.Generic;
using System.Linq;
using PyDebug.Commands;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class TrackedProcessesTests
{
    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "default",
        PodName = "bad-app",
        ContainerName = "web",
    };

    [Fact]
    public void A_session_alone_means_the_one_Python_of_its_own_container()
    {
        PyProcess own = new() { ProcessId = 1, InTargetContainer = true };
        PyProcess beside = new() { ProcessId = 30, InTargetContainer = false };
        Assert.Same(own, Assert.Single(TrackedProcesses.Choose(s_session, wanted: null, [beside, own])));
        PyProcess unknown = new() { ProcessId = 7 };
        Assert.Same(unknown, Assert.Single(TrackedProcesses.Choose(s_session, wanted: null, [unknown])));
    }

    [Fact]
    public void Several_of_them_are_listed_and_none_is_taken()
    {
        PyProcess[] found =
        [
            new() { ProcessId = 1, Role = "Master" },
            new() { ProcessId = 7, Role = "Worker" },
        ];
        PyDebugException e = Assert.Throws<PyDebugException>(() => TrackedProcesses.Choose(s_session, null, found));
        Assert.StartsWith(ErrorId.ProcessAmbiguous, e.ErrorRecord.FullyQualifiedErrorId);
        Assert.Contains("2 Python processes: 1 (master), 7 (worker).", e.Message);
        e = Assert.Throws<PyDebugException>(() => TrackedProcesses.Choose(s_session, null, []));
        Assert.StartsWith(ErrorId.NoPython, e.ErrorRecord.FullyQualifiedErrorId);
    }

    [Fact]
    public void A_process_that_is_named_is_taken_whether_it_is_there_or_not()
    {
        PyProcess there = new() { ProcessId = 7, PythonVersion = "3.13.5" };
        IReadOnlyList<PyProcess> chosen = TrackedProcesses.Choose(s_session, [7, 99], [there]);
        Assert.Equal([7, 99], chosen.Select(p => p.ProcessId));
        Assert.Same(there, chosen[0]);
        Assert.Equal("bad-app", chosen[1].PodName);
    }
}
