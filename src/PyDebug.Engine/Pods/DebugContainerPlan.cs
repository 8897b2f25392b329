using System;
using System.Collections.Generic;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>What a request comes to in a pod: the image, the interpreter, and the container to add.</summary>
internal sealed class DebugContainerPlan
{
    private const string NameLetters = "abcdefghijklmnopqrstuvwxyz0123456789";

    private readonly DebugContainerRequest _request;
    private readonly PodInfo _pod;
    private readonly KeeperProgram _keeper;
    private readonly JsonObject? _custom;

    public DebugContainerPlan(DebugContainerRequest request, PodInfo pod, ContainerInfo target, KeeperProgram keeper)
    {
        _request = request;
        _pod = pod;
        _keeper = keeper;
        _custom = CustomContainer.Parse(request.CustomJson);
        Target = target;
        Image = request.Image ?? target.Image;
        Spec = SessionMark.SpecOf(request.CustomJson, request.Environment);
        Interpreters = OwnImage ? Interpreter.Of(target) : Interpreter.OfAnyImage;
        if (SessionMark.Variables.FirstOrDefault(request.Environment.ContainsKey) is string own)
        {
            throw new EngineException(Causes.CustomInvalid, $"The environment may not set {own}.");
        }
    }

    public ContainerInfo Target { get; }

    public string Image { get; }

    /// <summary>The time by the server's clock.</summary>
    public DateTime Now { get; init; } = DateTime.UtcNow;

    /// <summary>Hash over what the user added.</summary>
    public string Spec { get; }

    /// <summary>The interpreters to try, in their order.</summary>
    public IReadOnlyList<string> Interpreters { get; }

    /// <summary>The first of them.</summary>
    public string Python => Interpreters[0];

    private bool OwnImage => Image == Target.Image;

    private TimeSpan Life => _request.Life ?? DebugContainerLife.Longest;

    /// <summary>What follows the interpreter in a debug container's command.</summary>
    public static IReadOnlyList<string> Options(KeeperProgram keeper) => ["-I", "-S", "-B", "-c", keeper.Command];

    /// <summary>Whether there is a container that may fit, by what it says of itself.</summary>
    public bool HasCandidates(PodInfo pod) => Candidates(pod).Any();

    /// <summary>A container that fits the request, whatever its state; the newest, those that run first.</summary>
    public DebugContainerInfo? Existing(PodInfo pod, ProfileChoice choice)
        => Candidates(pod)
            .Where(c => c.AskedProfile == choice.Profile
                && c.AfterLastUse <= AfterLastUse(choice.Made)
                && ContainerMatch.IsSame(DebugContainerReader.Spec(pod, c.Name)!, choice, Interpreters))
            .OrderBy(c => c.State == DebugContainerReader.Running ? 0 : 1)
            .ThenByDescending(c => c.Created)
            .ThenBy(c => c.Name, StringComparer.Ordinal)
            .FirstOrDefault();

    /// <summary>Whether the request wants a container that could take over its node.</summary>
    public bool IsPrivileged
        => _request.Profile == SecurityProfiles.SysAdmin
            || (_custom is not null && SecurityProfiles.IsPrivileged(_custom));

    /// <summary>
    /// Makes sure that the request is allowed here, and that one which could take over its node is of an image that
    /// somebody has named.
    /// </summary>
    public void Check(TeamPolicy policy)
    {
        policy.CheckStart(_request, _custom, Target, Image);
        if (IsPrivileged && _request.Image is null)
        {
            throw new EngineException(
                Causes.ImageNotNamed,
                $"A privileged debug container could take over node '{_pod.NodeName}', and no image was named for it: "
                + $"pod '{_pod.Reference}' would have its own run so.");
        }
    }

    /// <summary>The container as the API takes it.</summary>
    public JsonObject Container(string profile, string python, DateTime now, string? user = null)
    {
        JsonArray environment = [];
        foreach (KeyValuePair<string, string> entry in _request.Environment.OrderBy(e => e.Key, StringComparer.Ordinal))
        {
            environment.Add(Entry(entry.Key, entry.Value));
        }

        JsonObject container = new()
        {
            ["name"] = "pydebug-" + RandomNumberGenerator.GetString(NameLetters, 5),
            ["image"] = Image,
            // A tag 'latest' would be pulled each time, and the application's own image is on the node.
            ["imagePullPolicy"] = _request.ImagePullPolicy ?? "IfNotPresent",
            ["command"] = new JsonArray([python, .. Options(_keeper)]),
            ["targetContainerName"] = Target.Name,
            ["env"] = environment,
            ["terminationMessagePolicy"] = "FallbackToLogsOnError",
        };
        JsonObject? context = SecurityProfiles.Context(
            profile, _pod, Target, OwnImage, CustomContainer.SetsUser(_custom));
        if (context is not null)
        {
            container["securityContext"] = context;
        }

        if (_custom is not null)
        {
            CustomContainer.Merge(container, _custom);
        }

        TimeSpan idle = AfterLastUse(container);
        SessionMark mark = new()
        {
            Target = Target.Name,
            Profile = profile,
            Created = now,
            Spec = Spec,
            Idle = idle < DebugContainerLife.AfterLastUse ? (long)idle.TotalSeconds : null,
            Life = Life < DebugContainerLife.Longest ? (long)Life.TotalSeconds : null,
            Limit = PodMemory.LimitOf(_pod) ?? 0,
            Low = _request.AllowLowMemory ? 1 : null,
            Beside = PodMemory.LargestBeside(_pod, Target.Name),
            User = user,
            Reason = _request.Reason,
        };
        if (container["env"] is not JsonArray variables)
        {
            container["env"] = variables = [];
        }

        variables.Insert(0, Entry(SessionMark.Variable, mark.ToString()));
        variables.Insert(1, Entry(KeeperProgram.Variable, _keeper.Text));
        return container;
    }

    private static TimeSpan AfterLastUse(JsonObject container)
        => SecurityProfiles.IsPrivileged(container)
            ? DebugContainerLife.AfterLastUsePrivileged
            : DebugContainerLife.AfterLastUse;

    private static JsonObject Entry(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private IEnumerable<DebugContainerInfo> Candidates(PodInfo pod)
        => DebugContainerReader.Find(pod, _keeper)
            .Where(c => c.TargetContainer == Target.Name && c.SpecHash == Spec && Fits(pod, c));

    private bool Fits(PodInfo pod, DebugContainerInfo container)
    {
        JsonObject spec = DebugContainerReader.Spec(pod, container.Name)!;
        // One that waits for its image goes on by its own policy, which may be why another is named now.
        bool policy = container.State == DebugContainerReader.Running
            || _request.ImagePullPolicy is null
            || _request.ImagePullPolicy == KubeJson.Text(spec, "imagePullPolicy");
        return policy
            && container.State != DebugContainerReader.Terminated
            // Some runtimes let one wait that did not find its interpreter: it never will.
            && StartFailure.Judge(DebugContainerReader.State(pod, container.Name))?.Cause != Causes.PythonNotInImage
            && container.Life <= Life
            && container.Created + container.Life > Now + _request.Needs;
    }
}
