using System;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;
using PyDebug.Engine;

namespace PyDebug.Errors;

/// <summary>The advice that depends on what was found.</summary>
internal static partial class Advice
{
    /// <summary>The fact that names the profile which the engine's dry runs let through.</summary>
    public const string PassingProfile = "passes";

    /// <summary>A dry run let profile Restricted through.</summary>
    public const string Passes = "passes";

    /// <summary>A dry run refused profile Restricted.</summary>
    public const string Refused = "refused";

    /// <summary>How often both sides of a question send something, in seconds.</summary>
    private const int SpeaksEvery = 3;

    private const string NoFilter = "The container's seccomp filter refuses the call. A privileged container alone has "
        + "none: Start-PodDebug -SecurityProfile SysAdmin, with an -Image that is trusted with the node.";

    /// <summary>Which permission is missing, and where it is written down.</summary>
    public static string ForForbidden(FailureFacts facts)
    {
        string where = facts.Detail("namespace") is string ns ? $"in namespace '{ns}'" : "in the whole cluster";
        string right = facts.Detail("verb") is string verb
            ? $"It takes the verb {verb} on {facts.Detail("resource")} {where}. "
            : "";
        return right + (facts.Detail("scope") == "cluster"
            ? "To list pods of all namespaces takes a ClusterRole; -Namespace asks for one, which a Role allows."
            : "about_PyDebug has the Role that PyDebug needs.");
    }

    /// <summary>What to do about a connection that was cut after the server was reached; null for others.</summary>
    public static string? ForCut(FailureFacts facts)
    {
        if (facts.Detail(AgentExchange.Cut) is not string quiet)
        {
            return null;
        }

        return double.TryParse(quiet, CultureInfo.InvariantCulture, out double seconds) && seconds >= SpeaksEvery - 1
            ? $"Something on the way cut it when nothing had come for {quiet} s, though both sides send something "
                + $"every {SpeaksEvery} s: a proxy or load balancer must leave a quiet connection "
                + "open for longer. Try again."
            : "Try again: the server was reached, and it or something on the way ended the connection. What had come "
                + "is not used.";
    }

    /// <summary>What to do where a debug container does not see its target's processes.</summary>
    public static string ForUnseen(FailureFacts facts)
    {
        string name = facts.Detail("debugContainer") is string container ? $"Debug container '{container}'" : "It";
        return $"{name} may be that of an earlier start of the container: {facts.Start("-Force")} adds another. Where "
            + "that sees nothing either, the node's runtime does not share processes.";
    }

    /// <summary>What to do where there is no such pod.</summary>
    public static string ForMissingPod(FailureFacts facts)
        => ForSuccessor(facts)
            ?? (facts.Detail("near") is { Length: > 0 } names
                ? $"Is one of these meant: {names}?"
                : facts.Detail("near") is null && facts.Target?.ContainerName is not null
                ? "Its session goes with it. Start-PodDebug makes one with another pod; -Context says where to look."
                : "Check the name; -Namespace and -Context say where to look.");

    /// <summary>How to go on with the pod that took another's place; null where none is known.</summary>
    public static string? ForSuccessor(FailureFacts facts)
        => facts.Detail(Successors.Detail) is string name
            ? $"{facts.Start("", name)} makes a session with its successor."
            : null;

    /// <summary>What to do where the agent did not come to speak, by how it ended.</summary>
    public static string ForAgentStart(FailureFacts facts) => facts.Detail(GoneDiagnosis.ExitCode) switch
    {
        "137" => "Mostly memory that ran out under the pod's limit: what runs in a debug container counts against it.",
        _ => "An image with a complete Python 3.8 or later is needed: Start-PodDebug -Image names one.",
    };

    /// <summary>What to do where a file may not be read or written, by what the debug container is.</summary>
    public static string ForFile(FailureFacts facts)
        => facts.Detail("reason") switch
        {
            "openat2" => "It can be had on a node of Linux 5.6 or later, under a seccomp profile that knows openat2. "
                + "Get-PyStack and the others need no file that is named.",
            "link" => "/proc/PID/root/... names a file of the application's; Get-PyProcess has the PIDs.",
            "target" => "Files go into the debug container, for example -Destination /tmp/.",
            _ => ForRights(facts),
        };

    private static string ForRights(FailureFacts facts)
        => facts.Detail("sessionProfile") is "General" or "Trace" or "SysAdmin"
            ? "The debug container has every right that a profile gives for that: the file system is read-only, or a "
                + "security module of the node refuses it."
            : facts.Detail("sessionUser") == "root"
                ? $"The debug container is root, without the capabilities to reach other users' files and processes: "
                    + $"{facts.Start("-SecurityProfile General")} has them."
                : $"The debug container's user may not: {facts.Start("-SecurityProfile General")} runs as root.";

