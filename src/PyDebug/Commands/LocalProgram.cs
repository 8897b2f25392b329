using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Commands;

/// <summary>Runs a program of this machine and takes what it writes. It ends with the work that it is for.</summary>
internal static class LocalProgram
{
    private const int MostOutput = 64 << 20;

    private const int MostError = 1 << 20;

    /// <summary>Runs it; null where there is no such program, or it did not end in time.</summary>
    public static async Task<(int ExitCode, byte[] Output, string Error)?> RunAsync(
        string program,
        IEnumerable<string> arguments,
        string folder,
        TimeSpan limit,
        CancellationToken ct)
    {
        ProcessStartInfo start = new(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            CreateNoWindow = true,
            WorkingDirectory = folder,
        };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = new() { StartInfo = start };
        try
        {
            process.Start();
        }
        catch (Exception e) when (e is Win32Exception or InvalidOperationException or IOException)
        {
            return null;
        }

        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        stop.CancelAfter(limit);
        try
        {
            process.StandardInput.Close();
            Task<byte[]> output = ReadAsync(process.StandardOutput.BaseStream, MostOutput, stop.Token);
            Task<byte[]> error = ReadAsync(process.StandardError.BaseStream, MostError, stop.Token);
            await process.WaitForExitAsync(stop.Token).ConfigureAwait(false);
            return (
                process.ExitCode,
                await output.ConfigureAwait(false),
                Encoding.UTF8.GetString(await error.ConfigureAwait(false)));
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    /// <summary>What it wrote, up to a cap; the rest is read and dropped, so that it can end.</summary>
    private static async Task<byte[]> ReadAsync(Stream stream, int most, CancellationToken ct)
    {
        using MemoryStream kept = new();
        byte[] buffer = new byte[1 << 16];
        int read;
        while ((read = await stream.ReadAsync(buffer, ct).ConfigureAwait(false)) > 0)
        {
            kept.Write(buffer, 0, Math.Min(read, most - (int)kept.Length));
        }

        return kept.ToArray();
    }
}
