using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Management.Automation;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>
/// Lets work on other threads write to the pipeline: what it writes waits in a bounded queue until the pipeline's own
/// thread takes it.
/// </summary>
internal sealed class PipelineWriter(ChannelWriter<Action<AsyncCommandBase>> queue)
{
    private readonly ConcurrentDictionary<string, bool> _warned = new();

    public ValueTask WriteObjectAsync(object value, CancellationToken ct)
        => queue.WriteAsync(c => c.WriteObject(value), ct);

    /// <summary>Writes an object where a test on the pipeline's own thread says so; what that throws ends it.</summary>
    public ValueTask TestAsync(object value, Func<object, bool> test, CancellationToken ct)
        => queue.WriteAsync(
            c =>
            {
                if (test(value))
                {
                    c.WriteObject(value);
                }
            },
            ct);

    /// <summary>Writes objects that belong together, with nothing of another pod in between.</summary>
    public ValueTask WriteAllAsync(IReadOnlyList<object> values, CancellationToken ct)
        => queue.WriteAsync(c => c.WriteObject(values, enumerateCollection: true), ct);

    /// <summary>Writes a file of this machine as <c>Get-Item</c> would.</summary>
    public ValueTask WriteFileAsync(string path, CancellationToken ct)
        => queue.WriteAsync(c => c.WriteObject(Item(c, path), enumerateCollection: true), ct);

    public ValueTask WriteErrorAsync(ErrorRecord error, CancellationToken ct)
        => queue.WriteAsync(c => c.WriteError(error), ct);

    public ValueTask WriteWarningAsync(string text, CancellationToken ct)
        => queue.WriteAsync(c => c.Warn(SafeText.Line(text)), ct);

    /// <summary>Writes a warning where a test that is made behind all that was written before says no.</summary>
    public ValueTask WarnUnlessAsync(Func<bool> test, string text, CancellationToken ct)
        => queue.WriteAsync(
            c =>
            {
                if (!test())
                {
                    c.Warn(SafeText.Line(text));
                }
            },
            ct);

    public ValueTask WriteVerboseAsync(string text, CancellationToken ct)
        => queue.WriteAsync(c => c.WriteVerbose(SafeText.Line(text)), ct);

    /// <summary>Writes a warning from code that cannot wait; one that finds the queue closed is dropped.</summary>
    public void Warn(string text) => Post(c => c.Warn(SafeText.Line(text)));

    /// <summary>Writes a warning that was not written before: what holds of many pods is said once.</summary>
    public void WarnOnce(string text)
    {
        if (_warned.TryAdd(text, true))
        {
            Warn(text);
        }
    }

    /// <summary>Writes to the verbose stream from code that cannot wait, likewise.</summary>
    public void Tell(string text) => Post(c => c.WriteVerbose(SafeText.Line(text)));

    /// <summary>Shows progress. A report that finds the queue full is dropped: a later one follows.</summary>
    public void WriteProgress(ProgressRecord record) => queue.TryWrite(c => c.ShowProgress(record));

    /// <summary>Asks whether to go on, as -WhatIf and -Confirm say.</summary>
    public Task<bool> ShouldProcessAsync(string target, string action, CancellationToken ct)
        => AskAsync(target, action, static _ => null, ct);

    /// <summary>Asks the same before something that nobody may have meant: a host that cannot ask does not.</summary>
    /// <param name="target">What it is done to; the failure's target.</param>
    /// <param name="name">The same in words.</param>
    /// <param name="action">What is done.</param>
    /// <param name="ct">Stops the wait.</param>
    /// <exception cref="PyDebugException">The host cannot ask.</exception>
    public Task<bool> ConfirmAsync(PodTarget target, string name, string action, CancellationToken ct)
        => AskAsync(
            name,
            action,
            e => e is PipelineStoppedException
                ? null
                : ErrorFactory.Local(
                    LocalCause.ConfirmationNeeded,
                    $"This host cannot ask whether to {action} on {name}.",
                    target),
            ct);

    private void Post(Action<AsyncCommandBase> action)
    {
        ValueTask write = queue.TryWrite(action) ? ValueTask.CompletedTask : queue.WriteAsync(action);
        if (!write.IsCompleted)
        {
            _ = write.AsTask().ContinueWith(static t => t.Exception, TaskScheduler.Default);
        }
    }

    /// <summary>
    /// The provider takes a backslash for a slash everywhere, and finds no file that has one in its name.
    /// </summary>
    private static object Item(AsyncCommandBase cmdlet, string path)
    {
        try
        {
            return cmdlet.InvokeProvider.Item.Get([path], force: true, literalPath: true);
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            return new FileInfo(path);
        }
    }

    private async Task<bool> AskAsync(
        string target,
        string action,
        Func<Exception, PyDebugException?> explain,
        CancellationToken ct)
    {
        TaskCompletionSource<bool> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await queue.WriteAsync(
            c =>
            {
                try
                {
                    answer.TrySetResult(c.ShouldProcess(SafeText.Line(target), SafeText.Line(action)));
                }
                catch (Exception e)
                {
                    if (explain(e) is PyDebugException failure)
                    {
                        answer.TrySetException(failure);
                        return;
                    }

                    answer.TrySetCanceled(CancellationToken.None);
                    throw;
                }
            },
            ct).ConfigureAwait(false);
        return await answer.Task.WaitAsync(ct).ConfigureAwait(false);
    }
}
