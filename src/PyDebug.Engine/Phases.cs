namespace PyDebug.Engine;

/// <summary>What was being done when something failed.</summary>
internal static class Phases
{
    /// <summary>The server was looked for, logged in to or asked.</summary>
    public const string Connect = nameof(Connect);

    /// <summary>A debug container was added and waited for.</summary>
    public const string Start = nameof(Start);

    /// <summary>The agent was at work on the question.</summary>
    public const string Run = nameof(Run);

    /// <summary>A file was on its way.</summary>
    public const string Transfer = nameof(Transfer);
}
