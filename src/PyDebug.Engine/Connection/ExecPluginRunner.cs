using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Runs a login helper once.</summary>
internal static class ExecPluginRunner
{
    private const int MaxOutput = 1 << 20;

    private static readonly TimeSpan s_quick = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_afterEnd = TimeSpan.FromSeconds(2);

    /// <summary>Runs it and returns what it wrote.</summary>
    /// <param name="plugin">The login helper.</param>
    /// <param name="tell">Hears of the run, and of what a quick helper says besides.</param>
    /// <param name="warn">Hears what a helper says that takes its time.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="EngineException">It could not be run, failed or did not end in time.</exception>
    public static async Task<byte[]> RunAsync(
        ExecPlugin plugin, Action<string>? tell, Action<string>? warn, CancellationToken ct)
    {
        string program = Program(plugin);
        tell?.Invoke($"Login helper '{plugin.Command}' is run: {program}");
        using Process process = new() { StartInfo = StartInfo(plugin, program) };
        try
        {
            process.Start();
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            throw new EngineException(
                Causes.ExecPluginFailed, $"Login helper '{plugin.Command}' could not be started.{Hint(plugin)}", e);
        }

        HelperWords words = new(plugin.Command, tell, warn);
        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(plugin.Timeout);
        try
        {
            process.StandardInput.Close();
            MemoryStream output = new();
            Task reading = Task.WhenAll(
                ReadAsync(process.StandardOutput.BaseStream, output, limit.Token),
                words.ReadAsync(process.StandardError.BaseStream, limit.Token));
            _ = reading.ContinueWith(static t => t.Exception, TaskScheduler.Default);
            Task ending = process.WaitForExitAsync(limit.Token);
            if (await Task.WhenAny(ending, Task.Delay(s_quick, limit.Token)).ConfigureAwait(false) != ending)
            {
                words.Show();
                warn?.Invoke(
                    $"Login helper '{plugin.Command}' is waited for, for {plugin.Timeout.TotalSeconds:0} s at most.");
            }

            await ending.ConfigureAwait(false);
            // What it started may hold its streams open for ever.
            await Task.WhenAny(reading, Task.Delay(s_afterEnd, limit.Token)).ConfigureAwait(false);
            if (process.ExitCode != 0)
            {
                throw new EngineException(
                    Causes.ExecPluginFailed,
                    $"Login helper '{plugin.Command}' ended with code {process.ExitCode}{Suffix(words)}");
            }

            lock (output)
            {
                return output.ToArray();
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            double seconds = plugin.Timeout.TotalSeconds;
            throw new EngineException(
                Causes.ExecPluginFailed,
                $"Login helper '{plugin.Command}' did not answer within {seconds:0} s and was ended{Suffix(words)}");
        }
        finally
        {
            Kill(process);
            words.Finish();
        }
    }

    /// <summary>What to run: a path as it is, a bare name from PATH.</summary>
    private static string Program(ExecPlugin plugin)
        => Path.IsPathFullyQualified(plugin.Command)
            ? plugin.Command
            : ProgramPath.Find(plugin.Command)
                ?? throw new EngineException(
                    Causes.ExecPluginFailed,
                    $"Login helper '{plugin.Command}' is in none of the folders that PATH "
                        + $"names in full.{Hint(plugin)}");

    private static string Hint(ExecPlugin plugin)
        => plugin.InstallHint is null ? string.Empty : $" {plugin.InstallHint.Trim()}";

    private static ProcessStartInfo StartInfo(ExecPlugin plugin, string program)
    {
        ProcessStartInfo start = new(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
        };
        foreach (string argument in plugin.Arguments)
        {
            start.ArgumentList.Add(argument);
        }

        JsonObject spec = new() { ["interactive"] = false };
        if (plugin.Cluster is not null)
        {
            spec["cluster"] = plugin.Cluster.DeepClone();
        }

        start.Environment["KUBERNETES_EXEC_INFO"] = new JsonObject
        {
            ["apiVersion"] = plugin.ApiVersion,
            ["kind"] = "ExecCredential",
            ["spec"] = spec,
        }.ToJsonString();
        foreach (KeyValuePair<string, string> entry in plugin.Environment)
        {
            start.Environment[entry.Key] = entry.Value;
        }

        return start;
    }

    private static async Task ReadAsync(Stream stream, MemoryStream kept, CancellationToken ct)
    {
        byte[] buffer = new byte[8192];
        int read;
        while ((read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
        {
            lock (kept)
            {
                kept.Write(buffer, 0, Math.Min(read, MaxOutput - (int)kept.Length));
            }
        }
    }

    private static string Suffix(HelperWords words)
        => words.Last.Length == 0 ? "." : $": {words.Last[..Math.Min(words.Last.Length, 300)]}";

    private static void Kill(Process process)
    {
        try
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or NotSupportedException)
        {
        }
    }
}
