using System;
using System.Collections.Generic;
using System.Globalization;

namespace PyDebug.Engine;

/// <summary>What is known of an exec that ended without a trailer: never success.</summary>
/// <param name="demuxer">What came, and what the server said.</param>
/// <param name="frames">How many frames came.</param>
/// <param name="elapsed">How long it went.</param>
internal sealed class AgentEnding(Demuxer demuxer, long frames, TimeSpan elapsed)
{
    private const int Killed = 137;

    private string Received => frames == 1 ? "1 frame" : $"{frames} frames";

    /// <summary>The failure; its cause says whether the agent may have done what it was asked.</summary>
    public EngineException Explain(TimeSpan deadline)
    {
        string said = LastLine(demuxer.StandardError.ToString());
        Dictionary<string, string> detail = new() { ["stderr"] = said };
        if (demuxer.Failure is EngineException failure)
        {
            return failure;
        }

        if (demuxer.Status is { Success: false } status)
        {
            detail["status"] = ExecWords.WithoutProgram(status.Message ?? string.Empty);
        }

        string how = "it ended";
        if (demuxer.Failure is not null)
        {
            how = "the connection was cut";
            detail[AgentExchange.Cut] = demuxer.QuietBeforeFailure.TotalSeconds.ToString(
                "0.0", CultureInfo.InvariantCulture);
        }
        else if (demuxer.Status?.ExitCode == AgentExit.Lost && said.Length == 0)
        {
            // The way there was cut, or this side was asleep: whatever may go on after a cut may go on after this.
            how = "it heard nothing from here any more and ended";
        }
        else if (demuxer.Status?.ExitCode is int code)
        {
            how = code == Killed ? $"it was killed (code {code})" : $"it ended with code {code}";
            detail[GoneDiagnosis.ExitCode] = code.ToString(CultureInfo.InvariantCulture);
        }

        if (demuxer.Failure is null && demuxer.Status?.ExitCode == AgentExit.Overdue)
        {
            return new(
                Causes.Timeout,
                $"The agent was not done within {deadline.TotalSeconds:0} s; {Received} had come by then.")
            {
                Detail = detail,
            };
        }

        if (frames > 0)
        {
            return new(
                Causes.OutcomeUnknown,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The agent's answer is incomplete ({how} after {elapsed.TotalSeconds:0.0} s and ")
                    + $"{Received}){Suffix(said)}",
                demuxer.Failure)
            {
                Detail = detail,
            };
        }

        // The server's words for an exit code are the command line again.
        string reason = said;
        if (said.Length == 0 && demuxer.Status is { ExitCode: null, Message: string words })
        {
            reason = ExecWords.WithoutProgram(words);
        }

        if (demuxer.Failure is not null && reason.Length == 0)
        {
            return new(
                Causes.ConnectionFailed,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The connection to the debug container was cut after {elapsed.TotalSeconds:0.0} s, before the "
                    + $"agent answered."),
                demuxer.Failure)
            {
                Detail = detail,
                ServerMessage = demuxer.Status?.Message,
                Retryable = true,
            };
        }

        return new(Causes.AgentStartFailed, $"The agent did not start: {how}{Suffix(reason)}", demuxer.Failure)
        {
            Detail = detail,
            ServerMessage = demuxer.Status?.Message is string message ? ExecWords.WithoutProgram(message) : null,
        };
    }

    private static string Suffix(string reason) => reason.Length == 0 ? "." : $": {reason}";

    private static string LastLine(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length == 0 ? string.Empty : lines[^1][..Math.Min(lines[^1].Length, 500)];
    }
}
