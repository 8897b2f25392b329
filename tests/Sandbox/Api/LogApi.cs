using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Sandbox.Json;
using PyDebug.Sandbox.Node;
using PyDebug.Sandbox.Store;

namespace PyDebug.Sandbox.Api;

/// <summary>The <c>log</c> subresource.</summary>
internal sealed class LogApi(ObjectStore store, Kubelet kubelet)
{
    public async Task GetAsync(ApiRequest request, CancellationToken stopping)
    {
        JsonObject pod = store.Get("pods", request.Namespace, request.Name);
        string name = ContainerLookup.Choose(pod, request.Query("container"));
        ContainerRunner? runner = kubelet.Find(pod, name);
        ContainerLog? log = request.Flag("previous") ? runner?.PreviousLog : runner?.Log;
        if (log is null)
        {
            throw ApiException.BadRequest(Refusal(pod, name, request.Flag("previous")));
        }

        request.Context.Response.ContentType = "text/plain";
        using CancellationTokenSource end =
            CancellationTokenSource.CreateLinkedTokenSource(request.Context.RequestAborted, stopping);
        try
        {
            await SendAsync(request, log, end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task SendAsync(ApiRequest request, ContainerLog log, CancellationToken end)
    {
        Stream body = request.Context.Response.Body;
        long left = request.Number("limitBytes") ?? long.MaxValue;
        bool stamps = request.Flag("timestamps");
        bool follow = request.Flag("follow");
        (IReadOnlyList<LogLine> lines, long next, bool ended, Task changed) = log.Read(0);
        IEnumerable<LogLine> wanted = Since(request, lines);
        if (request.Number("tailLines") is long tail)
        {
            wanted = wanted.TakeLast((int)Math.Min(tail, int.MaxValue));
        }

        while (true)
        {
            foreach (LogLine line in wanted)
            {
                byte[] bytes = stamps
                    ? [.. Encoding.ASCII.GetBytes(line.Time.ToString("O")), (byte)' ', .. line.Bytes]
                    : line.Bytes;
                int count = (int)Math.Min(bytes.Length, left);
                await body.WriteAsync(bytes.AsMemory(0, count), end).ConfigureAwait(false);
                left -= count;
            }

            await body.FlushAsync(end).ConfigureAwait(false);
            if (!follow || ended || left <= 0)
            {
                return;
            }

            await changed.WaitAsync(end).ConfigureAwait(false);
            (wanted, next, ended, changed) = log.Read(next);
        }
    }

    private static IEnumerable<LogLine> Since(ApiRequest request, IEnumerable<LogLine> lines)
    {
        DateTime? since = request.Number("sinceSeconds") is long seconds ? DateTime.UtcNow.AddSeconds(-seconds) : null;
        if (DateTimeOffset.TryParse(request.Query("sinceTime"), CultureInfo.InvariantCulture, out DateTimeOffset time))
        {
            since = time.UtcDateTime;
        }

        return since is null ? lines : lines.Where(line => line.Time >= since);
    }

    private static string Refusal(JsonObject pod, string name, bool previous)
    {
        if (previous)
        {
            return $"previous terminated container \"{name}\" in pod \"{pod.NameOf()}\" not found";
        }

        JsonObject? status = ((string[])["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"])
            .SelectMany(list => pod.Items("status", list)).FirstOrDefault(item => item.Text("name") == name);
        string why = status.Text("state", "waiting", "reason") switch
        {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            string reason => reason,
            null => "ContainerCreating",
        };
        return $"container \"{name}\" in pod \"{pod.NameOf()}\" is waiting to start: {why}";
    }
}
