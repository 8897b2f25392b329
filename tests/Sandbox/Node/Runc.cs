using System;
using System.Collections.Generic;
using System.ComponentModel;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;

namespace PyDebug.Sandbox.Node;

/// <summary>Calls the OCI runtime <c>runc</c> with a state directory of the sandbox's own.</summary>
internal sealed class Runc(string root)
{
    /// <summary>Runs a container in the foreground: the process ends with the container, with its exit code.</summary>
    public Process Run(string id, string bundle, string pidFile, string log) =>
        Start(log, "run", "--bundle", bundle, "--pid-file", pidFile, "--no-new-keyring", id);

    /// <summary>Runs one more process in a container, as the container's own user.</summary>
    public Process Exec(string id, IEnumerable<string> command, string pidFile, string log) =>
        Start(log, ["exec", "--pid-file", pidFile, id, .. command]);

    /// <summary>Sends a signal to the container's first process. Does nothing where the container is gone.</summary>
    public Task KillAsync(string id, string signal) => CallAsync("kill", id, signal);

    /// <summary>Kills whatever still runs in a container and forgets it.</summary>
    public Task DeleteAsync(string id) => CallAsync("delete", "--force", id);

    /// <summary>The ids of all containers runc knows of.</summary>
    public IReadOnlyList<string> List() =>
        Directory.Exists(root)
            ? Directory.EnumerateDirectories(root).Select(path => Path.GetFileName(path)).ToList()
            : [];

    /// <summary>The last error runc wrote to its log, or null.</summary>
    public static string? LastError(string log)
    {
        if (!File.Exists(log))
        {
            return null;
        }

        foreach (string line in File.ReadLines(log).Reverse())
        {
            try
            {
                JsonNode? entry = JsonNode.Parse(line);
                if (entry.Text("level") is "error" or "fatal")
                {
                    return entry.Text("msg");
                }
            }
            catch (JsonException)
            {
            }
        }

        return null;
    }

    private async Task CallAsync(params string[] arguments)
    {
        using Process process = Start("/dev/null", arguments);
        process.StandardInput.Close();
        await Task.WhenAll(
            process.StandardOutput.BaseStream.CopyToAsync(Stream.Null),
            process.StandardError.BaseStream.CopyToAsync(Stream.Null)).ConfigureAwait(false);
        await process.WaitForExitAsync().ConfigureAwait(false);
    }

    private Process Start(string log, params IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new("runc")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in (string[])["--root", root, "--log", log, "--log-format", "json", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception failure)
        {
            throw new ContainerFailure("CreateContainerError", "failed to start runc: " + failure.Message);
        }
    }
}
