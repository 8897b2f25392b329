using System;
using PyDebug.Internal;

namespace PyDebug.Profiles;

/// <summary>How a sample's time was spent: on a CPU, or why not. Empty where that is not known.</summary>
/// <param name="Reason">The reason, as <see cref="StackSample.Reason"/> has it.</param>
/// <param name="Call">The system call, where there was one.</param>
internal readonly record struct SampleState(string? Reason, string? Call)
{
    /// <summary>The state of a sample of a profile.</summary>
    public static SampleState Of(StackSample sample) => new(sample.Reason, sample.Call);

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static SampleState Parse(string? text)
    {
        if (string.IsNullOrEmpty(text))
        {
            return default;
        }

        int cut = text.IndexOf(' ', StringComparison.Ordinal);
        return cut < 0 ? new SampleState(text, null) : new SampleState(text[..cut], text[(cut + 1)..]);
    }

    /// <summary>The frame that stands for it where a format knows nothing but frames; null for none.</summary>
    public StackFrame? Frame()
        => Reason is null ? null : new StackFrame { Name = $"[{TimeReason.Label(Reason, Call)}]" };

    /// <summary>The reason and the call.</summary>
    public override string ToString() => Call is null ? Reason ?? "" : $"{Reason} {Call}";
}
