using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Internal;
using PyDebug.Profiles;
using PyDebug.Tools.Bpftrace;
using PyDebug.Tools.PySpy;
using PyDebug.Watch;

namespace PyDebug.Tests.Engine;

/// <summary>Every reader of what comes from outside.</summary>
internal static class Readers
{
    private static readonly DateTime s_now = new(2026, 11, 25, 0, 0, 0, DateTimeKind.Utc);

    private static readonly KeeperProgram s_keeper = new("keeper", "program");

    private static readonly PodDebugSession s_session = new()
    {
        Namespace = "shop", PodName = "web-0", ContainerName = "app",
    };

    /// <summary>By what they read.</summary>
    public static IReadOnlyDictionary<string, Reader> All { get; } = new Dictionary<string, Reader>
    {
        ["collapsed stacks"] = new("cases/collapsed*,cases/compare*,profiling-3.15.2/*", b
            => CollapsedReader.Read(new MemoryStream(b), new StackProfile()),
            typeof(InvalidDataException), typeof(LimitExceededException)),
        ["speedscope"] = new("cases/speedscope*,py-spy-0.4.3/cpython3.13.5/record-speedscope.out", b
            => SpeedscopeReader.Read(new MemoryStream(b), new StackProfile()),
            typeof(InvalidDataException), typeof(LimitExceededException)),
        ["py-spy's dump"] = new("py-spy-0.4.3/cpython3.13.5/dump-json*.stdout", b
            => PySpyDump.Parse(new MemoryStream(b), new() { ProcessId = 1 }, s_session, false, s_now),
            typeof(InvalidDataException)),
        ["bpftrace's lines"] = new("bpftrace-0.2*/*.ndjson,bpftrace-0.17.0/*.ndjson", b =>
        {
            BpftraceOutput output = new(s_session, new Dictionary<string, IReadOnlyList<string>>());
            return Encoding.UTF8.GetString(b).Split('\n').Take(200).Sum(l => output.Read(l, s_now).Count);
        }),
        ["bpftrace's messages"] = new("bpftrace-0.2*/*.stderr", b
            => BpftraceMessages.Parse(Encoding.UTF8.GetString(b))),
        ["time"] = new("time/*.json,cases/time-kernel.json", b => Item(b, i => TimeParser.Parse(i, s_session, s_now))),
        ["memory"] = new("cases/memray.json", b => Item(b, i => MemrayParser.Parse(i, s_session, s_now))),
        ["stacks"] = new("corpus/stacks.json", b => Item(b, i => StackParser.Parse(i, s_session, s_now))),
        ["tasks"] = new("corpus/tasks.json", b => Item(b, i =>
        {
            TaskParser parser = new(s_session);
            return (parser.Add(i, s_now, out IReadOnlyList<PyTask>? tasks), tasks, parser.Finish(null));
        })),
        ["samples"] = new("corpus/sample.json", b => Item(b, i =>
        {
            SampleParser parser = new();
            return (parser.Parse(i, s_session, s_now), parser.Parse(i, s_session, s_now));
        })),
        ["a process"] = new("corpus/process.json", b => Item(b, i => ProcessParser.Parse(i, s_session, s_now))),
        ["YAML"] = new("corpus/*.yaml", b => Yaml.ParseObject(Encoding.UTF8.GetString(b)), typeof(FormatException)),
        ["an exec's status"] = new("corpus/status*", b => ExecStatus.Read(b)),
        ["a refusal"] = new("corpus/status*", b =>
        {
            ApiStatus status = ApiStatus.Read(403, b, null);
            return (ApiErrors.From(status, "read"), AdmissionRefusal.Read(status.Message));
        }),
        ["a pod"] = new("corpus/pod.json", b =>
        {
            if (KubeJson.ParseObject(b) is not JsonObject pod)
            {
                return null;
            }

            PodInfo info = PodParser.Parse(pod);
            return (DebugContainerReader.Find(info, s_keeper), StartChecks.Check(info, "app"), PodMemory.LimitOf(info));
        }, typeof(EngineException)),
        ["a custom container"] = new("corpus/custom.json", b
            => CustomContainer.Parse(Encoding.UTF8.GetString(b)), typeof(EngineException)),
        ["NO_PROXY"] = new("corpus/no-proxy.txt", b => ProxyEnvironment.For(
            new("https://10.96.0.1:6443"), v => v == "HTTPS_PROXY" ? "p:1" : Encoding.UTF8.GetString(b))),
        ["HTTPS_PROXY"] = new("corpus/no-proxy.txt", b => ProxyEnvironment.For(
            new("https://api.test"), v => v == "HTTPS_PROXY" ? Encoding.UTF8.GetString(b) : null),
            typeof(EngineException)),
        ["frames"] = new("corpus/frames*", b =>
        {
            using MemoryStream stream = new(b);
            return Frames(stream.ReadAsync);
        }, typeof(EngineException)),
        ["an exec's messages"] = new("corpus/messages*", b =>
        {
            using RecordedSocket socket = new(b);
            using Demuxer demuxer = new(socket);
            demuxer.RunAsync(CancellationToken.None).GetAwaiter().GetResult();
            bool isWhole = Frames(demuxer.Output.ReadManyAsync);
            if (isWhole && !demuxer.Trailer.IsComplete)
            {
                throw new InvalidOperationException("A trailer came and was not seen on its way.");
            }

            return (demuxer.Status, demuxer.StandardError.ToString(), demuxer.Failure);
        }, typeof(EngineException)),
        ["a quantity"] = new("corpus/no-proxy.txt", b => Quantity.Bytes(Encoding.UTF8.GetString(b))),
    };

    private static object? Item(byte[] json, Func<JsonElement, object?> parse)
    {
        using JsonDocument? document = Json.Parse(json);
        return document is null ? null : parse(document.RootElement);
    }

    /// <summary>Reads frames to their end; says whether that is a trailer that fits.</summary>
    private static bool Frames(Func<Memory<byte>, CancellationToken, ValueTask<int>> read)
    {
        using FrameReader reader = new(read);
        while (reader.ReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult() is AgentFrame frame)
        {
            if (frame.Kind == FrameKinds.Trailer)
            {
                _ = reader.Verify(frame.Payload);
                return true;
            }
        }

        return false;
    }
}
