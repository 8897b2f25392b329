using System;
using System.IO;
using System.Runtime.InteropServices;
using PyDebug.Tests.Engine;
using SharpFuzz;
using SharpFuzz.Common;

namespace PyDebug.Fuzz;

/// <summary>One reader for AFL, by its number in the list. Started by run.</summary>
internal static class Program
{
    private const int Ways = 1 << 16;

    private static unsafe int Main(string[] arguments)
    {
        // What is instrumented counts from its first line on, before AFL's memory is there.
        Trace.SharedMem = (byte*)NativeMemory.AllocZeroed(Ways);
        string[] names = [.. Readers.All.Keys];
        switch (arguments)
        {
            case ["list"]:
                Console.WriteLine(string.Join('\n', names));
                return 0;
            case ["corpus", string number, string fixtures, string folder]:
                int at = 0;
                foreach (string path in Readers.All[names[int.Parse(number)]].Corpus(fixtures))
                {
                    File.Copy(path, Path.Join(folder, $"{at++}"), overwrite: true);
                }

                return 0;
            case ["read", string number, string path]:
                Read(Readers.All[names[int.Parse(number)]], File.ReadAllBytes(path));
                return 0;
            case [string number]:
                Reader reader = Readers.All[names[int.Parse(number)]];
                Fuzzer.OutOfProcess.Run(stream =>
                {
                    using MemoryStream bytes = new();
                    stream.CopyTo(bytes);
                    Read(reader, bytes.ToArray());
                });
                return 0;
            default:
                Console.Error.WriteLine("Use: NUMBER | list | corpus NUMBER FIXTURES FOLDER | read NUMBER FILE");
                return 2;
        }
    }

    private static void Read(Reader reader, byte[] input)
    {
        try
        {
            reader.Read(input);
        }
        catch (Exception e) when (reader.Knows(e))
        {
            // What its caller knows how to tell.
            return;
        }
    }
}
