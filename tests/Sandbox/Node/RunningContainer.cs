using System;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>A container that runc started: its process, its log, its end.</summary>
internal sealed class RunningContainer
{
    private readonly NodeContext _node;
    private readonly Process _runner;
    private readonly bool _limited;
    private bool _killed;

    private RunningContainer(NodeContext node, string id, bool limited, Process runner, int pid, ContainerLog log)
    {
        _node = node;
        _limited = limited;
        _runner = runner;
        Id = id;
        Pid = pid;
        Log = log;
        Ended = WaitAsync();
    }

    public string Id { get; }

    /// <summary>The container's first process, as the host numbers it.</summary>
    public int Pid { get; }

    public DateTime StartedAt { get; } = DateTime.UtcNow;

    public ContainerLog Log { get; }

    /// <summary>Ends with the exit code and the reason once the container is gone and its mounts are removed.</summary>
    public Task<(int ExitCode, string Reason)> Ended { get; }

    /// <summary>The container's standard input.</summary>
    public Stream Input => _runner.StandardInput.BaseStream;

    public static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));

    /// <summary>Starts a container whose root file system is mounted already.</summary>
    /// <exception cref="ContainerFailure">runc could not start it.</exception>
    public static async Task<RunningContainer> StartAsync(
        NodeContext node, string id, ContainerSetup setup, ContainerLog log, bool keepInput)
    {
        string home = node.ContainerHome(id);
        string pidFile = Path.Combine(home, "pid");
        string runcLog = Path.Combine(home, "runc.log");
        await File.WriteAllBytesAsync(Path.Combine(home, "config.json"), OciSpec.Build(setup).ToBytes())
            .ConfigureAwait(false);
        Process runner = node.Runc.Run(id, home, pidFile, runcLog);
        if (!keepInput)
        {
            runner.StandardInput.Close();
        }

        int? pid = await WaitForPidAsync(runner, pidFile).ConfigureAwait(false);
        if (pid is null)
        {
            string message = Runc.LastError(runcLog)
                ?? (await runner.StandardError.ReadToEndAsync().ConfigureAwait(false)).Trim();
            runner.Dispose();
            throw new ContainerFailure("RunContainerError", "failed to create containerd task: failed to create shim "
                + "task: OCI runtime create failed: " + message.Replace("runc run failed", "runc create failed",
                    StringComparison.Ordinal));
        }

        return new RunningContainer(node, id, setup.MemoryLimit is not null, runner, pid.Value, log);
    }

    /// <summary>Waits until runc wrote the process's number, or ended without.</summary>
    public static async Task<int?> WaitForPidAsync(Process runner, string pidFile)
    {
        Task ended = runner.WaitForExitAsync();
        while (true)
        {
            bool last = ended.IsCompleted;
            if (File.Exists(pidFile))
            {
                string text = await File.ReadAllTextAsync(pidFile).ConfigureAwait(false);
                return int.Parse(text, CultureInfo.InvariantCulture);
            }

            if (last)
            {
                return null;
            }

            await Task.WhenAny(ended, Task.Delay(4)).ConfigureAwait(false);
        }
    }

    public Task KillAsync(string signal)
    {
        _killed |= signal == "KILL";
        return _node.Runc.KillAsync(Id, signal);
    }

    private async Task<(int ExitCode, string Reason)> WaitAsync()
    {
        Task output = Task.WhenAll(
            Log.CaptureAsync(_runner.StandardOutput.BaseStream, "stdout"),
            Log.CaptureAsync(_runner.StandardError.BaseStream, "stderr"));
        await _runner.WaitForExitAsync().ConfigureAwait(false);
        await output.ConfigureAwait(false);
        Log.End();
        int code = _runner.ExitCode;
        _runner.Dispose();

        // The group and its counters are gone by now. A SIGKILL that was not ours is the kernel's, for want of memory.
        string reason = code == 0 ? "Completed" : _limited && code == 137 && !_killed ? "OOMKilled" : "Error";
        return (code, reason);
    }
}
