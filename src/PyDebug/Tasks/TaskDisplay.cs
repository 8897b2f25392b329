
namespace PyDebug.Internal;

/// <summary>What the views of tasks and of groups of them have their cells from.</summary>
internal static class TaskDisplay
{
    /// <summary>The heading above a process's tasks.</summary>
    public static string Heading(PyTask task) => Heading(task, task.ProcessId, task.PythonVersion, task.Place);

    /// <summary>The heading above a process's groups of tasks.</summary>
    public static string Heading(PyTaskGroup group)
        => Heading(group, group.ProcessId, group.PythonVersion, group.Place);

    private static string Heading(IOfPod item, int process, string? version, TaskPlace? place)
    {
        string end = place switch
        {
            null => "",
            { HeldMicroseconds: double time } => $"  (held for {Amounts.Length(time / 1e6)})",
            _ => "  (nothing was held)",
        };
        return Display.ProcessHeading(item, process, null, version, end);
    }
}
