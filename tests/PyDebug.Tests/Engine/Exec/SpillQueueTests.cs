using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using FsCheck;
using FsCheck.Fluent;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>A queue whose reader takes much at once, and whose writer waits for a reader that is at work.</summary>
public sealed class SpillQueueTests
{
    private static readonly TimeSpan s_long = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_reader_of_many_bytes_gets_them_when_all_are_there()
    {
        using SpillQueue queue = new();
        byte[] buffer = new byte[100];
        Task<int> read = queue.ReadManyAsync(buffer, TestContext.Current.CancellationToken).AsTask();

        queue.Write(new byte[60]);
        Assert.False(read.IsCompleted);
        queue.Write(Enumerable.Repeat((byte)7, 60).ToArray());

        Assert.Equal(100, await read.WaitAsync(s_long, TestContext.Current.CancellationToken));
        Assert.Equal(Enumerable.Repeat((byte)0, 60).Concat(Enumerable.Repeat((byte)7, 40)), buffer);
    }

    [Fact]
    public async Task A_reader_of_many_bytes_gets_the_last_ones_and_then_the_end()
    {
        using SpillQueue queue = new();
        byte[] buffer = new byte[100];
        queue.Write(new byte[30]);
        Task<int> read = queue.ReadManyAsync(buffer, TestContext.Current.CancellationToken).AsTask();
        Assert.False(read.IsCompleted);

        queue.Complete();

        Assert.Equal(30, await read.WaitAsync(s_long, TestContext.Current.CancellationToken));
        Assert.Equal(0, await queue.ReadManyAsync(buffer, TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Whatever_is_read_at_once_comes_back_as_it_was_written()
        => Check.One(Config.QuickThrowOnFailure.WithMaxTest(200), Prop.ForAll<byte[][], byte>((writes, size) =>
        {
            using SpillQueue queue = new(memoryLimit: 64, segmentSize: 50);
            List<byte> got = [];
            byte[] buffer = new byte[1 + size];
            int written = 0;
            foreach (byte[] some in writes)
            {
                queue.Write(some);
                written += some.Length;
                while (written - got.Count >= buffer.Length)
                {
                    int count = queue.ReadManyAsync(buffer, CancellationToken.None).AsTask().Result;
                    Assert.Equal(buffer.Length, count);
                    got.AddRange(buffer);
                }
            }

            queue.Complete();
            int last;
            while ((last = queue.ReadManyAsync(buffer, CancellationToken.None).AsTask().Result) > 0)
            {
                got.AddRange(buffer[..last]);
            }

            Assert.Equal(writes.SelectMany(w => w), got);
        }));

    [Fact]
    public async Task A_writer_waits_for_a_reader_that_is_at_work_and_the_disk_is_not_used()
    {
        using SpillQueue queue = new(memoryLimit: 1000);
        queue.Write(new byte[900]);
        Assert.True(
            queue.WaitForSpaceAsync(100, s_long, TestContext.Current.CancellationToken).IsCompletedSuccessfully);
        Task space = queue.WaitForSpaceAsync(200, s_long, TestContext.Current.CancellationToken).AsTask();
        Assert.False(space.IsCompleted);

        await queue.ReadAsync(new byte[100], TestContext.Current.CancellationToken);

        await space.WaitAsync(s_long, TestContext.Current.CancellationToken);
        queue.Write(new byte[200]);
        Assert.Equal(0, queue.OnDisk);
    }

    [Fact]
    public async Task A_writer_does_not_wait_for_a_reader_that_stands_still()
    {
        using SpillQueue queue = new(memoryLimit: 1000);
        queue.Write(new byte[1000]);

        await queue.WaitForSpaceAsync(
            1000, TimeSpan.FromMilliseconds(50), TestContext.Current.CancellationToken).AsTask()
            .WaitAsync(s_long, TestContext.Current.CancellationToken);
        queue.Write(new byte[1000]);

        Assert.Equal(1000, queue.OnDisk);
    }

    [Fact]
    public async Task A_writer_that_waits_is_let_go_where_the_queue_ends()
    {
        using SpillQueue queue = new(memoryLimit: 10);
        queue.Write(new byte[10]);
        Task space = queue.WaitForSpaceAsync(10, s_long, TestContext.Current.CancellationToken).AsTask();

        queue.Complete();

        await space.WaitAsync(s_long, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Parts_of_a_file_are_each_as_they_were_sent()
    {
        using SpillQueue queue = new();
        byte[][] parts = [.. Enumerable.Range(0, 9).Select(i => new byte[i % 4 == 3 ? 17 : 1000])];
        Array.ForEach(parts, Random.Shared.NextBytes);
        queue.Write(Frames.Encode(FrameKinds.Hello, "{}"u8));
        foreach (byte[] part in parts)
        {
            queue.Write(Frames.Encode(FrameKinds.HashedFile, part));
        }

        queue.Complete();
        using FrameReader reader = new(queue.ReadManyAsync);
        Assert.Equal(FrameKinds.Hello, (await reader.ReadAsync(TestContext.Current.CancellationToken))!.Kind);
        foreach (byte[] part in parts)
        {
            Assert.Equal(part, (await reader.ReadAsync(TestContext.Current.CancellationToken))!.Payload);
        }

        Assert.Null(await reader.ReadAsync(TestContext.Current.CancellationToken));
    }
}
