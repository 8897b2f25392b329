using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;
using PyDebug.Internal;
using PyDebug.Tools.Memray;

namespace PyDebug.Commands;

/// <summary>A whole memray on this machine: it draws what the payload has no parts for, and reads captures here.</summary>
internal sealed class LocalMemray
{
    private const string Question = "import memray; print(memray.__version__)";

    /// <summary>Behind the agent's own reader, which takes the payload's memray: here the whole one reads.</summary>
    private const string Reading =
        """


        import json, sys, memray
        memray.set_log_level(40)
        json.dump(reduce(json.loads(sys.argv[1]), memray), sys.stdout, separators=(",", ":"))

        """;

    private const int Points = 1000;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(30);

    private static readonly string s_agent = ModuleInitializer.BinaryFolder("agent");

    private readonly string _python;

    private LocalMemray(string python, string version)
    {
        _python = python;
        Version = version;
    }

    /// <summary>Its version.</summary>
    public string Version { get; }

    /// <summary>Finds a Python with memray: that of the program memray on PATH, else python3 or python.</summary>
    /// <param name="version">The version that wrote the captures; null for any.</param>
    /// <param name="ct">Stops the search.</param>
    /// <returns>Null where there is none of that version.</returns>
    public static async Task<LocalMemray?> FindAsync(string? version, CancellationToken ct)
    {
        foreach (string python in Interpreters())
        {
            (int ExitCode, byte[] Output, string Error)? ran =
                await LocalProgram.RunAsync(python, ["-c", Question], s_agent, s_patience, ct).ConfigureAwait(false);
            if (ran is not (0, byte[] output, _))
            {
                continue;
            }

            string found = SafeText.Line(Encoding.UTF8.GetString(output).Trim(), 40);
            if (version is null || found == version)
            {
                return new LocalMemray(python, found);
            }
        }

        return null;
    }

    /// <summary>Draws memray's own flame graph of what was not freed.</summary>
    /// <exception cref="PyDebugException">memray failed, or the file cannot be written.</exception>
    public async Task DrawAsync(string capture, string html, bool replace, PodTarget target, CancellationToken ct)
    {
        string temporary = Path.Join(Path.GetDirectoryName(html), $".{Guid.NewGuid():n}.html");
        try
        {
            await RunAsync(["-m", "memray", "flamegraph", "--leaks", "-f", "-o", temporary, capture], target, ct)
                .ConfigureAwait(false);
            File.Move(temporary, html, replace);
        }
        catch (IOException e)
        {
            throw OutputFile.Explain(e, html);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Reads a capture with the agent's own reader.</summary>
    /// <exception cref="PyDebugException">It is none of this version.</exception>
    public async Task<JsonDocument?> ReadAsync(string capture, MemrayOptions options, CancellationToken ct)
    {
        string source = await File.ReadAllTextAsync(
            Path.Join(s_agent, "pydebug_agent", "memray", "reduce.py"), ct).ConfigureAwait(false);
        string settings = JsonSerializer.Serialize(new Dictionary<string, object>
        {
            ["capture"] = capture,
            ["stacks"] = options.MaximumStackCount,
            ["depth"] = options.Depth,
            ["points"] = Points,
        });
        byte[] output = await RunAsync(
            ["-c", source + Reading, settings], target: null, ct)
            .ConfigureAwait(false);
        return Json.Parse(Encoding.UTF8.GetBytes(
            $$"""{"memray":"{{Version}}","report":{{Encoding.UTF8.GetString(output)}}}"""));
    }

    private async Task<byte[]> RunAsync(IEnumerable<string> arguments, PodTarget? target, CancellationToken ct)
    {
        (int ExitCode, byte[] Output, string Error)? ran =
            await LocalProgram.RunAsync(_python, arguments, s_agent, s_limit, ct).ConfigureAwait(false);
        if (ran is (0, byte[] output, _))
        {
            return output;
        }

        string said = ran?.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .LastOrDefault() ?? "it did not end in time";
        throw ErrorFactory.Local(
            AgentCause.CaptureInvalid, $"memray {Version} on this machine cannot read the capture: {said}", target);
    }

    private static IEnumerable<string> Interpreters()
    {
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(
            Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            if (FirstLine(Path.Join(folder, "memray")) is ['#', '!', .. string python] && File.Exists(python.Trim()))
            {
                yield return python.Trim();
            }
        }

        yield return "python3";
        yield return "python";
    }

    private static string? FirstLine(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadLines(path).FirstOrDefault() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
