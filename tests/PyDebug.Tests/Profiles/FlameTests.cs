using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Xml.Linq;
using PyDebug.Internal;
using PyDebug.Profiles;
using PyDebug.Profiles.Flame;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class FlameTests
{
    private static readonly XNamespace s_svg = "http://www.w3.org/2000/svg";

    [Fact]
    public void Children_lie_within_their_parents_and_the_widest_comes_first()
    {
        FlameLayout layout = FlameLayout.Of(
            FlameStacks.Gather([Fixture.Profile("a;b 1", "a;c 3", "a 1", "d 5")], byThread: false), "all", 100);

        Assert.Equal(
            ["all 0 10 0", "a 0 5 1", "c 0 3 3", "b 3 1 1", "d 5 5 5"],
            layout.Nodes.Select(n => FormattableString.Invariant($"{n.Frame.Name} {n.Start} {n.Value} {n.Self}")));
        Assert.Equal(3, layout.Rows);
    }

    [Fact]
    public void Frames_too_narrow_to_draw_are_one_box_with_their_sum()
    {
        string[] stacks = [.. Enumerable.Range(0, 5000).Select(i => $"hot;f{i} 1"), "hot;big 5000"];

        FlameLayout layout = FlameLayout.Of(FlameStacks.Gather([Fixture.Profile(stacks)], false), "all", 1000);

        Assert.InRange(layout.Nodes.Count, 3, 1000);
        Assert.Equal((5000, 5000.0), (layout.HiddenFrames, layout.Hidden));
        FlameNode others = layout.Nodes[^1];
        Assert.Equal(("5,000 narrow frames", 5000.0), (others.Frame.Name, others.Value));
    }

    [Fact]
    public void A_hundred_thousand_distinct_stacks_make_a_small_picture()
    {
        StackFrame[] frames = [.. Enumerable.Range(0, 1000).Select(
            i => new StackFrame { Name = $"function_{i}", FileName = $"/srv/module_{i % 40}.py", Line = i })];
        ProfileBuilder builder = new(frames);
        int thread = builder.Thread(1, null);
        Random random = new(7);
        for (int i = 0; i < 100_000; i++)
        {
            int[] stack = new int[30];
            for (int d = 0; d < stack.Length; d++)
            {
                stack[d] = d < 4 ? d : random.Next(frames.Length);
            }

            builder.Add(thread, stack, 0.01);
        }

        StackProfile profile = builder.Build(new StackProfile { Metric = "Cpu", Unit = "seconds" });
        long before = GC.GetAllocatedBytesForCurrentThread();
        string svg = Draw([profile]);

        Assert.Equal(100_000, profile.Samples.Count);
        Assert.InRange(svg.Length, 10_000, 6_000_000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 400L << 20);
        Assert.Contains("narrow frames are not drawn one by one", svg);
    }

    [Fact]
    public void A_stack_deeper_than_any_thread_s_own_does_no_harm()
    {
        StackProfile profile = Fixture.Profile(string.Join(';', Enumerable.Repeat("f", 50_000)) + " 1");

        Assert.Contains("One narrow frame is not drawn", Draw([profile]));
    }

    [Fact]
    public void Time_without_frames_is_a_box_of_its_own()
    {
        StackProfile native = Fixture.Profile(" 3", "main 1");

        Assert.Contains("(no frames)", Draw([native]));
        Assert.Contains("75 %", Draw([native]));
        Assert.Contains("(no frames)", Draw([native with { ProcessId = 1 }, native with { ProcessId = 2 }]));
        Assert.DoesNotContain("(no frames)", Draw([Fixture.Profile("main 1")]));
    }

    [Fact]
    public void Names_from_the_target_are_text_and_nothing_else()
    {
        StackProfile profile = Fixture.Profile(
            "</title><script>alert(1)</script>\u202e\u0007\"'&]]> 1", "\ud800\uffff 1") with
        {
            PodName = "<b>pod",
            CommandLine = "x\u001b[31m</text><script>",
            Warnings = ["<script>"],
        };

        string svg = Draw([profile]);

        XDocument document = XDocument.Parse(svg);
        Assert.Single(document.Descendants(s_svg + "script"));
        Assert.DoesNotContain('\u202e', svg);
        Assert.DoesNotContain('\u001b', svg);
        Assert.Contains(
            document.Descendants(s_svg + "title"), t => t.Value.Contains(
                "<script>alert(1)</script>\\u202e\u2407\"'&]]>"));
    }

    [Fact]
    public void The_picture_needs_nothing_from_outside()
    {
        string svg = Draw([Fixture.Profile("a;b 1")]).Replace("http://www.w3.org/", "");

        Assert.DoesNotContain("http", svg);
        Assert.DoesNotContain("url(", svg);
        Assert.DoesNotContain("@import", svg);
    }

    [Fact]
    public void The_title_says_what_where_when_how_long_and_on_how_many_samples()
    {
        StackProfile profile = Fixture.Speedscope("py-spy-0.4.3/cpython3.13.5/record-speedscope.out")[0] with
        {
            Namespace = "shop", PodName = "backend", ContainerName = "web", ProcessId = 14,
            CommandLine = "python3 app.py",
            Timestamp = new DateTime(2026, 11, 25, 1, 2, 3, DateTimeKind.Utc), DurationSeconds = 2, SampleRate = 50,
            PythonVersion = "3.13.5", ErrorCount = 2,
        };

        FlameHead head = FlameHead.Of([profile]);

        Assert.Equal("shop/backend/web process 14 \u00b7 python3 app.py", head.Title);
        Assert.Equal(
            "CPU time \u00b7 2.0 s at 50 Hz \u00b7 197 samples \u00b7 2 errors \u00b7 2026-11-25 01:02:03 UTC \u00b7 "
            + "py-spy 0.4.3 \u00b7 Python 3.13.5",
            head.About);
    }

    [Fact]
    public void Several_profiles_get_their_processes_as_the_first_row()
    {
        IReadOnlyList<StackProfile> profiles =
            Fixture.Speedscope("py-spy-0.4.3/gunicorn23-cpython3.13.5/record-speedscope-subprocesses.out");

        FlameLayout layout = FlameLayout.Of(FlameStacks.Gather(profiles, byThread: false), "all", 1000);

        Assert.Equal(
            ["process 7: /usr/bin/python3", "process 8: /usr/bin/python3"],
            layout.Nodes.Where(n => n.Depth == 1).Select(n => n.Frame.Name[..27]));
    }

    [Fact]
    public void Threads_are_kept_apart_where_that_is_asked_for()
    {
        StackProfile profile = Fixture.Speedscope("py-spy-0.4.3/cpython3.13.5/record-speedscope.out")[0];

        FlameLayout layout = FlameLayout.Of(FlameStacks.Gather([profile], byThread: true), "all", 1000);

        Assert.Equal(7, layout.Nodes.Count(n => n.Depth == 1));
        Assert.Contains("Thread 7 \"cpu; worker 1\"", layout.Nodes.Select(n => n.Frame.Name));
    }

    [Fact]
    public void The_same_profile_makes_the_same_picture()
    {
        StackProfile profile = Fixture.Speedscope("py-spy-0.4.3/cpython3.13.5/record-speedscope.out")[0];

        Assert.Equal(Draw([profile]), Draw([profile]));
    }

    [Fact]
    public void A_profile_without_samples_is_drawn_as_an_empty_one()
        => XDocument.Parse(Draw([new StackProfile { Metric = "Cpu", Unit = "seconds" }]));

    [Fact]
    public void Numbers_are_written_alike_in_every_culture()
    {
        CultureInfo culture = CultureInfo.CurrentCulture;
        try
        {
            string plain = Draw([Fixture.Profile("a;b 0.25", "c 0.5")]);
            CultureInfo comma = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            comma.NumberFormat.NumberDecimalSeparator = ",";
            comma.NumberFormat.PercentDecimalSeparator = ",";
            CultureInfo.CurrentCulture = comma;
            Assert.Equal(plain, Draw([Fixture.Profile("a;b 0.25", "c 0.5")]));
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    [Theory]
    [InlineData("/srv/app.py", 'a')]
    [InlineData("wsgi.py", 'a')]
    [InlineData("<string>", 'a')]
    [InlineData("/usr/lib/python3/dist-packages/gunicorn/app/base.py", 'l')]
    [InlineData("/srv/venv/lib/python3.13/site-packages/flask/app.py", 'l')]
    [InlineData("/usr/lib/python3.13/threading.py", 'p')]
    [InlineData("/usr/local/lib/python3.13t/asyncio/events.py", 'p')]
    [InlineData("<frozen importlib._bootstrap>", 'p')]
    [InlineData("/usr/lib/x86_64-linux-gnu/libc.so.6", 'n')]
    [InlineData("/srv/venv/lib/python3.13/site-packages/numpy/_core/x.cpython-313-x86_64-linux-gnu.so", 'l')]
    public void A_frame_s_colour_says_whose_code_it_is(string file, char kind)
        => Assert.Equal(kind, FlamePalette.ClassOf(new StackFrame { Name = "f", FileName = file })[0]);

    [Theory]
    [InlineData("recurse", 7, "recurse")]
    [InlineData("Thread._bootstrap_inner", 12, "Thread…inner")]
    [InlineData("recurse", 5, "re…se")]
    [InlineData("recurse", 4, "")]
    [InlineData("日本語の関数名前", 9, "日本…名前")]
    public void A_name_is_cut_in_its_middle_to_the_room_there_is(string name, int cells, string expected)
    {
        string cut = LabelText.Fit(name, "", cells);

        Assert.Equal(expected, cut);
        Assert.True(LabelText.Cells(cut) <= cells);
    }

    private static string Draw(IReadOnlyList<StackProfile> profiles)
    {
        StringWriter writer = new();
        FlameGraphWriter.Write(writer, profiles, byThread: false);
        return writer.ToString();
    }
}
