using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using PyDebug.Profiles;
using PyDebug.Profiles.Flame;

namespace PyDebug.Browser;

/// <summary>Makes the files that the tests open, and keeps what they show in out/browser.</summary>
internal static class Pictures
{
    private static readonly string s_fixtures = Path.Combine(AppContext.BaseDirectory, "Fixtures", "py-spy-0.4.3");

    /// <summary>The checkout's out folder.</summary>
    public static string Out { get; } = Path.Combine(Root(), "out");

    /// <summary>One process of six threads, as <c>Invoke-PySpy -Record</c> hands it over.</summary>
    public static StackProfile BadApp { get; } = Recording("cpython3.13.5/record-speedscope.out")[0] with
    {
        Namespace = "default",
        PodName = "bad-app",
        ContainerName = "web",
        ProcessId = 1,
        CommandLine = "python3 /srv/app.py",
        PythonVersion = "3.13.5",
        Timestamp = new DateTime(2026, 11, 25, 1, 30, 7, DateTimeKind.Utc),
        DurationSeconds = 2.02,
        SampleRate = 50,
    };

    /// <summary>Two workers, with frames of libraries.</summary>
    public static IReadOnlyList<StackProfile> Gunicorn { get; } =
        Recording("gunicorn23-cpython3.13.5/record-speedscope-subprocesses.out");

    /// <summary>A profile whose names are made to hurt.</summary>
    public static StackProfile Hostile()
    {
        StackFrame[] frames =
        [
            new() { Name = "</title></text><script>window.pwned=1</script>", FileName = "/srv/<b>.py", Line = 1 },
            new() { Name = "<img src=x onerror=window.pwned=2>", FileName = "javascript:window.pwned=3", Line = 2 },
            new() { Name = "]]><script>window.pwned=4</script>&quot;", FileName = "/srv/\u202egnp.py", Line = 3 },
            new() { Name = new string('x', 5000), FileName = new string('y', 5000), Line = 4 },
            new() { Name = "обработать_日本語の関数名前がとても長い", FileName = "/srv/модуль 7.py", Line = 5 },
        ];
        ProfileBuilder builder = new(frames);
        int thread = builder.Thread(1, "\u001b[31m<script>");
        builder.Add(thread, [0, 1, 2, 3, 4], 1);
        builder.Add(thread, [0, 4, 3], 0.2);
        builder.Add(thread, [1, 2], 0.3);
        return builder.Build(new StackProfile
        {
            PodName = "</title><script>window.pwned=5</script>",
            CommandLine = "x\"><script>window.pwned=6</script>",
            Metric = "Cpu",
            Unit = "seconds",
            Warnings = ["<script>window.pwned=7</script>"],
        });
    }

    /// <summary>Wall-clock time whose stacks end in every reason there is.</summary>
    public static StackProfile Wall(string metric = "Wall")
    {
        StackFrame[] frames =
        [
            new() { Name = "Thread.run", FileName = "/usr/lib/python3.13/threading.py", Line = 994 },
            new() { Name = "handle", FileName = "/srv/shop/views.py", Line = 40 },
            new() { Name = "fetch", FileName = "/srv/shop/db.py", Line = 88 },
            new() { Name = "execute", FileName = "/usr/lib/python3/dist-packages/psycopg/cursor.py", Line = 97 },
            new() { Name = "checksum", FileName = "/srv/shop/reports.py", Line = 12 },
        ];
        ProfileBuilder builder = new(frames);
        int thread = builder.Thread(7, "worker");
        (string Reason, string? Call, double Seconds)[] ends =
        [
            ("Gil", "futex", 2), ("Lock", "futex", 1.2), ("Sleep", "clock_nanosleep", 1), ("Poll", "epoll_wait", 1.5),
            ("Fault", null, 0.4), ("Runnable", null, 0.7), ("Preempted", null, 0.3), ("Stopped", null, 0.2),
        ];
        foreach ((string reason, string? call, double seconds) in ends)
        {
            builder.Add(thread, [0, 1, 4], seconds, (long)(seconds * 49), new SampleState(reason, call));
        }

        builder.Add(thread, [0, 1, 4], 3, 297, new SampleState("Cpu", null));
        builder.Add(thread, [0, 1, 2, 3], 4, 196, new SampleState("Io", "recvfrom"));
        builder.Add(thread, [], 0.5, 24, new SampleState("Unproven", null));
        return builder.Build(new StackProfile
        {
            Namespace = "shop",
            PodName = "web",
            ContainerName = "app",
            ProcessId = 1,
            Metric = metric,
            Unit = "seconds",
            DurationSeconds = 14.8,
            SampleRate = 99,
            Tool = "PyDebug, kernel sampler",
        });
    }

    /// <summary>Thirty thousand distinct stacks.</summary>
    public static StackProfile Large()
    {
        List<StackFrame> frames = [];
        for (int i = 0; i < 600; i++)
        {
            string folder = (i % 3) switch
            {
                0 => "/srv/shop",
                1 => $"/usr/lib/python3/dist-packages/lib{i % 11}",
                _ => "/usr/lib/python3.13",
            };
            frames.Add(new StackFrame { Name = $"Class{i % 17}.method_{i}", FileName = $"{folder}/module_{i % 23}.py",
                Line = i + 1 });
        }

        ProfileBuilder builder = new(frames);
        int thread = builder.Thread(1, "MainThread");
        Random random = new(11);
        for (int i = 0; i < 30_000; i++)
        {
            int[] stack = new int[6 + random.Next(34)];
            int seed = (int)Math.Floor(Math.Pow(random.NextDouble(), 3) * 60);
            for (int d = 0; d < stack.Length; d++)
            {
                stack[d] = ((seed * 7) + (d * 13) + (d > 8 ? random.Next(1 + ((d - 8) * 4)) : 0)) % frames.Count;
            }

            builder.Add(thread, stack, 0.01);
        }

        return builder.Build(new StackProfile { PodName = "large", Metric = "Wall", Unit = "seconds" });
    }

    /// <summary>Draws profiles to out/browser and returns the file's address.</summary>
    public static string Draw(string name, params StackProfile[] profiles)
    {
        string path = PathOf($"{name}.svg");
        using StreamWriter writer = new(path, append: false, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        FlameGraphWriter.Write(writer, profiles, byThread: false);
        return new Uri(path).AbsoluteUri;
    }

    /// <summary>A file in out/browser.</summary>
    public static string PathOf(string name)
    {
        string folder = Path.Combine(Out, "browser");
        Directory.CreateDirectory(folder);
        return Path.Combine(folder, name);
    }

    private static IReadOnlyList<StackProfile> Recording(string name)
    {
        using FileStream stream = File.OpenRead(Path.Combine(s_fixtures, name));
        return SpeedscopeReader.Read(stream, new StackProfile());
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "PyDebug.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("The tests run from within the checkout.");
    }
}
