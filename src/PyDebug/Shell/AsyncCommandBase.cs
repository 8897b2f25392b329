using System;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Threading;
using System.Threading.Channels;
using System.Threading.Tasks;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// Base of cmdlets that work on other threads. However the pipeline ends (Ctrl+C, <c>Select-Object -First</c>,
/// <c>-ErrorAction Stop</c>), the work is cancelled and its clean-up waited for before the cmdlet returns.
/// </summary>
public abstract class AsyncCommandBase : PSCmdlet, IDisposable
{
    private const int QueueCapacity = 256;

    private static readonly TimeSpan s_cleanUpLimit = TimeSpan.FromSeconds(4.5);

    private readonly CancellationTokenSource _stopping = new();

    private bool _progressFails;

    /// <summary>Releases what the cmdlet holds.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Writes a warning; a host that cannot show any does not end the work.</summary>
    internal void Warn(string text)
    {
        try
        {
            WriteWarning(text);
        }
        catch (Exception e) when (e is HostException or NotImplementedException or NotSupportedException)
        {
            WriteVerbose(text);
        }
    }

    /// <summary>Shows progress, unless the host turned out not to be able to.</summary>
    internal void ShowProgress(ProgressRecord record)
    {
        if (_progressFails)
        {
            return;
        }

        try
        {
            WriteProgress(record);
        }
        catch (Exception e) when (e is HostException or NotImplementedException or NotSupportedException)
        {
            _progressFails = true;
        }
    }

    /// <summary>Sees to it that the module is whole: what cannot be loaded is one error.</summary>
    protected override void BeginProcessing()
    {
        try
        {
            ModuleFiles.RequireEngine();
        }
        catch (PyDebugException e)
        {
            ThrowTerminatingError(e.ErrorRecord);
        }
    }

    /// <summary>Cancels the work.</summary>
    protected override void StopProcessing() => _stopping.Cancel();

    /// <summary>Releases what the cmdlet holds.</summary>
    /// <param name="disposing">Whether this is not a finaliser.</param>
    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>Runs work on another thread and writes what it hands over until it is done.</summary>
    private protected void Run(Func<PipelineWriter, CancellationToken, Task> work)
    {
        CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        Channel<Action<AsyncCommandBase>> queue = Channel.CreateBounded<Action<AsyncCommandBase>>(
            new BoundedChannelOptions(QueueCapacity) { SingleReader = true });
        Task worker = Task.Run(() => WorkAsync(work, queue.Writer, cancel.Token));
        try
        {
            while (queue.Reader.WaitToReadAsync(_stopping.Token).AsTask().GetAwaiter().GetResult())
            {
                while (queue.Reader.TryRead(out Action<AsyncCommandBase>? write))
                {
                    write(this);
                }
            }
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            CleanUp(cancel, queue.Reader, worker);
            throw new PipelineStoppedException();
        }
        catch
        {
            CleanUp(cancel, queue.Reader, worker);
            throw;
        }

        cancel.Dispose();
        try
        {
            worker.GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            // Not even its own failure could be told.
            ThrowTerminatingError(ErrorFactory.From(e, target: null).ErrorRecord);
        }
    }

    private static async Task WorkAsync(
        Func<PipelineWriter, CancellationToken, Task> work,
        ChannelWriter<Action<AsyncCommandBase>> queue,
        CancellationToken ct)
    {
        try
        {
            await work(new PipelineWriter(queue), ct).ConfigureAwait(false);
        }
        catch (Exception) when (ct.IsCancellationRequested)
        {
            // The pipeline ended and nobody reads any more.
        }
        catch (Exception e)
        {
            ErrorRecord error = ErrorFactory.From(e, target: null).ErrorRecord;
            await queue.WriteAsync(c => c.WriteError(error), CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            queue.TryComplete();
        }
    }

    private static void CleanUp(
        CancellationTokenSource cancel,
        ChannelReader<Action<AsyncCommandBase>> queue,
        Task worker)
    {
        cancel.Cancel();
        _ = DiscardAsync(queue);
        if (worker.Wait(s_cleanUpLimit))
        {
            cancel.Dispose();
        }
    }

    private static async Task DiscardAsync(ChannelReader<Action<AsyncCommandBase>> queue)
    {
        await foreach (Action<AsyncCommandBase> _ in queue.ReadAllAsync().ConfigureAwait(false))
        {
            // Writers must not wait for a reader that has gone.
        }
    }
}
