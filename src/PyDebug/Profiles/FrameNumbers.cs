using System.Collections.Generic;

namespace PyDebug.Profiles;

/// <summary>Numbers frames by their content.</summary>
internal sealed class FrameNumbers
{
    private readonly Dictionary<StackFrame, int> _numbers = [];

    public List<StackFrame> Frames { get; } = [];

    /// <summary>The numbers of a stack's frames, outermost first.</summary>
    /// <param name="stack">The frames, innermost first.</param>
    public int[] Stack(IReadOnlyList<StackFrame> stack)
    {
        int[] numbers = new int[stack.Count];
        for (int i = 0; i < numbers.Length; i++)
        {
            StackFrame frame = stack[stack.Count - 1 - i];
            if (!_numbers.TryGetValue(frame, out int number))
            {
                number = Frames.Count;
                Frames.Add(frame);
                _numbers.Add(frame, number);
            }

            numbers[i] = number;
        }

        return numbers;
    }
}
