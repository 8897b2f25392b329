using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>The far side of Copy-PodFile, with faults where a test wants them.</summary>
internal sealed class FakeFileAgent
{
    private const int Chunk = 1 << 16;

    private int _tries;

    /// <summary>What each try does wrong, by its number from 0 on.</summary>
    public Func<int, Fault> Fails { get; init; } = _ => Fault.None;

    /// <summary>The files, by path; a single one has an empty path.</summary>
    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    /// <summary>What was asked.</summary>
    public List<JsonObject> Asked { get; } = [];

    /// <summary>What came, by path.</summary>
    public Dictionary<string, byte[]> Stored { get; } = [];

    /// <summary>How many bytes it says that a folder has; null for as many as it has.</summary>
    public long? Announced { get; init; }

    /// <summary>The exit code that the trailer tells.</summary>
    public int Exit { get; init; }

    /// <summary>Whether a trailer was sent at all.</summary>
    public bool HasToldExit { get; private set; }

    /// <summary>How many bytes of output one message carries.</summary>
    public int MessageSize { get; init; } = 32 << 10;

    public static string Sha256(ReadOnlySpan<byte> bytes)
        => Convert.ToHexString(SHA256.HashData(bytes)).ToLowerInvariant();

    /// <summary>Answers one exec.</summary>
    public async Task ServeAsync(FakeExec heard)
    {
        FakeExec exec = new(heard.Request, heard.Connection) { MessageSize = MessageSize };
        Fault fault = Fails(Interlocked.Increment(ref _tries) - 1);
        if (fault.Kind == FaultKind.ResetFirst)
        {
            exec.Connection.Reset();
            return;
        }

        JsonObject question = await exec.BootAsync();
        lock (Asked)
        {
            Asked.Add(question);
        }

        await exec.HelloAsync();
        try
        {
            await (question["op"]!.ToString() == "put" ? StoreAsync(exec, question, fault)
                : SendAsync(exec, question, fault));
            await FinishAsync(exec, fault);
        }
        catch (BrokenOffException)
        {
        }
    }

    private static async Task BreakAsync(FakeExec exec, Fault fault)
    {
        switch (fault.Kind)
        {
            case FaultKind.Reset or FaultKind.ResetLast:
                await exec.Connection.ArriveAsync();
                exec.Connection.Reset();
                break;
            case FaultKind.Success:
                await exec.SendStatusAsync();
                await exec.SendCloseAsync();
                await exec.Connection.ArriveAsync();
                break;
            case FaultKind.Lost:
                await exec.SendStatusAsync(
                    "{\"status\":\"Failure\",\"reason\":\"NonZeroExitCode\","
                    + "\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}");
                await exec.SendCloseAsync();
                await exec.Connection.ArriveAsync();
                break;
            case FaultKind.Close:
                await exec.SendCloseAsync();
                await exec.Connection.ArriveAsync();
                break;
            default:
                await exec.Connection.ArriveAsync();
                exec.Connection.Close();
                break;
        }

        throw new BrokenOffException();
    }

    private async Task FinishAsync(FakeExec exec, Fault fault)
    {
        if (fault.Kind == FaultKind.ResetLast)
        {
            await BreakAsync(exec, fault);
        }

        HasToldExit = true;
        await exec.SendTrailerAsync(Exit);
        if (fault.Kind == FaultKind.NoStatus)
        {
            await exec.ReadFrameAsync();
            exec.Connection.Close();
            return;
        }

        await exec.ReadFrameAsync();
        await exec.SendStatusAsync();
        await exec.SendCloseAsync();
    }

