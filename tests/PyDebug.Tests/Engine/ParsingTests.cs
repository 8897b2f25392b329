using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using FsCheck;
using FsCheck.Fluent;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>The small parsers of the engine, also against bytes that nobody meant.</summary>
public sealed class ParsingTests
{
    private static readonly Config s_config = Config.QuickThrowOnFailure.WithMaxTest(2000);

    [Fact]
    public void A_demuxer_gives_every_channel_its_bytes_however_messages_are_cut()
        => Check.One(s_config, Prop.ForAll<byte[], byte[], int>((output, error, cut) =>
        {
            using Demuxer demuxer = new(new System.Net.WebSockets.ClientWebSocket());
            foreach ((byte channel, byte[] data) in new[] { ((byte)1, output), ((byte)2, error) })
            {
                byte[] message = [channel, .. data];
                int at = Math.Abs(cut % (message.Length + 1));
                int state = demuxer.Take(message.AsSpan(0, at), -1);
                demuxer.Take(message.AsSpan(at), state);
            }

            demuxer.Output.Complete();
            Assert.Equal(output, Drain(demuxer.Output));
            Assert.Equal(error, demuxer.StandardError.ToArray());
        }));

    [Fact]
    public void A_demuxer_survives_any_message()
        => Check.One(s_config, Prop.ForAll<byte[], int>((bytes, state) =>
        {
            using Demuxer demuxer = new(new System.Net.WebSockets.ClientWebSocket());
            try
            {
                demuxer.Take(bytes, Math.Clamp(state % 4, -1, 3));
            }
            catch (EngineException e)
            {
                Assert.Equal(Causes.ProtocolError, e.Cause);
            }
        }));

    [Fact]
    public void Any_bytes_are_frames_or_an_end_or_a_protocol_error()
        => Check.One(s_config, Prop.ForAll<byte[]>(bytes =>
        {
            // A beginning that is right lets the rest be looked at.
            byte[] stream = [.. FakeExec.Frame('H', "{}"u8.ToArray()), .. bytes];
            using FrameReader reader = Reader(stream);
            try
            {
                while (reader.ReadAsync(CancellationToken.None).AsTask().Result is AgentFrame frame)
                {
                    Assert.Contains(frame.Kind, FrameKinds.FromAgent);
                }
            }
            catch (AggregateException e)
            {
                Assert.Equal(Causes.ProtocolError, Assert.IsType<EngineException>(e.InnerException).Cause);
            }
        }));

