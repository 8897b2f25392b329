using System.Collections.Generic;
using System.Management.Automation;
using PyDebug.Engine;

namespace PyDebug.Errors;

/// <summary>The one table from the cause of a failure to what a cmdlet writes about it.</summary>
internal static class ErrorTable
{
    private static readonly Dictionary<string, ErrorEntry> s_entries = new()
    {
        // The pod and what is in it.
        [Causes.PodNotFound] = new(ErrorId.PodNotFound, ErrorCategory.ObjectNotFound, Advice.ForMissingPod),
        [Causes.NamespaceNotFound] = new(ErrorId.NamespaceNotFound, ErrorCategory.ObjectNotFound,
            _ => "Check the namespace's name, and whether -Context is the cluster that is meant."),
        [Causes.WorkloadNotFound] = new(ErrorId.WorkloadNotFound, ErrorCategory.ObjectNotFound,
            _ => "Check the name; -Namespace and -Context say where to look. Nothing was changed."),
        [Causes.NoPodMatches] = new(ErrorId.NoPodMatches, ErrorCategory.ObjectNotFound,
            f => f.Detail("advice") ?? "Check the name, -Namespace and -Context. Nothing was changed."),
        [Causes.NoRunningPod] = new(ErrorId.NoRunningPod, ErrorCategory.ResourceUnavailable,
            f => f.Detail("pending") is null
                ? "Start it, or choose one whose pods run. Nothing was changed."
                : "Wait until one runs; -ContainerName debugs an init container that runs. Nothing was changed."),
        [Causes.ContainerNotFound] = new(ErrorId.ContainerNotFound, ErrorCategory.ObjectNotFound,
            f => f.Detail("containers") is string names ? $"It has {names}." : "Check -ContainerName."),
        [LocalCause.ContainerAmbiguous] = new(ErrorId.ContainerAmbiguous, ErrorCategory.InvalidArgument,
            _ => "Name one with -ContainerName."),
        [Causes.PodNotRunning] = new(ErrorId.PodNotRunning, ErrorCategory.ResourceUnavailable,
            f => f.Detail("init") is string init
                ? $"Init container '{init}' runs: -ContainerName {init} debugs it."
                : "Wait until it runs, then try again."),
        [Causes.PodFinished] = new(ErrorId.PodFinished, ErrorCategory.ResourceUnavailable,
            _ => "A finished pod cannot be debugged; choose one that runs."),
        [Causes.PolicyDenied] = new(ErrorId.PolicyDenied, ErrorCategory.PermissionDenied,
            f => f.Detail("allows") is string allowed
                ? $"It allows {allowed}. Nothing was changed."
                : "Whoever keeps that file can change it. Nothing was changed."),
        [Causes.PolicyInvalid] = new(ErrorId.PolicyInvalid, ErrorCategory.InvalidData,
            _ => "Nothing is done until whoever keeps that file has mended it: "
                + "policy.schema.json says what it can have."),
        [Causes.PodDeleting] = new(ErrorId.PodDeleting, ErrorCategory.ResourceUnavailable,
            f => Advice.ForSuccessor(f) ?? "It will not come back. One that takes its place has a name of its own."),
        [Causes.PodReplaced] = new(ErrorId.PodReplaced, ErrorCategory.ResourceUnavailable,
            f => $"{f.Start("")} makes a session with the pod that has the name now."),
        [Causes.PodIsWindows] = new(ErrorId.PodIsWindows, ErrorCategory.NotImplemented,
            _ => "Only Linux pods can be debugged."),
        [Causes.StaticPod] = new(ErrorId.StaticPod, ErrorCategory.InvalidOperation,
            _ => "Kubernetes adds no debug container to a static pod; debug it on its node."),
        [Causes.TargetNotRunning] = new(ErrorId.TargetNotRunning, ErrorCategory.ResourceUnavailable,
            f => f.Detail("restarts") is null
                ? "Wait until the container runs, then try again."
                : "It ends again and again: kubectl logs --previous has why. While it runs it can be debugged."),
        [Causes.TargetRestarted] = new(ErrorId.TargetRestarted, ErrorCategory.ResourceUnavailable,
            f => $"{f.Start("")} makes a session with the new one."),
        [AgentCause.TargetNotVisible] = new(
            ErrorId.TargetNotVisible, ErrorCategory.ResourceUnavailable, Advice.ForUnseen),
        [AgentCause.TargetNotTold] = new(ErrorId.TargetNotTold, ErrorCategory.NotImplemented,
            _ => "Name the processes with -ProcessId. The node's runtime does not show containers' cgroups."),

        // Starting the debug container.
        [Causes.EphemeralContainersForbidden] = new(
            ErrorId.EphemeralContainersForbidden,
            ErrorCategory.PermissionDenied,
            _ => "Ask for a Role with get and patch on pods/ephemeralcontainers (about_PyDebug has the whole)."),
        [Causes.EphemeralContainersUnsupported] = new(
            ErrorId.EphemeralContainersUnsupported,
            ErrorCategory.NotImplemented,
            f => f.Detail(VirtualNode.Detail) is null
                ? "Kubernetes 1.25 or later is needed."
                : "A pod of it on a node of the cluster's own can be debugged. Nothing was changed."),
        [Causes.AdmissionDenied] = new(ErrorId.AdmissionDenied, ErrorCategory.PermissionDenied, Advice.ForAdmission),
        [Causes.ImagePullFailed] = new(ErrorId.ImagePullFailed, ErrorCategory.ResourceUnavailable,
            f => Advice.ForMachine(f)
                ?? "Check -Image and -ImagePullPolicy; without -Image the application's own is taken."),
        [Causes.ContainerStartFailed] = new(
            ErrorId.ContainerStartFailed, ErrorCategory.ResourceUnavailable, Advice.ForStart),
        [Causes.PythonNotInImage] = new(ErrorId.PythonNotInImage, ErrorCategory.InvalidArgument,
            _ => "Name an image that has Python 3.8 or later with -Image; or, where it is in this one and not on its "
                + "PATH, its folder: -Environment @{ PATH = '/opt/app/bin:/usr/bin' }."),
        [Causes.ImageNotNamed] = new(ErrorId.ImageNotNamed, ErrorCategory.InvalidArgument,
            _ => "-Image names one that you trust with the node; the application's own, too, where it is named. "
                + "Nothing was changed."),
        [Causes.UserUnknown] = new(ErrorId.UserUnknown, ErrorCategory.InvalidArgument,
            _ => "Choose another profile, or name a user: -Custom @{ securityContext = @{ runAsUser = ... } }."),
        [Causes.StartTimeout] = new(ErrorId.StartTimeout, ErrorCategory.OperationTimeout,
            f => f.Detail(VirtualNode.Detail) is string node
                ? $"Nothing was heard of it: '{node}' may be a virtual node, which starts no debug containers (kubectl "
                    + "get node shows its labels). Else -TimeoutSeconds waits longer."
                : "-TimeoutSeconds waits longer."),
        [Causes.DebugContainerGone] = new(ErrorId.DebugContainerGone, ErrorCategory.ResourceUnavailable,
            f => $"{f.Start("")} starts a new one."),
        [Causes.NotPyDebug] = new(ErrorId.NotPyDebug, ErrorCategory.SecurityError,
            f => $"Nothing was run in it. {f.Start("")} makes a session."),
        [LocalCause.CustomInvalid] = new(ErrorId.CustomInvalid, ErrorCategory.InvalidArgument,
            _ => "-Custom takes a partial container as a hashtable or JSON; name, command and target stay ours."),

        // The server and the way to it.
        [Causes.Forbidden] = new(ErrorId.Forbidden, ErrorCategory.PermissionDenied, Advice.ForForbidden),
        [Causes.Unauthorized] = new(ErrorId.Unauthorized, ErrorCategory.AuthenticationError,
            _ => "Log in again, or pass a fresh token with -AccessToken."),
        [Causes.ConnectionFailed] = new(ErrorId.ConnectionFailed, ErrorCategory.ConnectionError,
            f => Advice.ForCut(f) ?? (f.Detail("proxy") is string proxy
                ? $"Check the proxy, {proxy}; NO_PROXY names servers that are reached without that of the environment."
                : "Check the server's address (-Context, -Server) and that this machine can reach it.")),
        [Causes.TlsFailed] = new(ErrorId.TlsFailed, ErrorCategory.SecurityError,
            _ => "Check the server's name and the certificate authority (kubeconfig, or -CertificateAuthorityData)."),
        [Causes.RequestFailed] = new(ErrorId.RequestFailed, ErrorCategory.InvalidResult,
            _ => "The server's own words are in the exception's ServerMessage."),
        [Causes.KubeconfigInvalid] = new(ErrorId.KubeconfigInvalid, ErrorCategory.InvalidData,
            f => f.Detail("parameter") is string name ? $"Check {name}." : "Check -Kubeconfig and $env:KUBECONFIG."),
        [Causes.KubeconfigUnsupported] = new(ErrorId.KubeconfigUnsupported, ErrorCategory.NotImplemented,
            _ => "Connect with -Server, -AccessToken and -CertificateAuthorityData instead."),
        [Causes.ContextNotFound] = new(ErrorId.ContextNotFound, ErrorCategory.ObjectNotFound,
            f => f.Detail("contexts") is string names
                ? $"The kubeconfig has {names}."
                : "Check -Context and -Kubeconfig."),
        [Causes.ExecPluginFailed] = new(ErrorId.ExecPluginFailed, ErrorCategory.AuthenticationError,
            _ => "Run the login helper by hand, or connect with -Server and -AccessToken."),
        [Causes.ExecFailed] = new(ErrorId.ExecFailed, ErrorCategory.InvalidResult,
            _ => "Nothing was begun; the node's own words are in the message. Get-PodDebug says whether the debug "
                + "container still runs."),
        [Causes.NodeUnreachable] = new(ErrorId.NodeUnreachable, ErrorCategory.ConnectionError,
            _ => "Nothing was begun. Try again once the node is ready: kubectl get node."),
        [Causes.PeerSilent] = new(ErrorId.PeerSilent, ErrorCategory.ConnectionError,
            _ => "The connection or the node may be down; try again."),
        [Causes.OutcomeUnknown] = new(ErrorId.OutcomeUnknown, ErrorCategory.ConnectionError,
            f => Advice.ForCut(f) ?? "The connection ended early: what was received is not used. Try again."),
        [Causes.ProtocolError] = new(ErrorId.ProtocolError, ErrorCategory.ProtocolError,
            f => $"Something else answers in the debug container: {f.Start("-Force")} starts another one."),
        [Causes.Timeout] = new(ErrorId.OperationTimeout, ErrorCategory.OperationTimeout,
            f => f.Detail("limit") == "fixed"
                ? "The server or the node is slow or busy: try again later. That limit is fixed."
                : "-TimeoutSeconds waits longer."),
        [Causes.AgentStartFailed] = new(
            ErrorId.AgentStartFailed, ErrorCategory.InvalidResult, Advice.ForAgentStart),

        // The process.
        [AgentCause.ProcessGone] = new(ErrorId.ProcessGone, ErrorCategory.ObjectNotFound,
            _ => "Get-PyProcess lists those that run now."),
        [AgentCause.ProcessOutside] = new(ErrorId.ProcessOutside, ErrorCategory.InvalidArgument,
            _ => "Get-PyProcess lists the target's; Start-PodDebug -ContainerName makes a session for another one."),
        [AgentCause.NoPython] = new(ErrorId.NoPython, ErrorCategory.ObjectNotFound,
            f => Advice.ForPythonStack(f)
                ?? "Get-PyProcess lists the Python processes; Start-PodDebug -ContainerName names another container."),
        [AgentCause.NotCPython] = new(ErrorId.NotCPython, ErrorCategory.NotImplemented,
            f => Advice.ForPythonStack(f) ?? "Only CPython can be read from outside."),
        [AgentCause.UnsupportedPython] = new(ErrorId.UnsupportedPython, ErrorCategory.NotImplemented,
            f => Advice.ForPythonStack(f)
                ?? (f.Detail("what") == "tasks"
                    ? "Get-PyStack shows the threads that run its event loops."
                    : "Invoke-PySpy reads some interpreters that Get-PyStack does not.")),
        [AgentCause.PtraceDenied] = new(ErrorId.PtraceDenied, ErrorCategory.PermissionDenied, Advice.ForPtrace),
        [AgentCause.NoCtypes] = new(ErrorId.NoCtypes, ErrorCategory.NotInstalled,
            _ => "Name an image whose Python has the module _ctypes: Start-PodDebug -Image."),
        [AgentCause.PythonStarting] = new(ErrorId.PythonStarting, ErrorCategory.ResourceUnavailable,
            _ => "Try again in a moment."),
        [AgentCause.AsyncioNotLoaded] = new(ErrorId.AsyncioNotLoaded, ErrorCategory.ObjectNotFound,
            f => f.Detail("greenlets") is null
                ? "It has no tasks; Get-PyStack shows its threads."
                : "Greenlets are no tasks: Get-PyStack shows the one that runs on each thread, and those that wait "
                    + "nowhere."),
        [AgentCause.HeapAllocator] = new(ErrorId.HeapAllocator, ErrorCategory.NotImplemented,
            _ => "Objects are counted in CPython's own allocator and in malloc of the GNU C library; Get-MemrayReport "
                + "sees what is allocated while it looks."),
        [AgentCause.HeapUnreadable] = new(ErrorId.HeapUnreadable, ErrorCategory.InvalidData,
            _ => "Try again; where it stays so, Get-MemrayReport sees what is allocated while it looks."),
        [AgentCause.MemoryLow] = new(ErrorId.MemoryLow, ErrorCategory.ResourceUnavailable, Advice.ForMemory),
        [AgentCause.BadRequest] = new(ErrorId.BadRequest, ErrorCategory.InvalidArgument,
            _ => "Check the parameters."),
        [AgentCause.Deadline] = new(ErrorId.OperationTimeout, ErrorCategory.OperationTimeout,
            _ => "-TimeoutSeconds waits longer."),
        [AgentCause.Cancelled] = new(ErrorId.Cancelled, ErrorCategory.OperationStopped,
            _ => "It was stopped before it was done."),
        [AgentCause.Internal] = new(ErrorId.InternalError, ErrorCategory.InvalidResult,
            _ => "This is a fault in PyDebug's agent; please report it with the message."),
        [LocalCause.Unexpected] = new(ErrorId.InternalError, ErrorCategory.InvalidResult,
            _ => "This is a fault in PyDebug; please report it with the exception's text."),
        [Causes.ModuleDamaged] = new(ErrorId.ModuleDamaged, ErrorCategory.NotInstalled,
            _ => "Start a new PowerShell; where it comes again there, install the module anew."),
        [LocalCause.ResultInvalid] = new(ErrorId.ResultInvalid, ErrorCategory.ParserError,
            _ => "The agent's answer could not be read. Try again; the target may have changed meanwhile."),

        // The kernel's sampler, where it was asked for by name.
        [AgentCause.NoCapability] = new(ErrorId.NoCapability, ErrorCategory.PermissionDenied,
            f => Advice.ForSampler(AgentCause.NoCapability, f)),
        [AgentCause.NoBtf] = new(ErrorId.NoBtf, ErrorCategory.NotImplemented,
            f => Advice.ForSampler(AgentCause.NoBtf, f)),
        [AgentCause.Lockdown] = new(ErrorId.Lockdown, ErrorCategory.PermissionDenied,
            f => Advice.ForSampler(AgentCause.Lockdown, f)),
        [AgentCause.Seccomp] = new(ErrorId.Seccomp, ErrorCategory.PermissionDenied,
            f => Advice.ForSampler(AgentCause.Seccomp, f)),
        [AgentCause.OldPython] = new(ErrorId.OldPython, ErrorCategory.NotImplemented,
            f => Advice.ForPythonStack(f) ?? Advice.ForSampler(AgentCause.OldPython, f)),
        [AgentCause.Kernel] = new(ErrorId.KernelSamplerFailed, ErrorCategory.NotImplemented,
            f => Advice.ForSampler(AgentCause.Kernel, f)),
        [AgentCause.TooManySwitches] = new(ErrorId.TooManySwitches, ErrorCategory.LimitsExceeded,
            _ => "Without -Exact the waits are sampled, which costs nothing at a switch; -Force takes all of them."),
        [AgentCause.NoTracefs] = new(ErrorId.NoTracefs, ErrorCategory.ResourceUnavailable,
            f => $"{f.Start("-For Bpftrace -Image IMAGE")} may mount it (profile SysAdmin: privileged)."),
        [AgentCause.TooManyThreads] = new(ErrorId.TooManyThreads, ErrorCategory.LimitsExceeded,
            _ => "Measure-PyTime -Method Memory and Get-PyStack read up to 10000 threads; -Exact needs a descriptor "
                + "for each."),

        // memray within the process.
        [AgentCause.AmbiguousProcess] = new(
            ErrorId.ProcessAmbiguous, ErrorCategory.InvalidArgument, Advice.ForProcesses),
        [AgentCause.ProcessTraced] = new(ErrorId.ProcessTraced, ErrorCategory.ResourceBusy, Advice.ForTracer),
        [AgentCause.MemrayNoPayload] = new(ErrorId.MemrayNoPayload, ErrorCategory.NotImplemented, Advice.ForPayload),
        [AgentCause.MemrayBusy] = new(ErrorId.MemrayBusy, ErrorCategory.ResourceBusy,
            f => f.Detail("by") == "memray"
                ? "The application tracks itself with memray; its own capture has what is asked for."
                : "Another report runs there: wait for its end, then try again."),
        [AgentCause.MemrayNoPlace] = new(ErrorId.MemrayNoPlace, ErrorCategory.ResourceUnavailable,
            f => f.Start("-Force -Custom @{ securityContext = @{ readOnlyRootFilesystem = $false } }")
                + " starts a debug container that may write."),
        [AgentCause.MemrayRehearsal] = new(
            ErrorId.MemrayRehearsal, ErrorCategory.InvalidResult, Advice.ForRehearsal),
        [AgentCause.MemrayUnsafe] = new(ErrorId.MemrayUnsafe, ErrorCategory.InvalidOperation, Advice.ForInjection),
        [AgentCause.MemrayNoAnswer] = new(ErrorId.MemrayNoAnswer, ErrorCategory.OperationTimeout,
            _ => "The message says what is left in the process. Its threads were in other work "
                + "all the time: try again."),
        [AgentCause.MemrayFailed] = new(ErrorId.MemrayFailed, ErrorCategory.InvalidResult,
            _ => "The process runs on; the message has memray's own words, and what is left of it in the process."),
        [AgentCause.CaptureInvalid] = new(ErrorId.CaptureInvalid, ErrorCategory.InvalidData,
            _ => "A capture is read by the version of memray that wrote it, and only where it is whole."),
        [LocalCause.ConfirmationNeeded] = new(ErrorId.ConfirmationNeeded, ErrorCategory.InvalidOperation,
            _ => "-Confirm:$false does it without asking; -WhatIf says what would be done. Nothing was done."),

        // Programs for bpftrace.
        [LocalCause.ProgramInvalid] = new(ErrorId.ProgramInvalid, ErrorCategory.InvalidArgument,
            _ => "-WhatIf prints the program as it would run."),
        [LocalCause.ProgramRejected] = new(ErrorId.ProgramRejected, ErrorCategory.InvalidOperation,
            _ => "The kernel's verifier refuses it: shorter loops, fewer and shorter texts make it acceptable."),
        [LocalCause.ProbeUnavailable] = new(ErrorId.ProbeUnavailable, ErrorCategory.ObjectNotFound,
            _ => "The node's kernel, or the file, has no such probe. Files of the application "
                + "lie below /proc/PID/root."),
        [LocalCause.ProbeNotScoped] = new(ErrorId.ProbeNotScoped, ErrorCategory.InvalidArgument,
            _ => "The word 'target' in its predicate or body says where the target's threads are meant; -Scope Node "
                + "lets it see the whole node."),

        [LocalCause.PythonStackMisplaced] = new(ErrorId.PythonStackMisplaced, ErrorCategory.InvalidArgument,
            _ => "It is that of the current thread: a probe that fires in the target's threads has it, in its body."),

        // Tools and files.
        [AgentCause.ToolFailed] = new(ErrorId.ToolFailed, ErrorCategory.InvalidResult,
            f => f.Detail("reason") switch
            {
                "stopped" => "Let it continue (SIGCONT), then try again. Get-PyStack reads it as it stands.",
                "path" => "The application replaced the file, or gave it such a name. Probes that need none of its "
                    + "files, such as tracepoints, can be had; so can another process (-ProcessId).",
                "unread" => "Get-PyStack and Measure-PyTime may read it; stacks of more than 4,096 frames are one "
                    + "thing that py-spy cannot.",
                _ => "The tool's own words are in the message.",
            }),
        [AgentCause.ToolUnavailable] = new(ErrorId.ToolUnavailable, ErrorCategory.NotInstalled,
            f => f.Detail("advice") ?? (Advice.ForBpftrace(AgentCause.ToolUnavailable, f) is { Length: > 0 } advice
                ? advice
                : "Build the module where the tool's wheel can be had: PIP_FIND_LINKS names a folder that has it. "
                    + "Get-PyStack needs no tool.")),
        [LocalCause.ToolOutputInvalid] = new(ErrorId.ToolOutputInvalid, ErrorCategory.ParserError,
            f => f.Detail("advice") ?? "The tool's output could not be read."),
        [AgentCause.FileNotFound] = new(ErrorId.FileNotFound, ErrorCategory.ObjectNotFound,
            Advice.ForMissingFile),
        [AgentCause.FileNotRegular] = new(ErrorId.FileNotRegular, ErrorCategory.InvalidType,
            f => f.Detail("what") == "directory" ? "-Recurse copies a folder." : "Only regular files are copied."),
        [LocalCause.FilesLeftOut] = new(ErrorId.FilesLeftOut, ErrorCategory.ReadError,
            _ => "The warnings name them, and say why. All others were copied."),
        [AgentCause.FileDenied] = new(ErrorId.FileDenied, ErrorCategory.PermissionDenied, Advice.ForFile),
        [AgentCause.FileExists] = new(ErrorId.FileExists, ErrorCategory.ResourceExists,
            _ => "-Force replaces it."),
        [AgentCause.FileChanged] = new(ErrorId.FileChanged, ErrorCategory.InvalidData,
            _ => "It was written to while it was read; try again when it rests."),
        [AgentCause.DiskFull] = new(ErrorId.DiskFull, ErrorCategory.ResourceUnavailable,
            f => f.Detail("advice") ?? "Free some room, or choose another place."),
        [LocalCause.DestinationExists] = new(ErrorId.DestinationExists, ErrorCategory.ResourceExists,
            f => f.Detail("advice") ?? "Without -NoClobber it is replaced."),
        [LocalCause.DestinationInvalid] = new(ErrorId.DestinationInvalid, ErrorCategory.WriteError,
            f => f.Detail("advice") ?? "Check the path: the folder must exist and be writable."),
        [LocalCause.SourceInvalid] = new(ErrorId.SourceInvalid, ErrorCategory.ReadError,
            f => f.Detail("advice") ?? "Check the path: it must be a regular file that can be read."),
        [LocalCause.LimitExceeded] = new(ErrorId.LimitExceeded, ErrorCategory.LimitsExceeded,
            f => f.Detail("advice") ?? (f.Detail("what") == "files"
                ? "Copy its folders one by one, or leave some out with -Exclude. Nothing was copied."
                : "Nothing of it was taken.")),
        [LocalCause.FollowLimit] = new(ErrorId.FollowLimit, ErrorCategory.LimitsExceeded,
            _ => "It goes again and again: kubectl describe pod and kubectl logs --previous say why. Each time a debug "
                + "container was added to it."),
        [LocalCause.ParameterInvalid] = new(ErrorId.ParameterInvalid, ErrorCategory.InvalidArgument,
            f => f.Detail("advice") ?? "Get-Help shows how the parameters go together."),
    };

    /// <summary>Every cause that has an entry.</summary>
    public static IReadOnlyCollection<string> Known => s_entries.Keys;

    /// <summary>The entry of a cause; a cause that nobody knows is an unexpected failure.</summary>
    public static ErrorEntry Find(string cause)
        => s_entries.TryGetValue(cause, out ErrorEntry? entry) ? entry : s_entries[LocalCause.Unexpected];
}