    private async Task SendAsync(FakeExec exec, JsonObject question, Fault fault)
    {
        long budget = fault.After;
        JsonObject? resume = question["resume"] as JsonObject;
        string? after = resume?["after"]?.ToString();
        bool tree = question["recurse"]!.GetValue<bool>();
        if (tree)
        {
            await exec.SendFrameAsync('R', new JsonObject
            {
                ["kind"] = "tree", ["files"] = Files.Count,
                ["bytes"] = Announced ?? Files.Values.Sum(f => (long)f.Length),
            });
        }

        foreach ((string path, byte[] bytes) in Files)
        {
            if (after is not null && string.CompareOrdinal(path, after) <= 0 && tree)
            {
                continue;
            }

            int offset = resume?["path"]?.ToString() == path ? resume["offset"]!.GetValue<int>() : 0;
            if (offset > 0 && resume!["sha256"]!.ToString() != Sha256(bytes.AsSpan(0, offset)))
            {
                throw new InvalidDataException("The client has other bytes than it was sent.");
            }

            await exec.SendFrameAsync('R', new JsonObject
            {
                ["kind"] = "file", ["path"] = path, ["size"] = bytes.Length, ["offset"] = offset,
                ["mtime"] = 1_600_000_000_000_000_000, ["device"] = 1, ["inode"] = 2,
            });
            for (int at = offset; at < bytes.Length; at += Chunk)
            {
                int length = Math.Min(Chunk, bytes.Length - at);
                if (fault.IsInside && budget < length)
                {
                    await exec.SendFrameAsync('G', bytes[at..(at + (int)budget)]);
                    await BreakAsync(exec, fault);
                }

                budget -= length;
                await exec.SendFrameAsync('G', bytes[at..(at + length)]);
            }

            await exec.SendFrameAsync('R', new JsonObject
            {
                ["kind"] = "fileEnd", ["path"] = path, ["size"] = bytes.Length, ["sha256"] = Sha256(bytes),
            });
        }

        if (fault.IsInside)
        {
            await BreakAsync(exec, fault);
        }

        await exec.SendFrameAsync('R', new JsonObject { ["kind"] = "end", ["cpu"] = 0.25 });
    }

    private MemoryStream _half = new();

    private async Task StoreAsync(FakeExec exec, JsonObject question, Fault fault)
    {
        long have = question["try"]!.GetValue<int>() > 0 ? _half.Length : 0;
        if (have == 0)
        {
            _half = new();
        }

        await exec.SendFrameAsync('N', new JsonObject
        {
            ["name"] = "content", ["path"] = question["resume"]?.DeepClone(), ["have"] = have,
            ["sha256"] = have > 0 ? Sha256(_half.ToArray()) : null,
        });
        using Incoming incoming = new(exec);
        while (await incoming.HeadAsync() is JsonObject head)
        {
            string path = head["path"]!.ToString();
            long offset = head["offset"]!.GetValue<long>();
            if (offset == 0)
            {
                _half = new();
            }

            for (long left = head["size"]!.GetValue<long>() - offset; left > 0;)
            {
                byte[] some = await incoming.TakeAsync((int)Math.Min(left, Chunk));
                _half.Write(some);
                left -= some.Length;
                if (fault.IsInside && _half.Length - offset > fault.After)
                {
                    await BreakAsync(exec, fault);
                }
            }

            byte[] whole = _half.ToArray();
            _half = new();
            if (!(await incoming.TakeAsync(32)).SequenceEqual(SHA256.HashData(whole)))
            {
                await exec.SendFrameAsync(
                    'R', new JsonObject { ["kind"] = "left", ["path"] = path, ["why"] = "changed" });
                continue;
            }

            Stored[path] = whole;
            await exec.SendFrameAsync(
                'R', new JsonObject { ["kind"] = "fileEnd", ["path"] = path, ["size"] = whole.Length });
        }
    }

    private sealed class BrokenOffException : Exception;

    /// <summary>What the client sends after a Need.</summary>
    private sealed class Incoming(FakeExec exec) : IDisposable
    {
        private readonly MemoryStream _bytes = new();

        public async Task<JsonObject?> HeadAsync()
        {
            int length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(await TakeAsync(4));
            return length == 0 ? null : JsonNode.Parse(await TakeAsync(length))!.AsObject();
        }

        public async Task<byte[]> TakeAsync(int count)
        {
            while (_bytes.Length - _bytes.Position < count)
            {
                (char kind, byte[] payload) = await exec.ReadFrameAsync();
                if (kind != 'D')
                {
                    throw new EndOfStreamException();
                }

                long place = _bytes.Position;
                byte[] rest = _bytes.ToArray()[(int)place..];
                _bytes.SetLength(0);
                _bytes.Write(rest);
                _bytes.Write(payload);
                _bytes.Position = 0;
            }

            byte[] taken = new byte[count];
            _bytes.ReadExactly(taken);
            return taken;
        }

        public void Dispose() => _bytes.Dispose();
    }
}
