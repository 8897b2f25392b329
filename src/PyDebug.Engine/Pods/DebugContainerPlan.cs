using System;
using System.Collections.Generic;
using System.IO;
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
    private readonly string _keeper;
    private readonly JsonObject? _custom;

    public DebugContainerPlan(DebugContainerRequest request, PodInfo pod, ContainerInfo target, string keeper)
    {
        _request = request;
        _pod = pod;
        _keeper = keeper;
        _custom = CustomContainer.Parse(request.CustomJson);
        Target = target;
        Image = request.Image ?? target.Image;
        Spec = SessionMark.SpecOf(request.CustomJson, request.Environment);
        Python = OwnImage ? PythonOf(target.Command) ?? "python3" : "python3";
        if (request.Environment.ContainsKey(SessionMark.Variable))
        {
            throw new EngineException(Causes.CustomInvalid, $"The environment may not set {SessionMark.Variable}.");
        }
    }

    public ContainerInfo Target { get; }

    public string Image { get; }

    /// <summary>Hash over what the user added.</summary>
    public string Spec { get; }

    /// <summary>The interpreter to start.</summary>
    public string Python { get; }

    private bool OwnImage => Image == Target.Image;

    /// <summary>A container that fits the request, whatever its state; the newest, those that run first.</summary>
    public DebugContainerInfo? Existing(PodInfo pod)
        => DebugContainerReader.Find(pod)
            .Where(c => c.TargetContainer == Target.Name && c.Image == Image && c.SpecHash == Spec && Fits(pod, c))
            .OrderBy(c => c.Profile == _request.Profile ? 0 : 1)
            .ThenBy(c => c.State == DebugContainerReader.Running ? 0 : 1)
            .ThenByDescending(c => c.Created)
            .ThenBy(c => c.Name, StringComparer.Ordinal)
            .FirstOrDefault();

    /// <summary>The container as the API takes it.</summary>
    public JsonObject Container(string profile, string python, DateTime now)
    {
        SessionMark mark = new()
        {
            Target = Target.Name,
            Profile = profile,
            Created = now,
            Spec = Spec,
            Fallback = profile != _request.Profile,
        };
        JsonArray environment = [Entry(SessionMark.Variable, mark.ToString())];
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
            ["command"] = new JsonArray(python, "-I", "-S", "-B", "-c", _keeper),
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

        return container;
    }

    private static JsonObject Entry(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private static string? PythonOf(IReadOnlyList<string> command)
    {
        string? program = command.Count == 0 ? null : command[0];
        string name = Path.GetFileName(program) ?? string.Empty;
        return name.StartsWith("python", StringComparison.Ordinal)
            && !name.StartsWith("python2", StringComparison.Ordinal)
            && name.AsSpan(6).TrimStart("0123456789.t").IsEmpty
            ? program
            : null;
    }

    private bool Fits(PodInfo pod, DebugContainerInfo container)
    {
        JsonObject spec = DebugContainerReader.Spec(pod, container.Name)!;
        bool profile = container.Profile == _request.Profile
            || (!_request.ProfileNamed && SessionMark.Read(spec)!.Fallback);
        // One that waits for its image goes on by its own policy, which may be why another is named now.
        bool policy = container.State == DebugContainerReader.Running
            || _request.ImagePullPolicy is null
            || _request.ImagePullPolicy == KubeJson.Text(spec, "imagePullPolicy");
        return profile
            && policy
            && container.State != DebugContainerReader.Terminated
            && container.Created + DebugContainerLife.Longest > DateTime.UtcNow + _request.Needs;
    }
}
