namespace PyDebug.Internal;

/// <summary>Why a thread is where it is: the words of reports and pictures of time.</summary>
internal static class TimeReason
{
    public const string Cpu = "Cpu";
    public const string Fault = "Fault";
    public const string Gil = "Gil";
    public const string Io = "Io";
    public const string Lock = "Lock";
    public const string Other = "Other";
    public const string Poll = "Poll";
    public const string Preempted = "Preempted";
    public const string Runnable = "Runnable";
    public const string Sleep = "Sleep";
    public const string Stopped = "Stopped";
    public const string Unproven = "Unproven";

    /// <summary>A reason in a word: <c>GIL</c>, <c>lock</c>, or the system call where that says more.</summary>
    public static string Label(string reason, string? call) => reason switch
    {
        Cpu => "CPU",
        Gil => "GIL",
        Lock => "lock",
        Sleep => "sleep",
        Poll => Named(call, "poll"),
        Io => Named(call, "I/O"),
        Fault => "page fault",
        Runnable => "runnable",
        Preempted => "preempted",
        Stopped => "stopped",
        Unproven => "unproven",
        _ => Named(call, "other"),
    };

    /// <summary>What a reason means.</summary>
    public static string Meaning(string reason) => reason switch
    {
        Cpu => "on a CPU",
        Gil => "waiting for the global interpreter lock",
        Lock => "waiting for a lock",
        Sleep => "sleeping",
        Poll => "waiting for one of several descriptors",
        Io => "waiting in a system call",
        Fault => "waiting for a page of memory",
        Runnable => "ready to run, with no CPU free",
        Preempted => "ready to run, its CPU taken away",
        Stopped => "stopped from outside",
        Unproven => "waits too short to be read for certain",
        _ => "waiting for something else",
    };

    private static string Named(string? call, string otherwise)
        => string.IsNullOrEmpty(call) ? otherwise : SafeText.Line(call, 40);
}
