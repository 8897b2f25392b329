using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using PyDebug.Engine;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class ErrorTableTests
{
    public static TheoryData<string> EveryCause
        => new(new[] { typeof(Causes), typeof(AgentCause), typeof(LocalCause) }.SelectMany(Constants).Distinct());

    [Theory]
    [MemberData(nameof(EveryCause))]
    public void Every_cause_has_an_id_a_category_and_advice(string cause)
    {
        Assert.Contains(cause, ErrorTable.Known);
        ErrorEntry entry = ErrorTable.Find(cause);
        Assert.Contains(entry.Id, Constants(typeof(ErrorId)));
        Assert.NotEqual(ErrorCategory.NotSpecified, entry.Category);
        Assert.NotEqual("", entry.Advice(new FailureFacts(null, null)));
        Assert.NotEqual("", entry.Advice(new FailureFacts(new PodTarget("shop", "web", "app", 7), null)));
    }

    [Theory]
    [InlineData(Causes.PodNotFound)]
    [InlineData(Causes.NamespaceNotFound)]
    [InlineData(Causes.WorkloadNotFound)]
    [InlineData(Causes.NoPodMatches)]
    [InlineData(Causes.ContainerNotFound)]
    [InlineData(Causes.ContextNotFound)]
    [InlineData(AgentCause.ProcessGone)]
    [InlineData(AgentCause.FileNotFound)]
    public void What_is_not_there_is_told_as_that(string cause)
        => Assert.Equal(ErrorCategory.ObjectNotFound, ErrorTable.Find(cause).Category);

    [Fact]
    public void The_table_names_no_cause_that_nobody_gives()
        => Assert.Empty(ErrorTable.Known.Except(EveryCause.Select(row => row.Data)));

    [Fact]
    public void Every_id_is_its_own_name_and_in_use()
    {
        foreach (FieldInfo field in typeof(ErrorId).GetFields(BindingFlags.Public | BindingFlags.Static))
        {
            Assert.Equal(field.Name, field.GetRawConstantValue());
        }

        Assert.Empty(Constants(typeof(ErrorId)).Except(ErrorTable.Known.Select(c => ErrorTable.Find(c).Id)));
    }

    [Fact]
    public void An_unknown_cause_is_an_internal_error()
        => Assert.Equal(ErrorId.InternalError, ErrorTable.Find("SomethingNew").Id);

    [Fact]
    public void Advice_names_the_command_for_the_same_target()
    {
        PyDebugException failure = ErrorFactory.Local(
            AgentCause.PtraceDenied,
            "Process 1 may not be read.",
            new PodTarget("bank", "locked", "web", 1),
            new Dictionary<string, string> { ["found"] = "yama", ["ptraceScope"] = "1" });
        Assert.Contains(
            "Start-PodDebug locked -Namespace bank -ContainerName web -SecurityProfile General",
            failure.RecommendedAction,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Scope_3_is_never_answered_with_a_profile()
    {
        Dictionary<string, string> detail = new() { ["found"] = "yama", ["ptraceScope"] = "3" };
        string advice = ErrorTable.Find(AgentCause.PtraceDenied).Advice(new FailureFacts(null, detail));
        Assert.DoesNotContain("SecurityProfile", advice, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AgentCause.NoCapability, "Start-PodDebug web -Namespace shop -ContainerName app -For Time has it")]
    [InlineData(AgentCause.Seccomp, "A privileged container alone has none: Start-PodDebug -SecurityProfile SysAdmin,")]
    [InlineData(AgentCause.NoBtf, "-Method Memory needs neither")]
    public void A_kernel_sampler_that_cannot_be_had_is_answered_with_what_has_it(string cause, string advice)
    {
        FailureFacts facts = new(new PodTarget("shop", "web", "app", 7), null);
        Assert.Contains(advice, ErrorTable.Find(cause).Advice(facts), StringComparison.Ordinal);
        Assert.EndsWith(
            "-Method Memory needs neither BPF nor a capability.", ErrorTable.Find(cause).Advice(facts),
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Causes.PodDeleting, "", "It will not come back.")]
    [InlineData(Causes.PodDeleting, "successor=web-2", "Start-PodDebug web-2 -Namespace shop -ContainerName app makes")]
    [InlineData(Causes.PodNotFound, "successor=web-2,near=web-1", "Start-PodDebug web-2 -Namespace shop -Cont")]
    [InlineData(Causes.PodNotFound, "near=web-1", "Is one of these meant: web-1?")]
    [InlineData(Causes.AgentStartFailed, "exitCode=137", "memory that ran out under the pod's limit")]
    [InlineData(Causes.AgentStartFailed, "exitCode=1", "Python 3.8 or later is needed")]
    [InlineData(Causes.Timeout, "", "-TimeoutSeconds waits longer.")]
    [InlineData(Causes.Timeout, "limit=fixed", "That limit is fixed.")]
    [InlineData(Causes.Forbidden, "scope=cluster", "takes a ClusterRole")]
    [InlineData(Causes.TargetNotRunning, "restarts=4", "kubectl logs --previous")]
    [InlineData(Causes.AdmissionDenied, "exec=true", "A policy on CONNECT of pods/exec must admit it.")]
    [InlineData(AgentCause.FileDenied, "sessionProfile=Baseline,sessionUser=root", "is root, without the capabilities")]
    [InlineData(AgentCause.FileDenied, "sessionProfile=Restricted,sessionUser=10001", "General runs as root.")]
    [InlineData(AgentCause.FileDenied, "sessionProfile=General,sessionUser=root", "every right that a profile gives")]
    [InlineData(AgentCause.NoCapability, "found=userns,sessionProfile=General", "hostUsers: false in the pod's spec")]
    [InlineData(AgentCause.NoCapability, "sessionProfile=Trace", "the node does not give them")]
    [InlineData(AgentCause.MemrayRehearsal, "output=libdl.so.2: cannot open shared object file: No such file",
        "image lacks libdl.so.2: Start-PodDebug web -Namespace shop -ContainerName app -Force -Image IMAGE starts one")]
    [InlineData(AgentCause.MemrayRehearsal, "output=Killed", "The process was not touched")]
    [InlineData(AgentCause.TargetNotVisible, "debugContainer=pydebug-x", "Debug container 'pydebug-x' may be")]
    public void Advice_fits_what_was_found(string cause, string facts, string advice)
    {
        Dictionary<string, string> detail = facts.Split(',', StringSplitOptions.RemoveEmptyEntries)
            .Select(f => f.Split('=')).ToDictionary(f => f[0], f => f[1]);

        string said = ErrorTable.Find(cause).Advice(new FailureFacts(new PodTarget("shop", "web", "app"), detail));

        Assert.Contains(advice, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Causes.ExecFailed)]
    [InlineData(Causes.NodeUnreachable)]
    [InlineData(Causes.AdmissionDenied)]
    [InlineData(Causes.PodDeleting)]
    [InlineData(Causes.TargetRestarted)]
    public void Another_entry_is_not_advised_where_it_cannot_help(string cause)
        => Assert.DoesNotContain(
            "-Force", ErrorTable.Find(cause).Advice(new FailureFacts(null, null)), StringComparison.Ordinal);

    [Fact]
    public void The_record_has_the_pod_as_target_and_the_advice_in_its_text()
    {
        PodTarget target = new("shop", "backend");
        ErrorRecord record = ErrorFactory.Local(
            LocalCause.ContainerAmbiguous, "Pod 'shop/backend' has 2 containers.", target).ErrorRecord;
        Assert.Equal(ErrorId.ContainerAmbiguous, record.FullyQualifiedErrorId);
        Assert.Same(target, record.TargetObject);
        Assert.Equal("Name one with -ContainerName.", record.ErrorDetails.RecommendedAction);
        Assert.Equal("Pod 'shop/backend' has 2 containers. Name one with -ContainerName.", record.ToString());
        Assert.Equal("Pod 'shop/backend' has 2 containers.", record.ErrorDetails.Message);
        Assert.Equal(record.ToString(), record.Exception.Message);
    }

    [Fact]
    public void The_servers_own_words_are_kept_but_cannot_move_the_cursor()
    {
        EngineException engine = new(Causes.Forbidden, "Not allowed:\u001b[2J.")
        {
            ServerMessage = "pods is\nforbidden",
        };
        PyDebugException failure = ErrorFactory.From(engine, new PodTarget("shop", "web"));
        Assert.StartsWith("Not allowed:\u241b[2J. about_PyDebug", failure.Message, StringComparison.Ordinal);
        Assert.Equal("pods is\u240aforbidden", failure.ServerMessage);
        Assert.Equal(ErrorCategory.PermissionDenied, failure.ErrorRecord.CategoryInfo.Category);
    }

    [Fact]
    public void A_full_disk_is_told_from_a_folder_that_cannot_be_written()
    {
        int full = OperatingSystem.IsWindows() ? unchecked((int)0x80070070) : 28;
        ErrorRecord record = ErrorFactory.From(new IOException("No space left on device", full), null).ErrorRecord;
        Assert.StartsWith("DiskFull", record.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Contains("TMPDIR", record.ErrorDetails.RecommendedAction, StringComparison.Ordinal);
        record = ErrorFactory.From(new UnauthorizedAccessException("Access denied."), null).ErrorRecord;
        Assert.StartsWith("DestinationInvalid", record.FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    private static IReadOnlyList<string> Constants(Type type)
        => [.. type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static)
            .Where(f => f.IsLiteral)
            .Select(f => (string)f.GetRawConstantValue()!)];
}
