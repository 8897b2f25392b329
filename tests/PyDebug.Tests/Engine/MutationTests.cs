using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>
/// Every reader of what comes from outside, against its fixtures with some bytes changed, doubled, moved or missing: it
/// gives a value or the one failure that its caller knows, and ends. PYDEBUG_FUZZ multiplies how many are tried.
/// </summary>
public sealed class MutationTests : IDisposable
{
    private const int Inputs = 150;
    private const int Largest = 48 << 10;

    private readonly TempDirectory _directory = new();

    public static TheoryData<string> Names => new(Readers.All.Keys);

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void What_is_read_becomes_a_value_or_the_failure_that_is_known(string name)
        => Try(Readers.All[name], name == "bpftrace's lines" || name == "speedscope" ? Inputs / 3 : Inputs);

    [Fact]
    public void A_kubeconfig_becomes_settings_or_a_failure_of_ours()
    {
        string path = Path.Join(_directory.Path, "config");
        Try(
            new("corpus/*.yaml", b =>
            {
                File.WriteAllBytes(path, b);
                return ConnectionResolver.Resolve(new() { Kubeconfig = path, Policy = TeamPolicy.None });
            }, typeof(EngineException)),
            Inputs);
    }

    [Fact]
    public void A_stream_is_seen_to_be_complete_exactly_where_its_reader_finds_the_trailer()
        => Check.One(Config.QuickThrowOnFailure.WithMaxTest(300 * Times), Prop.ForAll<int>(seed =>
        {
            Random random = new(seed);
            List<byte> stream = [.. FakeExec.Frame('H', "{}"u8.ToArray())];
            int frames = random.Next(6);
            bool trailer = random.Next(2) == 0;
            for (int i = 0; i < frames; i++)
            {
                byte[] payload = new byte[random.Next(3) == 0 ? 0 : random.Next(2000)];
                random.NextBytes(payload);
                stream.AddRange(FakeExec.Frame("RPFWEB"[random.Next(6)], payload));
            }

            byte[] last = trailer ? FakeExec.Frame('T', "{\"exit\":0}"u8.ToArray()) : [];
            byte[] all = [.. stream, .. last];
            TrailerWatch watch = new();
            for (int at = 0; at < all.Length;)
            {
                Assert.False(watch.IsComplete);
                int part = Math.Min(random.Next(1, 700), all.Length - at);
                watch.Take(all.AsSpan(at, part));
                at += part;
            }

            Assert.Equal(trailer, watch.IsComplete);
            // And whatever else comes does not undo it, or throw.
            byte[] noise = new byte[50];
            random.NextBytes(noise);
            watch.Take(noise);
            Assert.True(watch.IsComplete || !trailer);
        }));

    private static int Times
        => int.TryParse(Environment.GetEnvironmentVariable("PYDEBUG_FUZZ"), out int times) && times > 0 ? times : 1;

    private static void Try(Reader reader, int inputs)
    {
        byte[][] corpus = [.. reader.Corpus(Path.Join(AppContext.BaseDirectory, "Fixtures")).Select(File.ReadAllBytes)
            .Where(b => b.Length is > 0).Select(b => b.Length > Largest ? b[..Largest] : b)];
        Assert.NotEmpty(corpus);
        // The same inputs each time in the suite, and ever others where more are asked for.
        int first = Times == 1 ? 0 : Random.Shared.Next();
        for (int i = 0; i < inputs * Times; i++)
        {
            Random random = new(first + i);
            byte[] input = Mutate(random, corpus[random.Next(corpus.Length)], corpus[random.Next(corpus.Length)]);
            try
            {
                reader.Read(input);
            }
            catch (Exception e) when (reader.Knows(e))
            {
            }
            catch (Exception e)
            {
                Assert.Fail($"Input {first + i}, {Convert.ToBase64String(input)}: {e}");
            }
        }
    }

    private static byte[] Mutate(Random random, byte[] input, byte[] other)
    {
        List<byte> bytes = [.. input];
        for (int changes = random.Next(1, 6); changes > 0 && bytes.Count > 0; changes--)
        {
            int at = random.Next(bytes.Count);
            int length = Math.Min(bytes.Count - at, 1 << random.Next(8));
            switch (random.Next(8))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << random.Next(8));
                    break;
                case 1:
                    bytes.RemoveRange(at, length);
                    break;
                case 2:
                    bytes.InsertRange(at, bytes.GetRange(at, length));
                    break;
                case 3:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
                case 4:
                    int from = random.Next(other.Length);
                    bytes.InsertRange(at, other.Skip(from).Take(length));
                    break;
                case 5:
                    bytes.InsertRange(at, Odd[random.Next(Odd.Length)]);
                    break;
                case 6:
                    // Another number where there is one.
                    int digit = bytes.FindIndex(at, b => b is >= (byte)'0' and <= (byte)'9');
                    if (digit >= 0)
                    {
                        bytes.RemoveAt(digit);
                        bytes.InsertRange(digit, Odd[random.Next(Odd.Length)]);
                    }

                    break;
                default:
                    byte[] noise = new byte[random.Next(1, 9)];
                    random.NextBytes(noise);
                    bytes.InsertRange(at, noise);
                    break;
            }
        }

        return [.. bytes];
    }

    private static byte[][] Odd { get; } =
    [
        .. new[]
        {
            "-1", "0", "1e999", "99999999999999999999", "9223372036854775807", "-9223372036854775808", "4294967296",
            "0.1",
            "null", "true", "[]", "{}", "\"\"", "\"\\ud800\"", "\\u0000", "\u001b[2J", "\u202e", "\r\n", ";", ",", ":",
            "*a",
            "&a ", "<<: *a", "!!binary x", "%", "\u0000", new string('[', 300), new string('(', 300),
            new string(' ', 500),
        }.Select(Encoding.UTF8.GetBytes),
    ];
}
