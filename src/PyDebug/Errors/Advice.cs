namespace PyDebug.Errors;

/// <summary>The advice that depends on what was found.</summary>
internal static class Advice
{
    /// <summary>The fact that names the profile which the engine's dry runs let through.</summary>
    public const string PassingProfile = "passes";

    /// <summary>A dry run let profile Restricted through.</summary>
    public const string Passes = "passes";

    /// <summary>A dry run refused profile Restricted.</summary>
    public const string Refused = "refused";

    /// <summary>What to do where admission refuses a debug container.</summary>
    public static string ForAdmission(FailureFacts facts)
    {
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
    public static string ForStart(FailureFacts facts) => facts.Reason switch
    {
        "CreateContainerConfigError" =>
            "The node refuses the container's settings: -SecurityProfile or -Custom changes its user.",
        "RunContainerError" or "CreateContainerError" =>
            "The container runtime refuses it: -Image names an image that can be started.",
        _ => "-Force starts another one; -Image names another image.",
    };

    /// <summary>What to do where the kernel does not let the agent read the process, by the reason found.</summary>
    public static string ForPtrace(FailureFacts facts) => facts.Detail("found") switch
    {
        "yama" when facts.Detail("ptraceScope") == "3" =>
            "With ptrace_scope 3 no process of this node can be read until the node restarts with another setting.",
        "capability" or "yama" or "uid" =>
            $"{facts.Start("-SecurityProfile General")} has SYS_PTRACE and runs as root.",
        "seccomp" =>
            $"The node's seccomp filter refuses the call; {facts.Start("-SecurityProfile SysAdmin")} runs without one.",
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
            $"{facts.Start("-For Bpftrace")} has it (profile SysAdmin: privileged).",
        AgentCause.NoBtf => "A kernel built with CONFIG_DEBUG_INFO_BTF is needed. Measure-PyTime -Method Memory needs none.",
        AgentCause.Lockdown => "A node booted with lockdown=integrity, or none, lets it. Get-PyStack works all the same.",
        _ => "",
    };

    /// <summary>What to do where a program asks for Python stacks that cannot be had; null where it is not that.</summary>
    public static string? ForPythonStack(FailureFacts facts)
        => facts.Detail("word") == "pystack"
            ? "pystack is the stack of a CPython 3.11 or later with the GIL; ustack is the native one, of any process."
            : null;

    /// <summary>Where a whole memray is to be had; null where it is not that which is missing.</summary>
    public static string? ForMemray(FailureFacts facts)
        => facts.Detail("tool") == "memray"
            ? $"pip install memray=={facts.Detail("version") ?? "VERSION"} has it, here or in an image for Start-PodDebug "
                + "-Image. Without it Export-StackProfile draws the report. Nothing was done."
            : null;

    private static bool IsBpftrace(FailureFacts facts) => facts.Detail("tool") == "bpftrace";

    /// <summary>What would let the kernel's sampler be used, by the cause found; empty where nothing would.</summary>
    public static string ForKernelSampler(string cause, FailureFacts facts) => cause switch
    {
        AgentCause.NoCapability => $"{facts.Start("-For Time")} has it (profile Trace).",
        AgentCause.Seccomp =>
            $"The node's seccomp filter refuses the call; {facts.Start("-SecurityProfile SysAdmin")} runs without one.",
        AgentCause.NoCtypes => "Start-PodDebug -Image names an image whose Python has the module _ctypes.",
        _ => "",
    };

    /// <summary>What to do where too little is left under the pod's memory limit.</summary>
    public static string ForMemory(FailureFacts facts)
        => facts.Detail("needed") is null
            ? "What PyDebug uses counts against the pod's memory limit: choose a pod with more room."
            : "Nothing was changed. Raise the limit, or choose a pod with more room; without -Native and "
                + "-PythonAllocators less is needed.";

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

    /// <summary>What to do where no safe way into the process is known.</summary>
    public static string ForInjection(FailureFacts facts) => facts.Detail("reason") switch
    {
        "stopped" => "It is stopped: let it continue, then try again. Nothing was changed.",
        "remoteDebugOff" =>
            "It was started with remote debugging off: PYTHON_DISABLE_REMOTE_DEBUG or -X disable-remote-debug.",
        "noSafePoint" or "gil" => "Try again when it does other work. Nothing was changed.",
        _ => "Nothing was changed. Get-PyStack and Measure-PyTime do not enter the process.",
    };
}
