using System;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Sandbox.Node;

/// <summary>Finds a container's image as the kubelet would pull it: what is not on disk is in no registry.</summary>
internal sealed class ImagePuller(
    ImageStore images, EventRecorder events, JsonObject pod, string field, Action<string, string?> waiting)
{
    private static readonly TimeSpan s_firstBackOff = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_longestBackOff = TimeSpan.FromMinutes(5);

    /// <summary>The image, or null where the pod stopped before there was one.</summary>
    public async Task<Image?> PullAsync(string reference, string? policy, CancellationToken stop)
    {
        TimeSpan backOff = s_firstBackOff;
        while (!stop.IsCancellationRequested)
        {
            if (TryPull(reference, policy) is Image image)
            {
                return image;
            }

            try
            {
                // The error shows for a moment before the back-off does, as it does on a node.
                await Task.Delay(TimeSpan.FromSeconds(1), stop).ConfigureAwait(false);
                ShowBackOff(reference, policy);
                await Task.Delay(backOff, stop).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return null;
            }

            backOff = backOff * 2 < s_longestBackOff ? backOff * 2 : s_longestBackOff;
        }

        return null;
    }

    private Image? TryPull(string reference, string? policy)
    {
        if (ImageStore.Complaint(reference) is string complaint)
        {
            events.Record(pod, field, warning: true, "InspectFailed", complaint);
            Fail("InvalidImageName", complaint, "Error: InvalidImageName");
            return null;
        }

        if (images.Find(reference) is Image image)
        {
            events.Record(pod, field, warning: false, "Pulled",
                $"Container image \"{reference}\" already present on machine and can be accessed by the pod");
            return image;
        }

        if (policy == "Never")
        {
            string absent = $"Container image \"{reference}\" is not present with pull policy of Never";
            events.Record(pod, field, warning: true, "ErrImageNeverPull", absent);
            Fail("ErrImageNeverPull", absent, "Error: ErrImageNeverPull");
            return null;
        }

        events.Record(pod, field, warning: false, "Pulling", $"Pulling image \"{reference}\"");
        string message = Refusal(reference);
        events.Record(pod, field, warning: true, "Failed", $"Failed to pull image \"{reference}\": {message}");
        Fail("ErrImagePull", message, "Error: ErrImagePull");
        return null;
    }

    private void ShowBackOff(string reference, string? policy)
    {
        if (policy == "Never" || ImageStore.Complaint(reference) is not null)
        {
            return;
        }

        events.Record(pod, field, warning: false, "BackOff", $"Back-off pulling image \"{reference}\"");
        Fail("ImagePullBackOff", $"Back-off pulling image \"{reference}\": ErrImagePull: {Refusal(reference)}",
            "Error: ImagePullBackOff");
    }

    private void Fail(string reason, string message, string recorded)
    {
        events.Record(pod, field, warning: true, "Failed", recorded);
        waiting(reason, message);
    }

    private static string Refusal(string reference) =>
        $"rpc error: code = NotFound desc = failed to pull and unpack image \"{reference}\": failed to resolve "
        + $"reference \"{reference}\": {reference}: not found";
}
