using System;
using System.Collections.Generic;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Engine;

/// <summary>Finds the profile that admission lets through, by asking and not by trying.</summary>
internal sealed class ProfileChooser
{
    private readonly PodApi _api;
    private readonly TeamPolicy _policy;
    private readonly DebugContainerRequest _request;
    private readonly PodInfo _pod;
    private readonly DebugContainerPlan _plan;

    public ProfileChooser(
        PodApi api, TeamPolicy policy, DebugContainerRequest request, PodInfo pod, DebugContainerPlan plan)
    {
        _api = api;
        _policy = policy;
        _request = request;
        _pod = pod;
        _plan = plan;
    }

    /// <summary>The profile to use; a dry run has accepted it, and its answer says what becomes of it.</summary>
    /// <exception cref="EngineException">None would do, or the one that was named is refused.</exception>
    public async Task<ProfileChoice> ChooseAsync(CancellationToken ct)
    {
        EngineException refusal;
        try
        {
            return await TryAsync(_request.Profile, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied
            && _request.Profile != SecurityProfiles.Restricted)
        {
            refusal = e;
        }

        ProfileChoice? passing = await PassingAsync(ct).ConfigureAwait(false);
        if (_request.ProfileNamed || passing?.Profile != SecurityProfiles.Restricted
            || !_policy.AllowsProfile(SecurityProfiles.Restricted))
        {
            throw PatchErrors.With(
                refusal,
                refusal.Cause,
                refusal.Message,
                passing is not null ? new() { ["passes"] = passing.Profile } : null);
        }

        AdmissionRefusal why = AdmissionRefusal.Read(refusal.ServerMessage ?? string.Empty);
        return passing with
        {
            Warning = $"{why.Refuses(_request.Profile, _pod.Reference.Namespace)} ({why.Violations.TrimEnd('.')}). "
                + "Profile Restricted is used: as the application's user, without privileges.",
        };
    }

    /// <summary>The least profile that admission accepts; null when there is none.</summary>
    private async Task<ProfileChoice?> PassingAsync(CancellationToken ct)
    {
        try
        {
            return await PassesAsync(SecurityProfiles.Restricted, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.UserUnknown)
        {
            // A target that is root needs no other privilege than the same for its reader.
            ProfileChoice? baseline = await PassesAsync(SecurityProfiles.Baseline, ct).ConfigureAwait(false);
            if (baseline is null && !_request.ProfileNamed)
            {
                throw;
            }

            return baseline;
        }
    }

    private async Task<ProfileChoice?> PassesAsync(string profile, CancellationToken ct)
    {
        try
        {
            return await TryAsync(profile, ct).ConfigureAwait(false);
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied)
        {
            return null;
        }
    }

    private async Task<ProfileChoice> TryAsync(string profile, CancellationToken ct)
    {
        JsonObject container = _plan.Container(profile, _plan.Python, DateTime.UtcNow);
        try
        {
            PodInfo answer = await _api.AddContainerAsync(_pod, container, bindVersion: false, dryRun: true, ct)
                .ConfigureAwait(false);
            JsonObject made = DebugContainerReader.Spec(answer, KubeJson.Text(container, "name")!) ?? container;
            return new(profile, container, made);
        }
        catch (EngineException e)
        {
            throw PatchErrors.Classify(e, _pod.Reference, profile, _request.CustomJson is not null);
        }
    }
}
