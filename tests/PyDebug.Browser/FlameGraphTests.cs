using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Microsoft.Playwright;
using Xunit;

namespace PyDebug.Browser;

public sealed class FlameGraphTests(Chromium chromium) : IClassFixture<Chromium>
{
    /// <summary>Every text that is seen, with what is left between its end and the end of the room it has.</summary>
    private const string Overhang =
        """
        () => [...document.querySelectorAll('svg.f')].filter(f => f.style.display !== 'none').flatMap(f => {
          const text = f.querySelector('text');
          if (!text || !text.textContent) return [];
          const room = f.getBoundingClientRect(), has = text.getBoundingClientRect();
          return has.right > room.right + 0.5 || has.left < room.left ? [text.textContent] : [];
        })
        """;

    private const string Boxes =
        """
        () => [...document.querySelectorAll('svg.f')].filter(f => f.style.display !== 'none').map(f => {
          const r = f.querySelector('rect').getBoundingClientRect();
          return [r.left, r.top, r.right, r.bottom];
        })
        """;

    private const string Shown =
        "() => [...document.querySelectorAll('svg.f')].filter(f => f.style.display !== 'none').length";

    [Theory]
    [InlineData(480)]
    [InlineData(1000)]
    [InlineData(1700)]
    public async Task Nothing_overlaps_at_any_width(int width)
    {
        foreach ((string name, StackProfile[] profiles) in new[]
        {
            ("bad-app", new[] { Pictures.BadApp }), ("gunicorn", [.. Pictures.Gunicorn]),
            ("hostile", [Pictures.Hostile()]),
            ("wall", [Pictures.Wall()]),
        })
        {
            IPage page = await chromium.OpenAsync(Pictures.Draw(name, profiles), width);

            Assert.Empty(await page.EvaluateAsync<string[]>(Overhang));
            double[][] boxes = await page.EvaluateAsync<double[][]>(Boxes);
            Assert.NotEmpty(boxes);
            Assert.All(boxes, b => Assert.InRange(b[2], 0, width + 0.5));
            Assert.Empty(Overlapping(boxes));
            Assert.All(
                await page.EvaluateAsync<double[]>(
                    "() => [...document.querySelectorAll('#head text')].map(t => t.getBoundingClientRect().right)"),
                right => Assert.InRange(right, 0, width));
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf($"{name}-{width}.png") });
            await page.Context.CloseAsync();
        }
    }

    [Fact]
    public async Task Without_scripts_everything_can_be_read()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("plain", Pictures.BadApp), scripts: false);

        string[] texts = [.. await page.Locator("text:visible").AllTextContentsAsync()];
        Assert.Contains("cpu_worker (app.py:39)", texts);
        Assert.Contains("default/bad-app/web process 1 \u00b7 python3 /srv/app.py", texts);
        Assert.Contains(
            "cpu_worker\n/srv/app.py:39\n26.9 %, 1.06 s, 53 samples",
            await page.Locator("svg.f > title").AllTextContentsAsync());
        Assert.Equal(0, await page.Locator("#tool:visible").CountAsync());
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("plain.png") });
    }

    [Fact]
    public async Task Resting_on_a_frame_shows_function_file_line_share_and_time()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("hover", Pictures.BadApp));

        await Frame(page, "cpu_worker (app.py:39)").HoverAsync();

        Assert.Equal(
            ["cpu_worker", "/srv/app.py:39", "26.9 %, 1.06 s, 53 samples"],
            await page.Locator("#tip text").AllTextContentsAsync());
        Assert.True(await page.Locator("#tip").IsVisibleAsync());
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("hover.png") });

        await page.Mouse.MoveAsync(500, 20);
        Assert.False(await page.Locator("#tip").IsVisibleAsync());
    }

    [Fact]
    public async Task A_click_zooms_and_Escape_goes_back()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("zoom", Pictures.BadApp));
        int before = await page.EvaluateAsync<int>(Shown);

        await Frame(page, "generator_worker (app.py:57)").ClickAsync();

        await Assertions.Expect(Frame(page, "generator_worker (app.py:57)")).ToHaveAttributeAsync("width", "100%");
        await Assertions.Expect(Frame(page, "cpu_worker (app.py:39)")).ToHaveCountAsync(0);
        await Assertions.Expect(Frame(page, "Thread.run (threading.py:994)")).ToHaveClassAsync(
            new System.Text.RegularExpressions.Regex("past"));
        Assert.Empty(await page.EvaluateAsync<string[]>(Overhang));
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("zoom.png") });

        await page.Keyboard.PressAsync("Escape");
        Assert.Equal(before, await page.EvaluateAsync<int>(Shown));
    }

    [Theory]
    [InlineData("hot_loop", "73.1 % matched (2.88 s)")]
    [InlineData("^recurse$", "26.9 % matched (1.06 s)")]
    [InlineData("app\\.py:2[0-2]", "73.1 % matched (2.88 s)")]
    [InlineData("Thread", "95.4 % matched (3.76 s)")]
    [InlineData("HOT_LOOP", "no match")]
    [InlineData("(", "no match")]
    [InlineData("<string>", "21.3 % matched (840 ms)")]
    public async Task A_search_says_the_share_of_what_matched(string text, string message)
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("search", Pictures.BadApp));

        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync(text);

        await Assertions.Expect(page.Locator("#tool text[aria-live]")).ToHaveTextAsync(message);
        Assert.Equal(message == "no match", await page.Locator("svg.f.hit").CountAsync() == 0);
        if (text == "hot_loop")
        {
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("search.png") });
        }

        await page.Keyboard.PressAsync("Escape");
        Assert.Equal(0, await page.Locator("svg.f.hit").CountAsync());
        Assert.Equal("", await page.EvaluateAsync<string>("() => document.querySelector('#tool input').value"));
    }

    [Fact]
    public async Task The_keyboard_is_enough()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("keyboard", Pictures.BadApp));

        foreach (string key in new[] { "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight" })
        {
            await page.Keyboard.PressAsync(key);
        }

        Assert.Equal("generator_worker", await page.Locator("#tip text").First.TextContentAsync());
        await page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(Frame(page, "generator_worker (app.py:57)")).ToHaveAttributeAsync("width", "100%");
        await page.Keyboard.PressAsync("Home");
        await Assertions.Expect(Frame(page, "cpu_worker (app.py:39)")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task Resting_on_the_end_of_a_stack_says_the_reason()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("reasons", Pictures.Wall()), 1200);

        await Frame(page, "recvfrom").HoverAsync();
        Assert.Equal(
            ["recvfrom", "waiting in a system call", "27 %, 4.00 s, 196 samples"],
            await page.Locator("#tip text").AllTextContentsAsync());
        double[] card = await page.EvaluateAsync<double[]>(
            "() => [document.querySelector('#tip rect').getBoundingClientRect().bottom, "
                + "Number(document.documentElement.getAttribute('height'))]");
        Assert.InRange(card[0], 0, card[1]);
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("reasons.png") });
        await Frame(page, "GIL").HoverAsync();
        Assert.Equal(
            "waiting for the global interpreter lock", await page.Locator("#tip text").Nth(1).TextContentAsync());
    }

    [Fact]
    public async Task Every_reason_has_a_colour_that_is_not_that_of_frames()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("reasons", Pictures.Wall()), 1200);

        string[][] colors = await page.EvaluateAsync<string[][]>(
            "() => [...document.querySelectorAll('svg.f')].map(f => [f.getAttribute('class'), "
                + "getComputedStyle(f.querySelector('rect')).fill])");

        string[] ends =
            [.. colors.Where(c => c[0].StartsWith("f r", StringComparison.Ordinal)).Select(c => c[1]).Distinct()];
        Assert.Equal(9, ends.Length);
        Assert.Empty(
            ends.Intersect(colors.Where(c => !c[0].StartsWith("f r", StringComparison.Ordinal)).Select(c => c[1])));
    }

    [Theory]
    [InlineData(ColorScheme.Light, "")]
    [InlineData(ColorScheme.Dark, "")]
    [InlineData(ColorScheme.Light, "Wall")]
    [InlineData(ColorScheme.Dark, "Wall")]
    [InlineData(ColorScheme.Light, "Wait")]
    [InlineData(ColorScheme.Dark, "Wait")]
    public async Task Letters_stand_out_from_their_boxes_by_day_and_by_night(ColorScheme scheme, string metric)
    {
        StackProfile[] profiles = metric.Length > 0 ? [Pictures.Wall(metric)] : [.. Pictures.Gunicorn];
        IPage page = await chromium.OpenAsync(Pictures.Draw($"scheme{metric}", profiles), 1280, scheme: scheme);

        double[][] colors = await page.EvaluateAsync<double[][]>(
            """
            () => [...document.querySelectorAll('svg.f')].map(f => [f.querySelector('rect'), f.querySelector('text')]
              .flatMap(e => getComputedStyle(e).fill.match(/[0-9.]+/g).slice(0, 3).map(Number)))
            """);

        Assert.NotEmpty(colors);
        Assert.All(colors, c => Assert.InRange(Contrast(c[..3], c[3..]), 4.5, 21));
        double[] background = await page.EvaluateAsync<double[]>(
            "() => getComputedStyle(document.querySelector('rect.page')).fill.match(/[0-9.]+/g).map(Number)");
        Assert.Equal(scheme == ColorScheme.Dark, Luminance(background) < 0.1);
        await page.ScreenshotAsync(
            new PageScreenshotOptions { Path = Pictures.PathOf(
                $"colors{metric}-{scheme.ToString().ToLowerInvariant()}.png") });
    }

    [Fact]
    public async Task On_paper_it_is_light_and_has_no_controls()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("print", Pictures.BadApp), scheme: ColorScheme.Dark);
        await page.EmulateMediaAsync(new PageEmulateMediaOptions { Media = Media.Print });

        Assert.Equal(0, await page.Locator("#tool input:visible").CountAsync());
        double[] background = await page.EvaluateAsync<double[]>(
            "() => getComputedStyle(document.querySelector('rect.page')).fill.match(/[0-9.]+/g).map(Number)");
        Assert.True(Luminance(background) > 0.9);
        byte[] pdf = await page.PdfAsync(
            new PagePdfOptions { Path = Pictures.PathOf("print.pdf"), Format = "A4", Landscape = true,
                PrintBackground = true });
        Assert.Equal("%PDF"u8.ToArray(), pdf[..4]);
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("print.png") });
    }

    [Fact]
    public async Task Hostile_names_run_nothing_and_nothing_is_fetched()
    {
        IPage page = await chromium.OpenAsync("about:blank");
        List<string> requests = [];
        page.Request += (_, request) => requests.Add(request.Url);
        page.Dialog += (_, dialog) => requests.Add($"dialog {dialog.Message}");
        string address = Pictures.Draw("hostile", Pictures.Hostile());

        await page.GotoAsync(address);
        await page.Locator("svg.f").First.HoverAsync();
        await page.Keyboard.PressAsync("/");
        await page.Keyboard.TypeAsync("script");
        await page.Locator("svg.f").Nth(1).ClickAsync();

        Assert.True(await page.EvaluateAsync<bool>("() => window.pwned === undefined"));
        Assert.Equal([address], requests);
        Assert.Equal(1, await page.Locator("script").CountAsync());
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("hostile.png") });
    }

    [Fact]
    public async Task A_large_profile_opens_searches_and_zooms_without_a_long_wait()
    {
        IPage page = await chromium.OpenAsync(Pictures.Draw("large", Pictures.Large()), 1280);

        double[] times = await page.EvaluateAsync<double[]>(
            """
            () => {
              const times = [], input = document.querySelector('#tool input');
              const measure = work => {
                const start = performance.now();
                work();
                times.push(performance.now() - start);
              };
              measure(() => { input.value = 'method_1'; input.dispatchEvent(new Event('input')); });
              const second = document.querySelectorAll('svg.f')[1];
              measure(() => second.dispatchEvent(new MouseEvent('click', { bubbles: true })));
              return times;
            }
            """);

        // Seconds on a machine that does much else; some 0.1 s on one that does not.
        Assert.All(times, t => Assert.InRange(t, 0, 5000));
        Assert.InRange(new FileInfo(Pictures.PathOf("large.svg")).Length, 100_000, 6_000_000);
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("large.png") });
    }

    private static ILocator Frame(IPage page, string label)
        => page.Locator("svg.f:visible").Filter(
            new LocatorFilterOptions { Has = page.GetByText(label, new PageGetByTextOptions { Exact = true }) });

    private static List<string> Overlapping(double[][] boxes)
    {
        List<string> found = [];
        foreach (IGrouping<double, double[]> row in boxes.GroupBy(b => Math.Round(b[1])))
        {
            double[][] sorted = [.. row.OrderBy(b => b[0])];
            for (int i = 1; i < sorted.Length; i++)
            {
                // Boxes narrower than a pixel are drawn a little wider than they are.
                if (sorted[i][0] < sorted[i - 1][2] - 0.5)
                {
                    found.Add(string.Join(' ', sorted[i].Select(v => v.ToString("0.0", CultureInfo.InvariantCulture))));
                }
            }
        }

        return found;
    }

    private static double Contrast(double[] one, double[] other)
    {
        double a = Luminance(one);
        double b = Luminance(other);
        return (Math.Max(a, b) + 0.05) / (Math.Min(a, b) + 0.05);
    }

    /// <summary>The relative luminance of WCAG 2.</summary>
    private static double Luminance(double[] color)
    {
        double[] linear = [.. color.Take(3).Select(c => c / 255).Select(
            c => c <= 0.03928 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4))];
        return (0.2126 * linear[0]) + (0.7152 * linear[1]) + (0.0722 * linear[2]);
    }
}
