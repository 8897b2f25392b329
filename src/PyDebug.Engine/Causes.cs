namespace PyDebug.Engine;

/// <summary>The causes an <see cref="EngineException"/> can have. The module maps each to one error id.</summary>
internal static class Causes
{
    public const string PodNotFound = nameof(PodNotFound);
    public const string NamespaceNotFound = nameof(NamespaceNotFound);
    public const string WorkloadNotFound = nameof(WorkloadNotFound);
    public const string NoPodMatches = nameof(NoPodMatches);
    public const string NoRunningPod = nameof(NoRunningPod);
    public const string ContainerNotFound = nameof(ContainerNotFound);
    public const string PodNotRunning = nameof(PodNotRunning);
    public const string PodFinished = nameof(PodFinished);
    public const string PolicyDenied = nameof(PolicyDenied);
    public const string PolicyInvalid = nameof(PolicyInvalid);
    public const string PodDeleting = nameof(PodDeleting);
    public const string PodReplaced = nameof(PodReplaced);
    public const string PodIsWindows = nameof(PodIsWindows);
    public const string StaticPod = nameof(StaticPod);
    public const string TargetNotRunning = nameof(TargetNotRunning);
    public const string TargetRestarted = nameof(TargetRestarted);
    public const string EphemeralContainersForbidden = nameof(EphemeralContainersForbidden);
    public const string EphemeralContainersUnsupported = nameof(EphemeralContainersUnsupported);
    public const string AdmissionDenied = nameof(AdmissionDenied);
    public const string ImagePullFailed = nameof(ImagePullFailed);
    public const string ContainerStartFailed = nameof(ContainerStartFailed);
    public const string PythonNotInImage = nameof(PythonNotInImage);
    public const string TargetNotVisible = nameof(TargetNotVisible);
    public const string ImageNotNamed = nameof(ImageNotNamed);
    public const string UserUnknown = nameof(UserUnknown);
    public const string CustomInvalid = nameof(CustomInvalid);
    public const string StartTimeout = nameof(StartTimeout);
    public const string Forbidden = nameof(Forbidden);
    public const string Unauthorized = nameof(Unauthorized);
    public const string ConnectionFailed = nameof(ConnectionFailed);
    public const string TlsFailed = nameof(TlsFailed);
    public const string RequestFailed = nameof(RequestFailed);
    public const string KubeconfigInvalid = nameof(KubeconfigInvalid);
    public const string KubeconfigUnsupported = nameof(KubeconfigUnsupported);
    public const string ContextNotFound = nameof(ContextNotFound);
    public const string ExecPluginFailed = nameof(ExecPluginFailed);
    public const string ExecFailed = nameof(ExecFailed);
    public const string PeerSilent = nameof(PeerSilent);
    public const string OutcomeUnknown = nameof(OutcomeUnknown);
    public const string ProtocolError = nameof(ProtocolError);
    public const string NodeUnreachable = nameof(NodeUnreachable);
    public const string NotPyDebug = nameof(NotPyDebug);
    public const string AgentStartFailed = nameof(AgentStartFailed);
    public const string ModuleDamaged = nameof(ModuleDamaged);
    public const string LimitExceeded = nameof(LimitExceeded);
    public const string DebugContainerGone = nameof(DebugContainerGone);
    public const string MemoryLow = nameof(MemoryLow);
    public const string Timeout = nameof(Timeout);
}