    [Fact]
    public void A_trailer_is_believed_only_with_the_right_length_and_hash()
        => Check.One(s_config, Prop.ForAll<byte[], int>((payload, flip) =>
        {
            byte[] stream = [.. FakeExec.Frame('H', []), .. FakeExec.Frame('F', payload)];
            string hash = Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(stream));
            byte[] trailer = Encoding.UTF8.GetBytes($"{{\"exit\":5,\"length\":{stream.Length},\"sha256\":\"{hash}\"}}");
            Assert.Equal(5, Verify(stream, trailer));

            byte[] changed = [.. FakeExec.Frame('H', []), .. FakeExec.Frame('F', [.. payload, (byte)flip])];
            Assert.Throws<EngineException>(() => Verify(changed, trailer));
        }));

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"exit\":0}")]
    [InlineData("{\"exit\":-1,\"length\":5,\"sha256\":\"x\"}")]
    [InlineData("[")]
    public void A_trailer_that_says_too_little_is_none(string trailer)
    {
        EngineException e = Assert.Throws<EngineException>(
            () => Verify(FakeExec.Frame('H', []), Encoding.UTF8.GetBytes(trailer)));
        Assert.Equal(Causes.OutcomeUnknown, e.Cause);
    }

    [Fact]
    public void A_queue_gives_back_what_it_was_given_over_memory_and_file()
        => Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll<byte[][], bool[]>((writes, reads) =>
        {
            using SpillQueue queue = new(memoryLimit: 16);
            List<byte> got = [];
            byte[] buffer = new byte[7];
            for (int i = 0; i < writes.Length; i++)
            {
                queue.Write(writes[i]);
                if (reads.Length > 0 && reads[i % reads.Length] && got.Count < writes.Take(i + 1).Sum(w => w.Length))
                {
                    int n = queue.ReadAsync(buffer, CancellationToken.None).AsTask().Result;
                    got.AddRange(buffer[..n]);
                }
            }

            queue.Complete();
            got.AddRange(Drain(queue));
            Assert.Equal(writes.SelectMany(w => w), got);
        }));

    [Fact]
    public void A_queue_does_not_fill_the_disk()
    {
        using SpillQueue queue = new(memoryLimit: 4, fileLimit: 64);
        queue.Write(new byte[60]);

        EngineException e = Assert.Throws<EngineException>(() => queue.Write(new byte[60]));

        Assert.Equal(Causes.LimitExceeded, e.Cause);
    }

    [Fact]
    public void A_queue_leaves_room_on_the_disk()
    {
        using SpillQueue queue = new(memoryLimit: 4, headroom: () => 1000);

        EngineException e = Assert.Throws<EngineException>(() => queue.Write(new byte[60]));

        Assert.Equal(Causes.LimitExceeded, e.Cause);
        Assert.Contains("does not fit on the disk", e.Message);
    }

    [Fact]
    public async Task What_was_read_gives_its_room_back_though_the_reader_never_catches_up()
    {
        using SpillQueue queue = new(memoryLimit: 0, segmentSize: 100);
        byte[] buffer = new byte[100];
        long read = 0;
        queue.Write(new byte[300]);
        for (int i = 0; i < 1000; i++)
        {
            queue.Write(new byte[100]);
            read += await queue.ReadAsync(buffer, TestContext.Current.CancellationToken);
            Assert.InRange(queue.OnDisk, 1, 500);
        }

        queue.Complete();
        Assert.Equal(100_300 - read, Drain(queue).Length);
    }

    [Fact]
    public void What_is_put_on_disk_nobody_else_may_read_and_nothing_stays_of_a_client_that_is_killed()
    {
        string path;
        using (FileStream file = TemporaryFile.Create())
        {
            path = file.Name;
            if (OperatingSystem.IsWindows())
            {
                return;
            }

            // It has no name any more, so whatever ends this process ends the file as well.
            Assert.False(File.Exists(path));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file.SafeFileHandle));
            file.Write(new byte[64]);
            file.Position = 0;
            Assert.Equal(64, file.Read(new byte[100]));
        }

        Assert.False(File.Exists(path));
    }

    [Theory]
    [InlineData("{\"status\":\"\\ud800\"}")]
    [InlineData("{\"\\ud800\":1,\"status\":\"Success\"}")]
    [InlineData("{\"status\":\"Success\",\"details\":{\"causes\":[{\"\\uDC00\":1}]}}")]
    [InlineData("{\"status\":\"Success\",\"status\":\"Failure\"}")]
    [InlineData("{\"status\":{\"a\":1,\"a\":2}}")]
    [InlineData("[[[[")]
    public void A_status_that_cannot_be_read_is_none_and_nothing_is_thrown(string json)
    {
        ExecStatus? status = ExecStatus.Read(Encoding.UTF8.GetBytes(json));
        Assert.True(status is null || status.Success);
    }

    [Theory]
    [InlineData("{\"spec\":{\"containers\":[{\"name\":\"app\",\"x\":1,\"x\":2}]}}")]
    [InlineData(
        "{\"spec\":{\"containers\":[{\"name\":\"app\",\"resources\":{\"limits\":{\"memory\":{\"x\":1,\"x\":2}}}}]}}")]
    public void A_pod_with_a_name_twice_in_it_is_read_without_harm(string pod)
        => Assert.Single(PodParser.Parse(KubeJson.ParseObject(Encoding.UTF8.GetBytes(pod))!).Containers);

    [Fact]
    public void Bytes_that_are_no_text_become_the_sign_for_that()
    {
        byte[] status = [.. "{\"status\":\"Failure\",\"message\":\"a"u8, 0xf6, .. "b\"}"u8];
        Assert.Equal("a\ufffdb", ExecStatus.Read(status)!.Message);
    }

    [Fact]
    public void An_object_that_has_a_name_twice_far_within_is_looked_into_without_harm()
    {
        JsonObject? value = KubeJson.ParseObject("""{"a":{"b":{"x":1,"x":2},"c":"d"}}"""u8);
        Assert.Null(KubeJson.Text(value, "a", "b", "x"));
        Assert.Equal("d", KubeJson.Text(value, "a", "c"));
    }

    [Theory]
    [InlineData("42", 42)]
    [InlineData("-1", null)]
    [InlineData("0", null)]
    [InlineData("256", null)]
    [InlineData("abc", null)]
    public void An_exit_code_is_read_strictly(string message, int? code)
    {
        string json = "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
            + $"\"details\":{{\"causes\":[{{\"reason\":\"ExitCode\",\"message\":\"{message}\"}}]}}}}";
        ExecStatus status = ExecStatus.Read(Encoding.UTF8.GetBytes(json))!;
        Assert.Equal((false, code), (status.Success, status.ExitCode));
    }

    [Fact]
    public void A_status_without_an_exit_code_is_success_or_a_failure_of_the_server()
    {
        Assert.True(ExecStatus.Read("{\"status\":\"Success\"}"u8.ToArray())!.Success);
        ExecStatus failure = ExecStatus.Read("{\"status\":\"Failure\",\"reason\":\"InternalError\"}"u8.ToArray())!;
        Assert.Equal((false, null), (failure.Success, failure.ExitCode));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{\"status\":\"Maybe\"}")]
    [InlineData("{\"status\":\"Success\",\"status\":\"Failure\"}")]
    [InlineData("{\"status\":\"Succ")]
    public void What_is_no_status_is_none(string json) => Assert.Null(ExecStatus.Read(Encoding.UTF8.GetBytes(json)));

    [Theory]
    [InlineData("128Mi", 134217728L)]
    [InlineData("1G", 1000000000L)]
    [InlineData("1.5Gi", 1610612736L)]
    [InlineData("128974848", 128974848L)]
    [InlineData("129e6", 129000000L)]
    [InlineData("1000m", 1L)]
    [InlineData("-1", null)]
    [InlineData("many", null)]
    [InlineData(null, null)]
    public void Quantities_are_read(string? text, long? bytes) => Assert.Equal(bytes, Quantity.Bytes(text));

    [Theory]
    [InlineData("{\"name\":\"x\"}")]
    [InlineData("{\"command\":[\"x\"]}")]
    [InlineData("{\"args\":[]}")]
    [InlineData("{\"targetContainerName\":\"x\"}")]
    [InlineData("{\"image\":\"x\"}")]
    [InlineData("{\"env\":[{\"name\":\"PYDEBUG_SESSION\",\"value\":\"x\"}]}")]
    [InlineData("{\"env\":[{\"name\":\"PYDEBUG_KEEPER\",\"value\":\"x\"}]}")]
    [InlineData("{\"env\":\"x\"}")]
    [InlineData("{\"resources\":{\"limits\":{\"memory\":\"[]4\"}}}")]
    [InlineData("{\"securityContext\":{\"runAsUser\":\"root\"}}")]
    [InlineData("[]")]
    [InlineData("nonsense")]
    public void A_custom_container_may_not_touch_what_is_ours(string json)
        => Assert.Equal(Causes.CustomInvalid, Assert.Throws<EngineException>(() => CustomContainer.Parse(json)).Cause);

    [Fact]
    public void A_custom_container_is_merged_as_kubectl_does_it()
    {
        JsonObject container = JsonNode.Parse(
            """
            {"env":[{"name":"A","value":"1"},{"name":"B","value":"2"}],
             "securityContext":{"runAsUser":0,"capabilities":{"add":["SYS_PTRACE"]}},"imagePullPolicy":"Always"}
            """)!.AsObject();

        CustomContainer.Merge(container, CustomContainer.Parse(
            """
            {"env":[{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}},{"name":"C","value":"3"}],
             "securityContext":{"runAsUser":null,"capabilities":{"add":["NET_ADMIN"]}},
             "volumeMounts":[{"name":"data","mountPath":"/data"}]}
            """)!);

        JsonNode expected = JsonNode.Parse(
            """
            {"env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}},
                    {"name":"C","value":"3"}],
             "securityContext":{"capabilities":{"add":["NET_ADMIN"]}},"imagePullPolicy":"Always",
             "volumeMounts":[{"name":"data","mountPath":"/data"}]}
            """)!;
        Assert.True(JsonNode.DeepEquals(expected, container), container.ToJsonString());
    }

    [Fact]
    public void Another_tools_ephemeral_container_is_not_ours()
    {
        JsonObject pod = FakeCluster.NewPod();
        pod["spec"]!["ephemeralContainers"] = JsonNode.Parse(
            """
            [{"name":"debugger-x","image":"i"},
             {"name":"a","image":"i","env":[{"name":"PYDEBUG_SESSION","value":"{\"v\":2}"}]},
             {"name":"b","image":"i","env":[{"name":"PYDEBUG_SESSION","value":"nonsense"}]},
             {"name":"c","image":"i","env":[{"name":"PYDEBUG_SESSION","valueFrom":{}}]}]
            """);

        Assert.Empty(DebugContainerReader.Find(PodParser.Parse(pod), new KeeperProgram("keeper", "program")));
    }

    private static byte[] Drain(SpillQueue queue)
    {
        List<byte> all = [];
        byte[] buffer = new byte[11];
        int n;
        while ((n = queue.ReadAsync(buffer, CancellationToken.None).AsTask().Result) > 0)
        {
            all.AddRange(buffer[..n]);
        }

        return [.. all];
    }

    private static FrameReader Reader(byte[] stream)
    {
        MemoryStream source = new(stream);
        return new((buffer, ct) => source.ReadAsync(buffer[..Math.Min(3, buffer.Length)], ct));
    }

    private static int Verify(byte[] stream, byte[] trailer)
    {
        using FrameReader reader = Reader(stream);
        while (reader.ReadAsync(CancellationToken.None).AsTask().Result is not null)
        {
        }

        return reader.Verify(trailer);
    }
}
