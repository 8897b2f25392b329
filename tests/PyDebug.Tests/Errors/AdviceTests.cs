using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics.CodeAnalysis;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Text.RegularExpressions;
using PyDebug.Commands;
using PyDebug.Engine;
using PyDebug.Errors;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>
/// Advice names parameters that exist: of the cmdlet that it names before them in the sentence, else of each cmdlet
/// that can give it.
/// </summary>
public sealed partial class AdviceTests
{
    private static readonly Dictionary<string, HashSet<string>> s_cmdlets = typeof(StartPodDebugCommand).Assembly
        .GetExportedTypes()
        .Where(t => t.GetCustomAttribute<CmdletAttribute>() is not null)
        .ToDictionary(Name, ParametersOf);

    /// <summary>Words that facts can have, by the text of whoever reads them.</summary>
    private static readonly string[] s_words = [.. new[] { "Advice.cs", "ErrorTable.cs" }
        .Select(f => File.ReadAllText(Path.Join(Repository.Root, "src", "PyDebug", "Errors", f)))
        .SelectMany(text => WordPattern().Matches(text).Select(m => m.Groups[1].Value))
        .Append("libdl.so.2: cannot open shared object file")
        .Append("30")
        .Distinct()];

    private static readonly string[] s_starts = ["Start-PodDebug"];

    /// <summary>Who can give what; all others are given by whoever asks the server, or the agent.</summary>
    private static readonly Dictionary<string, string[]> s_givers = new[]
    {
        Given(
            s_starts,
            Causes.WorkloadNotFound, Causes.NoPodMatches, Causes.NoRunningPod, Causes.ContainerNotFound,
            LocalCause.ContainerAmbiguous, Causes.PodNotRunning, Causes.PodFinished, Causes.PodIsWindows,
            Causes.StaticPod,
            Causes.EphemeralContainersForbidden, Causes.EphemeralContainersUnsupported, Causes.AdmissionDenied,
            Causes.ImagePullFailed, Causes.ContainerStartFailed, Causes.PythonNotInImage, Causes.ImageNotNamed,
            Causes.UserUnknown, Causes.StartTimeout, LocalCause.CustomInvalid),
        Given(
            ["Measure-PyTime"],
            AgentCause.NoCapability, AgentCause.NoBtf, AgentCause.Lockdown, AgentCause.Seccomp, AgentCause.OldPython,
            AgentCause.Kernel, AgentCause.TooManySwitches, AgentCause.TooManyThreads),
        Given(
            ["Get-MemrayReport"],
            AgentCause.AmbiguousProcess, AgentCause.MemrayNoPayload, AgentCause.MemrayBusy, AgentCause.MemrayNoPlace,
            AgentCause.MemrayRehearsal, AgentCause.MemrayUnsafe, AgentCause.MemrayNoAnswer, AgentCause.MemrayFailed,
            AgentCause.CaptureInvalid, LocalCause.ConfirmationNeeded),
        Given(
            ["Invoke-Bpftrace"],
            AgentCause.NoTracefs, LocalCause.ProgramInvalid, LocalCause.ProgramRejected, LocalCause.ProbeUnavailable,
            LocalCause.ProbeNotScoped, LocalCause.PythonStackMisplaced),
        Given(["Invoke-PySpy", "Invoke-Bpftrace"], AgentCause.ToolFailed, AgentCause.ToolUnavailable),
        Given(["Get-PyHeap"], AgentCause.HeapAllocator, AgentCause.HeapUnreadable),
        Given(
            ["Copy-PodFile"],
            AgentCause.FileNotFound, AgentCause.FileNotRegular, AgentCause.FileDenied, AgentCause.FileExists,
            AgentCause.FileChanged, LocalCause.FilesLeftOut),
        Given(["Copy-PodFile", "Export-StackProfile", "Get-MemrayReport"], LocalCause.DestinationExists),
        Given(["Watch-PyProcess"], LocalCause.FollowLimit),
        Given(
            [.. s_cmdlets.Keys.Where(c => c is not ("Get-PodDebug" or "Stop-PodDebug" or "Test-PodDebug") && Asks(c))],
            AgentCause.MemoryLow),
        Given([.. s_cmdlets.Keys.Where(c => s_cmdlets[c].Contains("ProcessId"))], AgentCause.TargetNotTold),
    }.SelectMany(rows => rows).ToDictionary(row => row.Cause, row => row.Cmdlets);

    public static TheoryData<string> EveryCause => new(ErrorTable.Known);

