using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Runs a login helper once.</summary>
internal static class ExecPluginRunner
{
    private const int MaxOutput = 1 << 20;
    private const int MaxError = 16 << 10;

    public static async Task<byte[]> RunAsync(ExecPlugin plugin, CancellationToken ct)
    {
        using Process process = new() { StartInfo = StartInfo(plugin) };
        try
        {
            process.Start();
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            string hint = plugin.InstallHint is null ? string.Empty : $" {plugin.InstallHint.Trim()}";
            throw new EngineException(
                Causes.ExecPluginFailed, $"Login helper '{plugin.Command}' could not be started.{hint}", e);
        }

        using CancellationTokenSource limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(plugin.Timeout);
        try
        {
            process.StandardInput.Close();
            Task<byte[]> output = ReadAsync(process.StandardOutput.BaseStream, MaxOutput, limit.Token);
            Task<byte[]> error = ReadAsync(process.StandardError.BaseStream, MaxError, limit.Token);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            if (process.ExitCode != 0)
            {
                string said = LastLine(await error.ConfigureAwait(false));
                throw new EngineException(
                    Causes.ExecPluginFailed,
                    $"Login helper '{plugin.Command}' ended with code {process.ExitCode}{said}");
            }

            return await output.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            double seconds = plugin.Timeout.TotalSeconds;
            throw new EngineException(
                Causes.ExecPluginFailed,
                $"Login helper '{plugin.Command}' did not answer within {seconds:0} s and was ended.");
        }
        finally
        {
            Kill(process);
        }
    }

    private static ProcessStartInfo StartInfo(ExecPlugin plugin)
    {
        ProcessStartInfo start = new(plugin.Command)
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

    private static async Task<byte[]> ReadAsync(Stream stream, int limit, CancellationToken ct)
    {
        MemoryStream kept = new();
        byte[] buffer = new byte[8192];
        int read;
        while ((read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
        {
            kept.Write(buffer, 0, Math.Min(read, limit - (int)kept.Length));
        }

        return kept.ToArray();
    }

    private static string LastLine(byte[] error)
    {
        string[] lines = Encoding.UTF8.GetString(error)
            .Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? "." : $": {lines[^1][..Math.Min(lines[^1].Length, 300)]}";
    }

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
