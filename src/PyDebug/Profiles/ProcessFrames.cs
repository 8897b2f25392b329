using System.Collections.Generic;
using System.Globalization;
using System.Text.RegularExpressions;

namespace PyDebug.Profiles;

/// <summary>
/// py-spy <c>--subprocesses</c> puts each process and its ancestors around the stacks, as frames
/// <c>process 8:"command line"</c> without a file. They are facts about the process, not functions.
/// </summary>
internal static partial class ProcessFrames
{
    /// <summary>
    /// How many outermost frames are such frames. They are if the last of them names the process itself.
    /// </summary>
    /// <param name="stack">The frames' numbers, outermost first.</param>
    /// <param name="frames">The frames.</param>
    /// <param name="processId">The process; null where the file does not say, which is a file without such
    /// frames.</param>
    /// <param name="commandLine">The process's command line, once it was seen.</param>
    public static int Count(int[] stack, IReadOnlyList<StackFrame> frames, int? processId, ref string? commandLine)
    {
        int found = 0;
        if (processId is null)
        {
            return found;
        }

        for (int i = 0; i < stack.Length; i++)
        {
            StackFrame frame = frames[stack[i]];
            if (frame.FileName.Length > 0 || frame.Line is not null)
            {
                break;
            }

            Match match = Form().Match(frame.Name);
            if (!match.Success)
            {
                break;
            }

            if (match.Groups["pid"].Value == processId.Value.ToString(CultureInfo.InvariantCulture))
            {
                commandLine ??= match.Groups["command"].Value;
                found = i + 1;
                break;
            }
        }

        return found;
    }

    [GeneratedRegex("""\Aprocess (?<pid>\d{1,10}):"(?<command>.*)"\z""", RegexOptions.Singleline)]
    private static partial Regex Form();
}
