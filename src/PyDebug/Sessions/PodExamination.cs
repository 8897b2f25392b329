using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Internal;

namespace PyDebug.Commands;

/// <summary>Looks at all that may stop questions in one pod. Nothing that it sends changes anything.</summary>
/// <param name="gateway">The way to the server.</param>
/// <param name="request">The pod.</param>
/// <param name="questions">The questions; one without a name for a session alone.</param>
/// <param name="make">Makes the request for a debug container of a profile.</param>
internal sealed class PodExamination(
    KubeGateway gateway,
    StartRequest request,
    IReadOnlyList<Question> questions,
    Func<PodInfo, ContainerInfo, string?, DebugContainerRequest> make)
{
    private readonly List<Finding> _findings = [];

    private string _container = request.ContainerName ?? "";

    private string Namespace => request.Namespace ?? gateway.DefaultNamespace;

    private PodTarget Target => new(Namespace, request.PodName, _container.Length > 0 ? _container : null);

    /// <summary>All findings, in their order.</summary>
    public async Task<IReadOnlyList<PodDebugCheck>> RunAsync(CancellationToken ct)
    {
        IReadOnlyList<Finding> server = await gateway.CheckServerAsync(ct).ConfigureAwait(false);
        _findings.AddRange(server);
        // Whoever does not answer at all has nothing to say of the rest.
        if (server[0].Status == Finding.Fail && server[0].Cause is not null)
        {
            return Records();
        }

        _findings.AddRange(
            await gateway.CheckRightsAsync(Namespace, request.PodName, ct).ConfigureAwait(false));
        foreach (Question question in questions)
        {
            Try("Policy", question.Name, () => gateway.CheckCmdlet(question.Cmdlet), null);
        }

        if (await FindAsync(ct).ConfigureAwait(false) is (PodInfo pod, ContainerInfo container))
        {
            _container = container.Name;
            await ExamineAsync(pod, container, ct).ConfigureAwait(false);
        }

        return Records();
    }

    private async Task<(PodInfo Pod, ContainerInfo Container)?> FindAsync(CancellationToken ct)
    {
        try
        {
            PodReference reference = new() { Namespace = Namespace, Name = request.PodName, Uid = request.Uid };
            PodInfo pod = await gateway.GetPodAsync(reference, ct).ConfigureAwait(false);
            return (pod, TargetContainer.Pick(pod, request.ContainerName, new PodTarget(Namespace, request.PodName)));
        }
        catch (Exception e) when (e is EngineException or PyDebugException)
        {
            Add("Pod", Finding.Fail, "", e);
            return null;
        }
    }

    private async Task ExamineAsync(PodInfo pod, ContainerInfo container, CancellationToken ct)
    {
        _findings.Add(PodChecks.State(pod, container));
        _findings.AddRange(PodChecks.Node(pod, questions));
        string? profile = null;
        EngineException? refusal = null;
        bool known = false;
        // One profile serves all questions, as it does in Start-PodDebug.
        string? asked = questions[0].Name.Length == 0 ? null : SecurityProfiles.For(questions.Select(q => q.Name));
        DebugContainerRequest wanted = make(pod, container, asked);
        if (Try("Policy", "", () => gateway.CheckRequest(wanted, pod, container), "The request for a debug container "
            + "is allowed here."))
        {
            (profile, refusal, known) = await AdmitAsync(wanted, pod, container, ct).ConfigureAwait(false);
        }
        else
        {
            _findings.Add(new("Admission", Finding.Unknown, "It was not asked about what is refused here."));
        }

        _findings.Add(PodChecks.Earlier(pod, refusal, known));
        _findings.AddRange(PodChecks.Security(pod, container, profile, questions));
        _findings.Add(PodChecks.Image(container, wanted.Image, wanted.ImagePullPolicy));
        _findings.Add(PodChecks.Python(pod, container, wanted.Image, gateway.FindDebugContainers(pod)));
        long? used = await gateway.MemoryUsedAsync(pod, ct).ConfigureAwait(false);
        _findings.AddRange(PodChecks.Memory(pod, used, questions, AgentModules.NeedsOf));
        _findings.Add(PodChecks.Cpu(pod));
        _findings.AddRange(PodChecks.Probes(pod, container, questions));
    }

    private async Task<(string? Profile, EngineException? Refusal, bool Known)> AdmitAsync(
        DebugContainerRequest wanted, PodInfo pod, ContainerInfo container, CancellationToken ct)
    {
        try
        {
            ProfileChoice choice = await gateway.TryAsync(wanted, pod, container, ct).ConfigureAwait(false);
            IReadOnlyList<string> changes = ContainerMatch.Changes(choice);
            string detail = $"A server-side dry run accepts profile {choice.Profile}";
            _findings.Add(choice.Warning is string warning
                ? new("Admission", Finding.Warning, warning, "-SecurityProfile Restricted says so without a warning.")
                : changes.Count > 0
                    ? new("Admission", Finding.Warning, $"{detail}, and changes it: {string.Join(", ", changes)}.")
                    : new("Admission", Finding.Pass, $"{detail}."));
            return (choice.Profile, null, true);
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied)
        {
            Add("Admission", Finding.Fail, "", Named(e));
            return (null, e, true);
        }
        catch (EngineException e) when (e.Cause == Causes.EphemeralContainersForbidden)
        {
            Add("Admission", Finding.Unknown, "", e);
            return (null, null, false);
        }
        catch (EngineException e)
        {
            Add("Admission", Finding.Fail, "", e);
            return (null, null, false);
        }
    }

    /// <summary>With the refuser's own words: the short form leaves out which container is meant.</summary>
    private EngineException Named(EngineException e)
    {
        Dictionary<string, string> detail = [];
        if (questions[0].Name.Length > 0)
        {
            detail["for"] = string.Join(", ", questions.Select(q => q.Name));
        }

        // Restricted was tried in vain where nothing is told to pass.
        if (!e.Detail.ContainsKey(Advice.PassingProfile))
        {
            detail["restricted"] = Advice.Refused;
        }

        return PatchErrors.With(e, e.Cause, e.ServerMessage ?? e.Message, detail);
    }

    private bool Try(string check, string question, Action look, string? pass)
    {
        try
        {
            look();
            if (pass is not null)
            {
                _findings.Add(new(check, Finding.Pass, pass, "", question));
            }

            return true;
        }
        catch (EngineException e)
        {
            // The image that no privileged container may be of is no matter of a policy file.
            Add(e.Cause == Causes.PolicyDenied ? check : e.Cause == Causes.ImageNotNamed ? "Image" : "Admission",
                Finding.Fail, question, e);
            return false;
        }
    }

    private void Add(string check, string status, string question, Exception e)
    {
        PyDebugException explained = ErrorFactory.From(e, Target);
        _findings.Add(new(check, status, Sentence(explained), explained.RecommendedAction, question));
    }

    private static string Sentence(PyDebugException e)
        => e.ErrorRecord.ErrorDetails?.Message is { Length: > 0 } text ? text : e.Message;

    private List<PodDebugCheck> Records() => [.. _findings.Select(f => Record(f, Target))];

    /// <summary>A failure as a record.</summary>
    internal static PodDebugCheck Failed(string check, PyDebugException e, PodTarget target)
        => Record(new(check, Finding.Fail, Sentence(e), e.RecommendedAction), target);

    /// <summary>A finding as a record.</summary>
    internal static PodDebugCheck Record(Finding finding, PodTarget target)
    {
        PyDebugException? cause = finding.Cause is null ? null : ErrorFactory.From(finding.Cause, target);
        return new()
        {
            Namespace = target.Namespace,
            PodName = target.PodName,
            ContainerName = target.ContainerName ?? "",
            For = finding.For,
            Check = finding.Check,
            Status = finding.Status,
            Detail = SafeText.Line(finding.Detail),
            Remedy = cause?.RecommendedAction ?? finding.Remedy,
        };
    }
}
