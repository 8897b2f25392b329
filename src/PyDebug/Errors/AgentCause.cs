namespace PyDebug.Errors;

/// <summary>The causes that the agent gives in its failure frames.</summary>
internal static class AgentCause
{
    public const string AmbiguousProcess = "AmbiguousProcess";
    public const string AsyncioNotLoaded = "AsyncioNotLoaded";
    public const string BadRequest = "BadRequest";
    public const string Cancelled = "Cancelled";
    public const string CaptureInvalid = "CaptureInvalid";
    public const string Deadline = "Deadline";
    public const string DiskFull = "DiskFull";
    public const string FileChanged = "FileChanged";
    public const string FileDenied = "FileDenied";
    public const string FileExists = "FileExists";
    public const string FileNotFound = "FileNotFound";
    public const string FileNotRegular = "FileNotRegular";
    public const string HeapAllocator = "HeapAllocator";
    public const string HeapUnreadable = "HeapUnreadable";
    public const string Internal = "Internal";
    public const string Kernel = "Kernel";
    public const string LimitExceeded = "LimitExceeded";
    public const string Lockdown = "Lockdown";
    public const string MemoryLow = "MemoryLow";
    public const string MemrayBusy = "MemrayBusy";
    public const string MemrayFailed = "MemrayFailed";
    public const string MemrayNoAnswer = "MemrayNoAnswer";
    public const string MemrayNoPayload = "MemrayNoPayload";
    public const string MemrayNoPlace = "MemrayNoPlace";
    public const string MemrayRehearsal = "MemrayRehearsal";
    public const string MemrayUnsafe = "MemrayUnsafe";
    public const string NoBtf = "NoBtf";
    public const string NoCapability = "NoCapability";
    public const string NoCtypes = "NoCtypes";
    public const string NoPython = "NoPython";
    public const string NoTracefs = "NoTracefs";
    public const string NotCPython = "NotCPython";
    public const string OldPython = "OldPython";
    public const string ProcessGone = "ProcessGone";
    public const string ProcessOutside = "ProcessOutside";
    public const string ProcessTraced = "ProcessTraced";
    public const string PtraceDenied = "PtraceDenied";
    public const string PythonStarting = "PythonStarting";
    public const string Seccomp = "Seccomp";
    public const string TargetNotTold = "TargetNotTold";
    public const string TargetNotVisible = "TargetNotVisible";
    public const string TooManySwitches = "TooManySwitches";
    public const string TooManyThreads = "TooManyThreads";
    public const string ToolFailed = "ToolFailed";
    public const string ToolOutputInvalid = "ToolOutputInvalid";
    public const string ToolUnavailable = "ToolUnavailable";
    public const string UnsupportedPython = "UnsupportedPython";
}