    /// <summary>What to do about a file that is not there.</summary>
    public static string ForMissingFile(FailureFacts facts)
        => (facts.Detail("where"), facts.Detail("other")) switch
        {
            ("own", "true") => "-FromTarget takes it from the application's container.",
            ("target", "true") => "Without -FromTarget it is taken from the debug container.",
            ("own", _) => "Paths are those of the debug container; with -FromTarget those of the application's.",
            ("target", _) => "Paths are those that the application knows.",
            _ => "Check the path.",
        };

    /// <summary>What to do where admission refuses a debug container.</summary>
    public static string ForAdmission(FailureFacts facts)
    {
        if (facts.Detail("exec") is not null)
        {
            return "A policy on CONNECT of pods/exec must admit it. A debug container that was added stays in the pod, "
                + "and ends by itself.";
        }

        string inPlace = facts.Detail("for") is string question ? $" in place of -For {question}" : "";
        if (facts.Detail(PassingProfile) is string passing)
        {
            return $"-SecurityProfile {passing}{inPlace} passes it (tried as a dry run). Nothing was changed.";
        }

        string next = facts.Detail("restricted") switch
        {
            Passes => $"-SecurityProfile Restricted{inPlace} passes it (tried as a dry run).",
            Refused => "Profile Restricted is refused as well: the policy must admit a debug container.",
            _ when facts.Detail("profile") == "Restricted" => "The policy must admit a debug container.",
            _ => $"-SecurityProfile Restricted{inPlace} asks for the least.",
        };
        return next + " Nothing was changed.";
    }

    /// <summary>What to do where a debug container does not start, by the kubelet's reason.</summary>
    public static string ForStart(FailureFacts facts) => ForMachine(facts) ?? facts.Reason switch
    {
        "CreateContainerConfigError" =>
            "The node refuses the container's settings: -SecurityProfile or -Custom changes its user.",
        "RunContainerError" or "CreateContainerError" =>
            "The container runtime refuses it: -Image names an image that can be started.",
        _ => "-Force starts another one; -Image names another image.",
    };

    /// <summary>What to do where an image is for another kind of machine; null for other failures.</summary>
    public static string? ForMachine(FailureFacts facts)
        => facts.Detail(StartFailure.OtherMachine) is null
            ? null
            : "The image has no program for this node's kind of machine: -Image names one that has (kubectl get node "
                + "-L kubernetes.io/arch shows it); the application's own, without -Image, runs there already.";

    /// <summary>What to do where the kernel does not let the agent read the process, by the reason found.</summary>
    public static string ForPtrace(FailureFacts facts) => facts.Detail("found") switch
    {
        "yama" when facts.Detail("ptraceScope") == "3" =>
            "With ptrace_scope 3 no process of this node can be read until the node restarts with another setting.",
        "capability" or "yama" or "uid" =>
            $"{facts.Start("-SecurityProfile General")} has SYS_PTRACE and runs as root.",
        "seccomp" => NoFilter,
        "userns" =>
            "The pod runs in a user namespace of its own that the debug container does not share.",
        _ => $"{facts.Start("-SecurityProfile General")} has SYS_PTRACE; a security module may still refuse.",
    };

    /// <summary>What to do where the kernel's sampler was asked for by name and cannot be had.</summary>
    public static string ForSampler(string cause, FailureFacts facts)
        => IsBpftrace(facts)
            ? ForBpftrace(cause, facts)
            : $"{ForKernelSampler(cause, facts)} -Method Memory needs neither BPF nor a capability.".TrimStart();

    /// <summary>What to do where bpftrace cannot run; empty where another tool is meant.</summary>
    public static string ForBpftrace(string cause, FailureFacts facts) => cause switch
    {
        _ when !IsBpftrace(facts) => "",
        AgentCause.ToolUnavailable =>
            $"{facts.Start("-For Bpftrace -Image IMAGE")} has it, where IMAGE was built from tools-image/ (README); "
            + "$env:PYDEBUG_IMAGE names it once for all.",
        AgentCause.NoCapability when facts.Detail("found") == "userns" =>
            "hostUsers: false in the pod's spec asks for that; a pod without it can be traced.",
        AgentCause.NoCapability or AgentCause.Seccomp =>
            $"{facts.Start("-For Bpftrace -Image IMAGE")} has it (profile SysAdmin: privileged).",
        AgentCause.NoBtf
            => "A kernel built with CONFIG_DEBUG_INFO_BTF is needed. Measure-PyTime -Method Memory needs none.",
        AgentCause.Lockdown
            => "A node booted with lockdown=integrity, or none, lets it. Get-PyStack works all the same.",
        _ => "",
    };

    /// <summary>
    /// What to do where a program asks for Python stacks that cannot be had; null where it is not that.
    /// </summary>
    public static string? ForPythonStack(FailureFacts facts)
        => facts.Detail("word") == "pystack"
            ? "pystack is the stack of a CPython 3.11 or later with the GIL; ustack is the native one, of any process."
            : null;

    private static bool IsBpftrace(FailureFacts facts) => facts.Detail("tool") == "bpftrace";