    [Theory]
    [MemberData(nameof(EveryCause))]
    public void Advice_names_parameters_that_the_cmdlet_has(string cause)
    {
        List<string> wrong = [];
        foreach ((string text, ProbedFacts facts, PodTarget? target) in Texts(cause))
        {
            string[] givers = facts["tool"] == "bpftrace" ? ["Invoke-Bpftrace"]
                : facts["fits"] is "plainReport" ? ["Get-MemrayReport"]
                : facts["fits"] is "memorySampler" ? ["Measure-PyTime"]
                : facts["limit"] == "fixed" ? [.. s_cmdlets.Keys.Where(Asks)]
                : facts["what"] == "files" ? ["Copy-PodFile"]
                : cause == Causes.PodNotFound && (facts.ContainsKey("near") || target?.ContainerName is null)
                ? ["Get-PodDebug", "Start-PodDebug", "Test-PodDebug"]
                : facts["scope"] == "cluster" ? ["Get-PodDebug", "Start-PodDebug", "Test-PodDebug"]
                : Givers(cause);
            wrong.AddRange(Unknown(text, givers).Select(what => $"{what}: {text}"));
        }

        Assert.Empty(wrong.Distinct());
    }

    [Fact]
    public void The_texts_of_the_table_are_all_seen()
    {
        string[] advice = [.. Texts(AgentCause.MemrayUnsafe).Select(t => t.Text).Distinct()];
        Assert.True(advice.Length >= 10, string.Join("\n", advice));
        Assert.Contains(Texts(Causes.AdmissionDenied), t => t.Text.StartsWith("Profile Restricted is refused as well"));
        Assert.Contains(Texts(AgentCause.MemoryLow), t => t.Text.StartsWith("-Method Memory needs less."));
    }

    /// <summary>What a cmdlet says in its own file is about itself; a base's is about each of those below it.</summary>
    [Fact]
    public void Cmdlets_say_of_parameters_what_there_is()
    {
        List<string> wrong = [];
        foreach (string file in Directory.EnumerateFiles(
            Path.Join(Repository.Root, "src", "PyDebug"), "*Command*.cs", SearchOption.AllDirectories))
        {
            string type = Path.GetFileNameWithoutExtension(file);
            string[] speakers = [.. typeof(StartPodDebugCommand).Assembly.GetExportedTypes()
                .Where(t => t.GetCustomAttribute<CmdletAttribute>() is not null && Line(t).Any(b => b.Name == type))
                .Select(Name)];
            string code = string.Join('\n', File.ReadLines(file).Where(l => !l.TrimStart().StartsWith("//")));
            foreach (Match text in TextPattern().Matches(JoinPattern().Replace(code, "")))
            {
                wrong.AddRange(Unknown(text.Groups[1].Value, speakers).Select(what => $"{type}, {what}: {text.Value}"));
            }
        }

        Assert.Empty(wrong);
    }

    /// <summary>The parameters that a text names and that are none of those which it can be about.</summary>
    private static IEnumerable<string> Unknown(string text, IReadOnlyCollection<string> givers)
    {
        foreach (string sentence in SentencePattern().Split(text))
        {
            string? about = null;
            bool isOther = false;
            foreach (Match word in NamePattern().Matches(sentence))
            {
                string name = word.Value.TrimStart('-');
                if (s_cmdlets.ContainsKey(word.Value))
                {
                    (about, isOther) = (word.Value, false);
                }
                else if (word.Value[0] != '-')
                {
                    isOther = true;
                }
                else if (!isOther && name.Length > 1)
                {
                    foreach (string cmdlet in about is null ? givers : [about])
                    {
                        if (!s_cmdlets[cmdlet].Contains(name))
                        {
                            yield return $"{cmdlet} has no {word.Value}";
                        }
                    }
                }
            }
        }
    }

