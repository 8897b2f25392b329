using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using PyDebug.Profiles;

namespace PyDebug.Tests.Profiles;

internal static class Fixture
{
    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Fixtures", name);

    public static string Text(string name) => File.ReadAllText(PathOf(name));

    public static IReadOnlyList<StackProfile> Speedscope(string name)
    {
        using FileStream stream = File.OpenRead(PathOf(name));
        return SpeedscopeReader.Read(stream, new StackProfile());
    }

    public static IReadOnlyList<StackProfile> Read(Stream stream) => SpeedscopeReader.Read(stream, new StackProfile());

    public static IReadOnlyList<StackProfile> Collapsed(string text)
        => CollapsedReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), new StackProfile());

    public static IReadOnlyList<StackProfile> Parse(string json)
        => SpeedscopeReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(json)), new StackProfile());

    /// <summary>A profile of stacks written as <c>outer;inner value</c>.</summary>
    public static StackProfile Profile(params string[] stacks)
    {
        List<StackFrame> frames = [];
        Dictionary<string, int> numbers = [];
        List<(int[] Stack, double Value)> samples = [];
        foreach (string stack in stacks)
        {
            int cut = stack.LastIndexOf(' ');
            List<int> numbersOf = [];
            foreach (string name in stack[..cut].Split(';', StringSplitOptions.RemoveEmptyEntries))
            {
                if (!numbers.TryGetValue(name, out int number))
                {
                    number = frames.Count;
                    frames.Add(new StackFrame { Name = name, FileName = "/srv/app.py", Line = number + 1 });
                    numbers.Add(name, number);
                }

                numbersOf.Add(number);
            }

            samples.Add(([.. numbersOf], double.Parse(stack[(cut + 1)..], CultureInfo.InvariantCulture)));
        }

        ProfileBuilder builder = new(frames);
        int thread = builder.Thread(1, "MainThread");
        foreach ((int[] stack, double value) in samples)
        {
            builder.Add(thread, stack, value);
        }

        return builder.Build(new StackProfile { Metric = "Cpu", Unit = "seconds" });
    }
}