    /// <summary>What would let the kernel's sampler be used, by the cause found; empty where nothing would.</summary>
    public static string ForKernelSampler(string cause, FailureFacts facts) => cause switch
    {
        AgentCause.NoCapability when facts.Detail("found") == "userns" =>
            "hostUsers: false in the pod's spec asks for that; no debug container of it can have the kernel's sampler.",
        AgentCause.NoCapability when facts.Detail("sessionProfile") is "Trace" or "SysAdmin" =>
            "The debug container was asked for with these capabilities, and the node does not give them.",
        AgentCause.NoCapability => $"{facts.Start("-For Time")} has it (profile Trace).",
        AgentCause.Seccomp => NoFilter,
        AgentCause.NoCtypes => "Start-PodDebug -Image names an image whose Python has the module _ctypes.",
        AgentCause.MemoryLow => "-AllowLowMemory has it all the same.",
        _ => "",
    };

    /// <summary>What to do where too little is left under the pod's memory limit.</summary>
    public static string ForMemory(FailureFacts facts)
    {
        string less = Smaller(facts) is string question ? $"{question} needs less. " : "";
        string more = facts.Detail("where") switch
        {
            "node" => "Wait until the node has more, or choose a pod on another one",
            _ => "Raise the limit, or choose a pod with more room",
        };
        return $"{less}{more}; -AllowLowMemory does it all the same: what PyDebug starts is what the kernel ends "
            + "first, where memory runs out.";
    }

    /// <summary>A question that there is enough memory for; null where none is known.</summary>
    private static string? Smaller(FailureFacts facts)
    {
        string[] fits = facts.Detail("fits")?.Split(',') ?? [];
        return fits.Contains("plainReport") ? "A report without -Native and -PythonAllocators"
            : fits.Contains("memorySampler") ? "-Method Memory"
            : fits.Contains("stack") ? "Get-PyStack"
            : fits.Contains("processes") ? "Get-PyProcess"
            : null;
    }

    /// <summary>What to do where a session has several processes and one must be named.</summary>
    public static string ForProcesses(FailureFacts facts)
        => facts.Detail("pids") is string pids
            ? $"Name one with -ProcessId ({pids.Trim('[', ']')}), or choose from Get-PyProcess."
            : "Name one with -ProcessId, or choose from Get-PyProcess.";

    /// <summary>What to do where a debugger or a profiler is at work in the process already.</summary>
    public static string ForTracer(FailureFacts facts)
        => facts.Detail("what") == "profile"
            ? "A profiler of its own is on in the process. Stop that first; nothing was changed."
            : facts.Detail("tracer") is string tracer and not "0"
                ? $"Process {tracer} traces it. End that first; nothing was changed."
                : "Another debugger traces it. End that first; nothing was changed.";

    /// <summary>What to do where no memray fits the process.</summary>
    public static string ForPayload(FailureFacts facts) => facts.Detail("reason") switch
    {
        "version" => "memray is carried for the versions whose wheels were found when the module was built.",
        "libc" => "memray's published wheels need glibc; an image with musl is not served.",
        "freeThreaded" => "memray has no release for a Python without the GIL.",
        "machine" => "Build the module where memray's wheels for that machine can be had.",
        _ => "The process was not touched.",
    };

    /// <summary>What to do where memray could not be tried out beside the process.</summary>
    public static string ForRehearsal(FailureFacts facts)
    {
        Match library = MissingLibrary().Match(facts.Detail("output") ?? "");
        string found = library.Success
            ? $"The debug container's image lacks {library.Groups["name"].Value}: {facts.Start("-Force -Image IMAGE")} "
                + "starts one that has it, such as one of the application's own distribution. "
            : "";
        return found
            + "The process was not touched: what failed was a rehearsal beside it, and the message has its words.";
    }

    /// <summary>What to do where no safe way into the process is known.</summary>
    public static string ForInjection(FailureFacts facts) => facts.Detail("reason") switch
    {
        "stopped" => "It is stopped: let it continue, then try again. Nothing was changed.",
        "remoteDebugOff" =>
            "It was started with remote debugging off: PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug.",
        "privileged" => $"{facts.Start("-SecurityProfile General")} has a debug container that is held to what the "
            + "application is held to. Nothing was changed.",
        "seccomp" or "lsm" when facts.Detail("container") != "own" =>
            $"{facts.Start("-SecurityProfile General -Force")} has one that takes over the container's profiles; "
            + "Start-PodDebug -SecurityProfile Restricted does where the application is not root. Nothing was changed.",
        "seccomp" or "lsm" => "It has put itself under more than its container is under: no debug container is held to "
            + "that. Get-PyStack and Measure-PyTime do not enter the process. Nothing was changed.",
        "limits" => "Its own limits (/proc/PID/limits) leave no room for it. Nothing was changed.",
        "exec" => "Try again. Nothing was changed.",
        "noSafePoint" or "gil" => "Try again when it does other work. Nothing was changed.",
        _ => "Nothing was changed. Get-PyStack and Measure-PyTime do not enter the process.",
    };

    [GeneratedRegex(@"(?<name>[\w.+-]{1,80}\.so[\w.]{0,20}): cannot open shared object file")]
    private static partial Regex MissingLibrary();
}