    /// <summary>Every text that the entry of a cause can have, with what made it so.</summary>
    private static IReadOnlyList<(string Text, ProbedFacts Facts, PodTarget? Target)> Texts(string cause)
    {
        ErrorEntry entry = ErrorTable.Find(cause);
        List<(string, ProbedFacts, PodTarget?)> found = [];
        HashSet<string> seen = [];
        Queue<(Dictionary<string, string> Facts, PodTarget? Target, string? Reason)> open = new();
        PodTarget?[] targets = [null, new("shop", "web"), new("shop", "web", "app", 7)];
        // Those of the kubelet: what else is a word is none of them.
        foreach (string? reason in s_words.Where(w => w.EndsWith("Error", StringComparison.Ordinal)).Prepend(null))
        {
            foreach (PodTarget? target in targets)
            {
                open.Enqueue(([], target, reason));
            }
        }

        while (open.TryDequeue(out (Dictionary<string, string> Facts, PodTarget? Target, string? Reason) next))
        {
            ProbedFacts facts = new(next.Facts);
            string text = entry.Advice(new FailureFacts(next.Target, facts, next.Reason));
            // What only stands in the text is the same text.
            string form = next.Facts.Values.Aggregate(text, (whole, word) => whole.Replace(word, "?"));
            if (!seen.Add($"{form}|{string.Join(',', facts.Asked)}|{facts["tool"]}|{next.Target?.ContainerName}"))
            {
                continue;
            }

            found.Add((text, facts, next.Target));
            foreach (string key in facts.Asked.Where(k => k != "advice" && !next.Facts.ContainsKey(k)))
            {
                foreach (string word in s_words)
                {
                    open.Enqueue((new(next.Facts) { [key] = word }, next.Target, next.Reason));
                }
            }
        }

        return found;
    }

    private static (string Cause, string[] Cmdlets)[] Given(string[] cmdlets, params string[] causes)
        => [.. causes.Select(c => (c, cmdlets))];

    private static string[] Givers(string cause)
        => s_givers.TryGetValue(cause, out string[]? named) ? named
            : typeof(AgentCause).GetFields().Any(f => (string?)f.GetRawConstantValue() == cause)
                ? [.. s_cmdlets.Keys.Where(c => s_cmdlets[c].Contains("Session"))]
            : typeof(Causes).GetFields().Any(f => (string?)f.GetRawConstantValue() == cause)
                ? [.. s_cmdlets.Keys.Where(c => Asks(c) && (cause != Causes.Timeout || c != "Get-PodDebug"))]
            : [.. s_cmdlets.Keys];

    /// <summary>Whether a cmdlet talks to a server.</summary>
    private static bool Asks(string cmdlet) => s_cmdlets[cmdlet].Contains("Kubeconfig");

    private static string Name(Type type)
    {
        CmdletAttribute cmdlet = type.GetCustomAttribute<CmdletAttribute>()!;
        return $"{cmdlet.VerbName}-{cmdlet.NounName}";
    }

    private static HashSet<string> ParametersOf(Type type)
    {
        IEnumerable<PropertyInfo> own = type.GetProperties()
            .Where(p => p.GetCustomAttributes<ParameterAttribute>(true).Any());
        string[] common = ["Confirm", "WhatIf", "Verbose", "ErrorAction"];
        return new(
            own.SelectMany(p => (p.GetCustomAttribute<AliasAttribute>(true)?.AliasNames ?? []).Prepend(p.Name))
                .Concat(type.GetCustomAttribute<CmdletAttribute>()!.SupportsShouldProcess ? common : common[2..]),
            StringComparer.Ordinal);
    }

    private static IEnumerable<Type> Line(Type type)
    {
        for (Type? next = type; next is not null; next = next.BaseType)
        {
            yield return next;
        }
    }

    [GeneratedRegex("\"([A-Za-z0-9]{2,40})\"")]
    private static partial Regex WordPattern();

    [GeneratedRegex(@"\$?""((?:[^""\\\n]|\\.)*)""")]
    private static partial Regex TextPattern();

    /// <summary>Where one text goes on in the next line.</summary>
    [GeneratedRegex(@"""\s*\+\s*\$?""")]
    private static partial Regex JoinPattern();

    [GeneratedRegex(@"(?<=(?<!\.\.)[.;])\s")]
    private static partial Regex SentencePattern();

    [GeneratedRegex(@"(?<![\w-])(?:[A-Z][A-Za-z]+-[A-Z]\w+|kubectl|-[A-Z]\w*)")]
    private static partial Regex NamePattern();

    /// <summary>Facts that note what is asked of them.</summary>
    private sealed class ProbedFacts(Dictionary<string, string> facts) : IReadOnlyDictionary<string, string>
    {
        public SortedSet<string> Asked { get; } = new(StringComparer.Ordinal);

        public int Count => facts.Count;

        public IEnumerable<string> Keys => facts.Keys;

        public IEnumerable<string> Values => facts.Values;

        public string this[string key] => facts.GetValueOrDefault(key, "");

        public bool ContainsKey(string key) => facts.ContainsKey(key);

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value)
        {
            Asked.Add(key);
            return facts.TryGetValue(key, out value);
        }

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => facts.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
