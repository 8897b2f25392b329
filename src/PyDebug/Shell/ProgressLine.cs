using System;
using System.Management.Automation;
using System.Threading;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>The progress bar of one pod; goes away when it is disposed.</summary>
internal sealed class ProgressLine(PipelineWriter writer, string activity, PodTarget target) : IDisposable
{
    private static int s_last;

    private readonly int _id = Interlocked.Increment(ref s_last) & int.MaxValue;

    private readonly string _activity = $"{activity} {target}";

    private bool _shown;

    /// <summary>Shows what is going on.</summary>
    public void Show(string text) => Show(text, percent: -1);

    /// <summary>Shows what is going on, and how much of it is done.</summary>
    public void Show(string text, int percent)
    {
        string status = SafeText.Line(text, 200);
        if (status.Length == 0)
        {
            return;
        }

        _shown = true;
        writer.WriteProgress(new ProgressRecord(_id, _activity, status)
        {
            PercentComplete = Math.Clamp(percent, -1, 100),
        });
    }

    public void Dispose()
    {
        if (_shown)
        {
            writer.WriteProgress(new ProgressRecord(_id, _activity, "Done")
            {
                RecordType = ProgressRecordType.Completed,
            });
        }
    }
}
