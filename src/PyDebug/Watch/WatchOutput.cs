using System;
using System.Management.Automation;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;

namespace PyDebug.Watch;

/// <summary>Where samples go: all of them to the pipeline, or with a condition the one that makes it true.</summary>
internal sealed class WatchOutput(PipelineWriter writer, ScriptBlock? until, bool passThru, Action met)
{
    private long _count;

    private volatile bool _isMet;

    /// <summary>How many samples there were.</summary>
    public long Count => Interlocked.Read(ref _count);

    /// <summary>Whether one made the condition true.</summary>
    public bool IsMet => _isMet;

    /// <summary>Writes a sample, or tests it on the pipeline's own thread.</summary>
    public ValueTask WriteAsync(PyProcessSample sample, CancellationToken ct)
    {
        Interlocked.Increment(ref _count);
        return until is null
            ? writer.WriteObjectAsync(sample, ct)
            : writer.TestAsync(sample, value => Take(value, until), ct);
    }

    /// <summary>Whether a sample is to be written.</summary>
    private bool Take(object sample, ScriptBlock condition)
    {
        if (_isMet)
        {
            // What was on the way when another one had ended it for all.
            return false;
        }

        if (!LanguagePrimitives.IsTrue(condition.InvokeWithContext([], [new PSVariable("_", sample)])))
        {
            return passThru;
        }

        _isMet = true;
        met();
        return true;
    }
}
