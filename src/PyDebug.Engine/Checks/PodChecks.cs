using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>What a pod's object says of the questions that are to be asked in it.</summary>
internal static class PodChecks
{
    private const double LittleCpu = 0.2;

    /// <summary>Whether a debug container can be added to the pod as it is now.</summary>
    public static Finding State(PodInfo pod, ContainerInfo target)
    {
        try
        {
            StartChecks.Check(pod, target.Name);
            return new("Pod", Finding.Pass, $"{pod.Phase}; container '{target.Name}' runs.");
        }
        catch (EngineException e)
        {
            return new("Pod", Finding.Fail, e.Message) { Cause = e };
        }
    }

    /// <summary>What is known of the node by the pod's object.</summary>
    public static IEnumerable<Finding> Node(PodInfo pod, IReadOnlyList<Question> questions)
    {
        string node = pod.NodeName ?? "";
        if (node.Length == 0)
        {
            yield return new("Node", Finding.Fail, "The pod is on no node yet.", "Wait until it is scheduled.");
            yield break;
        }

        if (node.StartsWith("virtual-node-", StringComparison.Ordinal)
            || node.StartsWith("virtual-kubelet", StringComparison.Ordinal))
        {
            yield return new(
                "Node", Finding.Fail, $"'{node}' is a virtual node, which takes no debug containers.",
                "Choose a pod on a node of a pool.");
            yield break;
        }

        bool fargate = node.StartsWith("fargate-", StringComparison.Ordinal);
        if (fargate)
        {
            yield return new(
                "Node", Finding.Warning, $"'{node}' is of Fargate, which gives no SYS_PTRACE and no BPF.",
                "Profile Restricted reads processes of its own user.");
            foreach (Question question in questions.Where(q => q.NeedsBpf))
            {
                yield return Bpf(question, "Fargate runs no BPF program.");
            }
        }

        string? machine = KubeJson.Text(pod.Raw, "spec", "nodeSelector", "kubernetes.io/arch");
        if (machine is null)
        {
            yield return new(
                "Node", Finding.Unknown, $"'{node}', {pod.Os ?? "linux where the pod runs"}; its processor is known "
                + "once a debug container runs.", "$session | Test-PodDebug");
        }
        else if (!fargate)
        {
            yield return machine switch
            {
                "amd64" => new("Node", Finding.Pass, $"'{node}', {pod.Os ?? "linux"}, {machine}."),
                "arm64" => new(
                    "Node", Finding.Warning, $"'{node}', {pod.Os ?? "linux"}, {machine}, which was not tried."),
                _ => new("Node", Finding.Fail, $"'{node}' is {machine}: x86-64 and arm64 can be read.",
                    "Choose another pod."),
            };
        }
    }

    /// <summary>What the security contexts and the profile mean for each question.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="target">The target container.</param>
    /// <param name="profile">The profile that is used; null where admission lets none through, or it is not
    /// known.</param>
    /// <param name="questions">The questions.</param>
    public static IEnumerable<Finding> Security(
        PodInfo pod, ContainerInfo target, string? profile, IReadOnlyList<Question> questions)
    {
        bool ownUsers = KubeJson.Flag(pod.Raw, "spec", "hostUsers") == false;
        string user = target.User is long number ? $"user {number.ToString(CultureInfo.InvariantCulture)}"
            : "a user that the image sets";
        bool readOnly = KubeJson.Flag(Spec(pod, target), "securityContext", "readOnlyRootFilesystem") == true;
        string application = $"The application runs as {user}{(readOnly ? ", with a read-only root file system" : "")}";
        foreach (Question question in questions)
        {
            string name = question.Name;
            if (ownUsers && question.NeedsBpf)
            {
                yield return Bpf(question,
                    "The pod has a user namespace of its own (hostUsers: false), where no capability counts for BPF.");
                continue;
            }

            yield return profile switch
            {
                null => new("SecurityContext", Finding.Unknown,
                    $"{application}; which profile would be used is not known.", "", name),
                SecurityProfiles.General or SecurityProfiles.Trace or SecurityProfiles.SysAdmin
                    when name == Question.Bpftrace && profile != SecurityProfiles.SysAdmin => new(
                        "SecurityContext", Finding.Warning,
                        $"{application}; profile {profile} may attach no uprobe and mount no tracefs.",
                        "-For Bpftrace picks SysAdmin.", name),
                SecurityProfiles.General when name == Question.Time
                    => Bpf(question, "Profile General has neither BPF nor PERFMON."),
                SecurityProfiles.General or SecurityProfiles.Trace or SecurityProfiles.SysAdmin => new(
                    "SecurityContext", Finding.Pass, $"{application}; profile {profile} runs as root with SYS_PTRACE.",
                    "", name),
                _ when question.NeedsBpf => Bpf(question, $"Profile {profile} has no capability for it."),
                _ => new(
                    "SecurityContext", Finding.Unknown,
                    $"{application}; profile {profile} has no SYS_PTRACE, and the node's Yama setting decides.",
                    "$session | Test-PodDebug", name),
            };
        }
    }

