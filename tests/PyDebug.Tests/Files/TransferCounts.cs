using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>
/// Transfers in number over connections that break. They run where they are asked for (<c>-explicit only</c>):
/// PYDEBUG_TRANSFERS and PYDEBUG_RECOVERIES say how many, and the counts go into the file that PYDEBUG_COUNTS names.
/// </summary>
public sealed class TransferCounts
{
    private const int AtOnce = 4;

    private static readonly object s_file = new();

    /// <summary>
    /// Each fault, with each version of the protocol and each exit code: what is taken for whole is whole.
    /// </summary>
    [Fact(Explicit = true)]
    public async Task None_is_short_or_has_another_exit_code()
    {
        int wrong = 0, whole = 0, refused = 0;
        int count = Number("PYDEBUG_TRANSFERS", 10_000);
        FaultKind[] kinds = Enum.GetValues<FaultKind>();
        await ManyAsync(count, async (number, chance) =>
        {
            byte[] content = Bytes(chance, (int)Math.Min(8 << 20, Math.Pow(2, chance.NextDouble() * 23.1) - 1));
            FaultKind kind = kinds[number % kinds.Length];
            bool v5 = number / kinds.Length % 2 == 1;
            int exit = number / kinds.Length / 2 % 2 == 1 ? 42 : 0;
            bool lasting = chance.Next(2) == 0;
            long after = chance.NextInt64(content.Length + 1L);
            FakeFileAgent agent = new()
            {
                Fails = t => t == 0 || lasting ? new Fault(kind, after) : Fault.None,
                Exit = exit,
                MessageSize = chance.Next(8) == 0 ? 1000 : 32 << 10,
            };
            agent.Files[""] = content;
            using Transfer transfer = new(agent, v5);
            string path = transfer.At("file");
            bool success = await EndsAsync(() => transfer.ReceiveAsync(path));
            bool isWhole = File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(content);
            // Where the connection is cut behind the last byte the agent's exit code never comes.
            if ((File.Exists(path) && !isWhole) || (success && !isWhole) || (success && exit != 0 && agent.HasToldExit))
            {
                Interlocked.Increment(ref wrong);
            }

            Interlocked.Add(ref whole, success ? 1 : 0);
            Interlocked.Add(ref refused, success ? 0 : 1);
        });
        Write("Transfers", count, ("wrong", wrong), ("whole", whole), ("refused", refused));
        Assert.Equal(0, wrong);
    }

    /// <summary>Up to five cuts each: nearly all come whole.</summary>
    [Fact(Explicit = true)]
    public async Task Up_to_five_cuts_are_recovered_from()
    {
        int whole = 0, cuts = 0;
        int count = Number("PYDEBUG_RECOVERIES", 1_000);
        FaultKind[] kinds = [FaultKind.Reset, FaultKind.Success, FaultKind.Close, FaultKind.Drop, FaultKind.Lost];
        await ManyAsync(count, async (number, chance) =>
        {
            byte[] content = Bytes(chance, chance.Next(1 << 20, (64 << 20) + 1));
            Fault[] faults =
            [
                .. Enumerable.Range(0, 1 + (number % 5)).Select(
                    _ => new Fault(kinds[chance.Next(kinds.Length)], chance.NextInt64(content.Length / 5))),
            ];
            FakeFileAgent agent = new() { Fails = t => t < faults.Length ? faults[t] : Fault.None };
            agent.Files[""] = content;
            using Transfer transfer = new(agent, number % 2 == 1);
            string path = transfer.At("file");
            if (await EndsAsync(() => transfer.ReceiveAsync(path)) && File.ReadAllBytes(path).AsSpan()
                .SequenceEqual(content))
            {
                Interlocked.Increment(ref whole);
            }

            Interlocked.Add(ref cuts, agent.Asked.Count - 1);
        });
        Write("Recoveries", count, ("whole", whole), ("cuts", cuts));
        Assert.InRange(whole, count * 995 / 1000, count);
    }

    private static Task ManyAsync(int count, Func<int, Random, Task> one)
        => Parallel.ForEachAsync(
            Enumerable.Range(0, count),
            new ParallelOptions { MaxDegreeOfParallelism = AtOnce },
            async (number, _) => await one(number, new Random(number)));

    private static async Task<bool> EndsAsync(Func<Task> work)
    {
        try
        {
            await work();
            return true;
        }
        catch (Exception e) when (e is EngineException or PyDebugException)
        {
            return false;
        }
    }

    private static byte[] Bytes(Random chance, int length)
    {
        byte[] bytes = new byte[length];
        chance.NextBytes(bytes);
        return bytes;
    }

    private static int Number(string variable, int usual)
        => int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out int number)
            ? number : usual;

    private static void Write(string name, int count, params (string Name, int Value)[] values)
    {
        JsonObject line = new() { ["name"] = name, ["count"] = count };
        foreach ((string key, int value) in values)
        {
            line[key] = value;
        }

        lock (s_file)
        {
            if (Environment.GetEnvironmentVariable("PYDEBUG_COUNTS") is { Length: > 0 } path)
            {
                File.AppendAllText(path, line.ToJsonString() + "\n");
            }
        }
    }
}
