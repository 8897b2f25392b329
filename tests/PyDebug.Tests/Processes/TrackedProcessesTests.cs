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
        found[1] = found[1] with { ResidentBytes = 84 << 20 };
        e = Assert.Throws<PyDebugException>(() => TrackedProcesses.Choose(s_session, null, found));
        Assert.Contains("1 (master), 7 (worker, 84.0 MiB).", e.Message);
        e = Assert.Throws<PyDebugException>(() => TrackedProcesses.Choose(s_session, null, []));
        Assert.StartsWith(ErrorId.NoPython, e.ErrorRecord.FullyQualifiedErrorId);
    }

    [Fact]
    public void A_copy_that_was_made_a_moment_ago_makes_nothing_ambiguous()
    {
        PyProcess parent = new() { ProcessId = 1, Role = "Master", AgeSeconds = 500 };
        PyProcess copy = new() { ProcessId = 383, Role = "Worker", AgeSeconds = 0.1 };
        Assert.True(TrackedProcesses.MayPass([parent, copy]));
        Assert.Same(parent, Assert.Single(TrackedProcesses.Choose(s_session, null, [parent, copy])));
        PyProcess worker = copy with { AgeSeconds = 4 };
        Assert.False(TrackedProcesses.MayPass([parent, worker]));
        Assert.Throws<PyDebugException>(() => TrackedProcesses.Choose(s_session, null, [parent, worker]));
        Assert.False(TrackedProcesses.MayPass([parent]));
    }

    [Fact]
    public void What_looks_after_others_is_not_meant()
    {
        PyProcess main = new() { ProcessId = 1, Role = "Single" };
        PyProcess tracker = new() { ProcessId = 8, Role = "Helper" };
        Assert.Same(main, Assert.Single(TrackedProcesses.Choose(s_session, null, [main, tracker])));
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