    /// <summary>Whether the image is on the node, as far as that is told.</summary>
    public static Finding Image(ContainerInfo target, string? image, string? pullPolicy)
    {
        if (image is not null && image != target.Image)
        {
            return new(
                "Image", Finding.Unknown,
                $"'{image}' is pulled where the node has it not; whether it can be is known then.",
                "A start waits for it as long as -TimeoutSeconds says, and tells the node's words.");
        }

        return pullPolicy == "Always"
            ? new("Image", Finding.Warning, $"'{target.Image}' is pulled again: -ImagePullPolicy Always.",
                "Leave it out: the image is on the node.")
            : new("Image", Finding.Pass, $"'{target.Image}', the application's own, is on the node.");
    }

    /// <summary>Whether there is a Python to run in.</summary>
    public static Finding Python(
        PodInfo pod, ContainerInfo target, string? image, IReadOnlyList<DebugContainerInfo> ours)
    {
        string wanted = image ?? target.Image;
        DebugContainerInfo? runs = ours.LastOrDefault(
            c => c.State == DebugContainerReader.Running && c.Image == wanted && c.TargetContainer == target.Name);
        if (runs is not null)
        {
            return new("Python", Finding.Pass, $"Debug container '{runs.Name}' runs with {runs.Python}.");
        }

        bool failed = ours.Any(c => c.Image == wanted
            && StartFailure.Judge(DebugContainerReader.State(pod, c.Name))?.Cause == Causes.PythonNotInImage);
        if (failed)
        {
            return new(
                "Python", Finding.Warning, $"An earlier debug container found no Python in '{wanted}'.",
                "-Image names an image that has one; -Environment @{ PATH = '...' } the folder of "
                    + "one that is off the PATH.");
        }

        IReadOnlyList<string> named = Interpreter.Of(target);
        return wanted == target.Image && named.Count == 1
            ? new("Python", Finding.Pass, $"The container's command is {named[0]}.")
            : new("Python", Finding.Unknown, $"The pod does not say whether '{wanted}' has one.",
                "$session | Test-PodDebug");
    }

    /// <summary>Whether there is room for the questions under the pod's memory limit.</summary>
    public static IEnumerable<Finding> Memory(
        PodInfo pod, long? used, IReadOnlyList<Question> questions, Func<string, long?> needs)
    {
        if (PodMemory.LimitOf(pod) is not long limit)
        {
            yield return new("Memory", Finding.Pass, "The pod has no memory limit as a whole.");
            yield break;
        }

        foreach (Question question in questions)
        {
            long? own = needs(question.Operation);
            if (used is not long now || own is not long wanted)
            {
                yield return new(
                    "Memory", Finding.Unknown,
                    $"What is used of {PodMemory.Mebibytes(limit)} is not known: neither the metrics API nor "
                        + "nodes/proxy may be read.",
                    "It is looked at from within the debug container before anything is done.", question.Name);
                continue;
            }

            long needed = PodMemory.Needed(limit) + wanted;
            bool fits = limit - now >= needed;
            yield return new(
                "Memory", fits ? Finding.Pass : Finding.Fail,
                $"{PodMemory.Mebibytes(now)} of {PodMemory.Mebibytes(limit)} are used; {question.Words} takes up to "
                + $"{PodMemory.Mebibytes(needed)} with the debug container.",
                fits ? "" : "Raise the limit, choose a pod with more room, or use -AllowLowMemory.", question.Name);
        }
    }

