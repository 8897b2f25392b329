using System.Collections.Generic;
using System.Linq;
using System.Text.Json;
using PyDebug.Engine;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>Reads what the agent says of the node and the target's processes.</summary>
internal static class NodeFindings
{
    private const int MostCapabilities = 64;

    private const int MostPythons = 64;

    public static IEnumerable<Finding> Read(JsonElement item, IReadOnlyList<Question> questions)
    {
        string machine = item.Text("machine") ?? "";
        yield return machine switch
        {
            "x86_64" => new("Kernel", Finding.Pass, $"Linux {item.Text("kernel")}, {machine}."),
            "aarch64" => new(
                "Kernel", Finding.Warning, $"Linux {item.Text("kernel")}, {machine}, which was not tried."),
            _ => new("Kernel", Finding.Fail, $"Linux {item.Text("kernel")}, {machine}: x86-64 and arm64 can be read.",
                "Choose a pod on another node."),
        };
        HashSet<string> rights = [.. item.Texts("capabilities", MostCapabilities)];
        bool bpf = rights.Contains("SYS_ADMIN") || (rights.Contains("BPF") && rights.Contains("PERFMON"));
        foreach (Question question in questions.Where(q => q.NeedsBpf))
        {
            yield return Needs(
                "Capabilities", question, bpf && item.Flag("userNamespace") != true,
                item.Flag("userNamespace") == true
                    ? "The pod has a user namespace of its own, where none counts for BPF."
                    : bpf ? "The debug container has BPF and PERFMON." : "The debug container has no BPF and PERFMON.",
                $"Start-PodDebug -For {question.Name} has them.");
            bool types = item.Flag("btf") == true;
            yield return Needs(
                "Btf", question, types,
                types ? "The node's kernel describes its types." : "The node's kernel does not describe its types.",
                "A kernel built with CONFIG_DEBUG_INFO_BTF is needed.");
            string? locked = item.Text("lockdown");
            yield return locked is null
                ? new("Lockdown", Finding.Unknown, "The kernel does not say whether it is locked down.", "",
                    question.Name)
                : Needs("Lockdown", question, locked != "confidentiality", $"The kernel's lockdown is {locked}.",
                    "A node booted with lockdown=integrity, or none, lets it.");
        }

        foreach (Question question in questions.Where(q => q.Name == Question.Bpftrace))
        {
            bool there = item.Flag("tracefs") == true;
            yield return there || rights.Contains("SYS_ADMIN")
                ? new("Tracefs", Finding.Pass, there ? "tracefs is mounted."
                    : "tracefs can be mounted for the debug container alone.", "", question.Name)
                : new("Tracefs", Finding.Fail, "tracefs is not mounted, and the debug container may not mount it.",
                    "-For Bpftrace picks a profile that may.", question.Name);
        }

        int? scope = item.Integer("yama");
        bool ptrace = rights.Contains("SYS_PTRACE");
        yield return scope switch
        {
            null => new("Yama", Finding.Pass, "The kernel has no Yama."),
            3 => new("Yama", Finding.Fail, "ptrace_scope is 3: no process of this node can be read.",
                "The node must be started with another setting."),
            1 or 2 when !ptrace => new("Yama", Finding.Fail, $"ptrace_scope is {scope}, and the debug "
                + "container has no SYS_PTRACE.", "-SecurityProfile General has it."),
            _ => new("Yama", Finding.Pass,
                $"ptrace_scope is {scope}{(ptrace ? "; the debug container has SYS_PTRACE" : "")}."),
        };
        foreach (Finding finding in OfPythons(item, questions))
        {
            yield return finding;
        }
    }

    private static IEnumerable<Finding> OfPythons(JsonElement item, IReadOnlyList<Question> questions)
    {
        List<JsonElement> pythons = [.. item.Items("pythons", MostPythons)];
        if (pythons.Count == 0)
        {
            yield return new(
                "Python", Finding.Fail, "No Python runs in the container.", "-ContainerName names another one.");
            yield break;
        }

        int count = item.Integer("pythonCount") ?? pythons.Count;
        string cut = count > pythons.Count ? $" ({pythons.Count} of {count} were looked at)" : "";
        string versions = string.Join(
            ", ", pythons.Select(p => $"{p.Text("implementation")} {p.Text("version")}").Distinct().Order());
        yield return pythons.All(p => p.Text("implementation") == "CPython")
            ? new("Python", Finding.Pass, $"{versions} in {count} {(count == 1 ? "process" : "processes")}{cut}.")
            : new("Python", Finding.Warning, $"{versions}{cut}: CPython alone can be read.");
        int closed = pythons.Count(p => p.Flag("readable") == false);
        int unknown = pythons.Count(p => p.Flag("readable") is null);
        yield return closed > 0
            ? new("Access", Finding.Fail, $"{closed} of {pythons.Count} processes may not be read{cut}.",
                "-SecurityProfile General has SYS_PTRACE and runs as root.")
            : unknown > 0
                ? new("Access", Finding.Unknown, $"Of {pythons.Count} processes {unknown} ended meanwhile.")
                : new("Access", Finding.Pass, $"The processes may be read{cut}.");
        string libcs = string.Join(", ", pythons.Select(p => p.Text("libc") ?? "not known").Distinct().Order());
        foreach (Question question in questions.Where(q => q.Name == Question.Memray))
        {
            yield return pythons.All(p => p.Text("libc") == "glibc")
                ? new("Libc", Finding.Pass, "glibc.", "", question.Name)
                : new(
                    "Libc", pythons.All(p => p.Text("libc") is "musl" or "static") ? Finding.Fail : Finding.Warning,
                    $"{libcs}: memray's published wheels need glibc.", "Get-PyHeap needs none.", question.Name);
        }

        if (!questions.Any(q => q.Name == Question.Memray))
        {
            yield return new("Libc", Finding.Pass, $"{libcs}.");
        }
    }

    private static Finding Needs(string check, Question question, bool there, string detail, string remedy)
        => there ? new(check, Finding.Pass, detail, "", question.Name)
            : question.Name == Question.Time
                ? new(
                    check, Finding.Warning, $"{detail} Measure-PyTime uses its memory sampler.", remedy, question.Name)
                : new(check, Finding.Fail, detail, remedy, question.Name);
}
