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
    private readonly DebugContainerRequest _request;
    private readonly PodInfo _pod;
    private readonly DebugContainerPlan _plan;

    public ProfileChooser(PodApi api, DebugContainerRequest request, PodInfo pod, DebugContainerPlan plan)
    {
        _api = api;
        _request = request;
        _pod = pod;
        _plan = plan;
    }

    /// <summary>The profile to use; a dry run has accepted it.</summary>
    /// <exception cref="EngineException">None would do, or the one that was named is refused.</exception>
    public async Task<string> ChooseAsync(CancellationToken ct)
    {
        EngineException refusal;
        try
        {
            await TryAsync(_request.Profile, ct).ConfigureAwait(false);
            return _request.Profile;
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied
            && _request.Profile != SecurityProfiles.Restricted)
        {
            refusal = e;
        }

        string? passing = await PassingAsync(ct).ConfigureAwait(false);
        if (_request.ProfileNamed || passing != SecurityProfiles.Restricted)
        {
            throw PatchErrors.With(
                refusal,
                refusal.Cause,
                refusal.Message,
                passing is not null ? new() { ["passes"] = passing } : null);
        }

        AdmissionRefusal why = AdmissionRefusal.Read(refusal.ServerMessage ?? string.Empty);
        _request.Warn?.Invoke(
            $"{why.Refuses(_request.Profile, _pod.Reference.Namespace)} ({why.Violations.TrimEnd('.')}). "
            + "Profile Restricted is used: as the application's user, without privileges.");
        return SecurityProfiles.Restricted;
    }

    /// <summary>The least profile that admission accepts; null when there is none.</summary>
    private async Task<string?> PassingAsync(CancellationToken ct)
    {
        try
        {
            bool passes = await PassesAsync(SecurityProfiles.Restricted, ct).ConfigureAwait(false);
            return passes ? SecurityProfiles.Restricted : null;
        }
        catch (EngineException e) when (e.Cause == Causes.UserUnknown)
        {
            // A target that is root needs no other privilege than the same for its reader.
            if (await PassesAsync(SecurityProfiles.Baseline, ct).ConfigureAwait(false))
            {
                return SecurityProfiles.Baseline;
            }

            if (!_request.ProfileNamed)
            {
                throw;
            }

            return null;
        }
    }

    private async Task<bool> PassesAsync(string profile, CancellationToken ct)
    {
        try
        {
            await TryAsync(profile, ct).ConfigureAwait(false);
            return true;
        }
        catch (EngineException e) when (e.Cause == Causes.AdmissionDenied)
        {
            return false;
        }
    }

    private async Task TryAsync(string profile, CancellationToken ct)
    {
        JsonObject container = _plan.Container(profile, _plan.Python, DateTime.UtcNow);
        try
        {
            await _api.AddContainerAsync(_pod, container, bindVersion: false, dryRun: true, ct).ConfigureAwait(false);
        }
        catch (EngineException e)
        {
            throw PatchErrors.Classify(e, _pod.Reference, profile, _request.CustomJson is not null);
        }
    }
}