    /// <summary>What the pod's CPU limit means for a debug container, which has none of its own.</summary>
    public static Finding Cpu(PodInfo pod)
    {
        List<double?> limits = [.. KubeJson.Objects(pod.Raw, "spec", "containers")
            .Select(c => Quantity.Number(KubeJson.At(c, "resources", "limits", "cpu")?.ToString()))];
        double? limit = Quantity.Number(KubeJson.At(pod.Raw, "spec", "resources", "limits", "cpu")?.ToString())
            ?? (limits.Count > 0 && limits.All(l => l > 0) ? limits.Sum() : null);
        if (limit is not double cores)
        {
            return new("Cpu", Finding.Pass, "The pod has no CPU limit as a whole.");
        }

        string words = string.Create(
            CultureInfo.InvariantCulture, $"The pod's limit of {cores:0.###} CPU holds for the debug container too");
        return cores < LittleCpu
            ? new("Cpu", Finding.Warning, $"{words}: while a question works, the application may be throttled.",
                "Raise the limit, or ask for a short time.")
            : new("Cpu", Finding.Pass, $"{words}.");
    }

    /// <summary>Whether a probe of the target could end it while a question holds it.</summary>
    public static IEnumerable<Finding> Probes(PodInfo pod, ContainerInfo target, IReadOnlyList<Question> questions)
    {
        JsonObject? probe = KubeJson.Object(Spec(pod, target), "livenessProbe");
        if (probe is null)
        {
            yield return new("Probes", Finding.Pass, "The container has no liveness probe: none ends it.");
            yield break;
        }

        long timeout = KubeJson.Integer(probe, "timeoutSeconds") ?? 1;
        long failures = KubeJson.Integer(probe, "failureThreshold") ?? 3;
        long period = KubeJson.Integer(probe, "periodSeconds") ?? 10;
        string words = $"The liveness probe waits {timeout} s every {period} s, and {failures} in a row "
            + "that fail end the container";
        foreach (Question question in questions)
        {
            string pause = question.Pause.ToString("0.###", CultureInfo.InvariantCulture);
            // One that fails once for a pause of half its time is near it; several in a row are not missed by one
            // pause.
            bool near = question.Pause * 2 >= timeout && failures == 1;
            yield return new(
                "Probes", near ? Finding.Warning : Finding.Pass,
                question.Pause > 0
                    ? $"{words}; {question.Words} holds a thread or the process for {pause} s at most at a time."
                    : $"{words}; {question.Words} holds nothing.",
                near ? "Get-PyStack holds one thread at a time, mostly for less than a "
                    + "millisecond, and with -NoStop none." : "", question.Name);
        }
    }

    /// <summary>What became of earlier debug containers that no policy of today would let in.</summary>
    public static Finding Earlier(PodInfo pod, EngineException? refusal, bool known)
    {
        List<string> names = [.. KubeJson.Objects(pod.Raw, "spec", "ephemeralContainers")
            .Select(c => KubeJson.Text(c, "name") ?? "").Where(n => n.Length > 0)];
        string? culprit = names.FirstOrDefault(
            n => refusal?.ServerMessage?.Contains($"\"{n}\"", StringComparison.Ordinal) == true);
        if (culprit is not null)
        {
            return new(
                "EarlierContainer", Finding.Fail,
                $"Ephemeral container '{culprit}', which cannot be removed, breaks the policy itself: every "
                    + "further one is refused.",
                "A new pod has none: delete this one when the application can do without it.");
        }

        return names.Count == 0 ? new("EarlierContainer", Finding.Pass, "The pod has no ephemeral container yet.")
            : known ? new("EarlierContainer", Finding.Pass, $"None of {names.Count} stands in the way.")
            : new("EarlierContainer", Finding.Unknown,
                $"Whether one of {names.Count} stands in the way, a dry run would tell.");
    }

    private static Finding Bpf(Question question, string why)
        => question.Name == Question.Time
            ? new(
                "SecurityContext", Finding.Warning, $"{why} Measure-PyTime uses its memory sampler.", "", question.Name)
            : new("SecurityContext", Finding.Fail, why, "Measure-PyTime and Get-PyStack need no BPF.", question.Name);

    private static JsonObject? Spec(PodInfo pod, ContainerInfo target)
        => KubeJson.Objects(pod.Raw, "spec", target.IsInit ? "initContainers" : "containers")
            .FirstOrDefault(c => KubeJson.Text(c, "name") == target.Name);
}
