using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading.Tasks;
using Microsoft.Playwright;
using PyDebug.Profiles;
using Xunit;

namespace PyDebug.Browser;

/// <summary>Hands what we write to speedscope itself, in the browser, the way its own command line does.</summary>
public sealed class SpeedscopeTests(Chromium chromium) : IClassFixture<Chromium>
{
    private const string Version = "1.25.0";

    [Fact]
    public async Task Speedscope_shows_a_profile_of_ours()
    {
        string index = await InstalledAsync();
        StackProfile[] profiles = [Pictures.BadApp, .. Pictures.Gunicorn, Pictures.Hostile()];
        using MemoryStream file = new();
        SpeedscopeWriter.Write(file, profiles, "1.0.0");
        string script = Pictures.PathOf("speedscope-profile.js");
        File.WriteAllText(
            script,
            $"speedscope.loadFileFromBase64({JsonSerializer.Serialize("ours.json")}, "
                + $"{JsonSerializer.Serialize(Convert.ToBase64String(file.ToArray()))})");

        IPage page = await chromium.OpenAsync("about:blank", 1200);
        string failures = "";
        page.PageError += (_, error) => failures += error;
        page.Dialog += (_, dialog) => failures += dialog.Message;
        await page.GotoAsync($"{new Uri(index).AbsoluteUri}#localProfilePath={script}");

        await Assertions.Expect(page.GetByText("(1/14)")).ToBeVisibleAsync();
        await page.ScreenshotAsync(new PageScreenshotOptions { Path = Pictures.PathOf("speedscope.png") });
        string text = await page.Locator("body").InnerTextAsync();
        Assert.Contains("Process 1 Thread", text);
        Assert.Equal(14, profiles.Sum(p => p.Threads.Count));
        Assert.Equal("", failures);
    }

    private static async Task<string> InstalledAsync()
    {
        string folder = Path.Combine(Pictures.Out, "speedscope");
        string index = Path.Combine(folder, "node_modules/speedscope/dist/release/index.html");
        if (File.Exists(index))
        {
            return index;
        }

        Directory.CreateDirectory(folder);
        string? npm = Environment.GetEnvironmentVariable("PATH")?.Split(':')
            .Select(p => Path.Combine(p, "npm")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(npm is null, "npm is missing: speedscope itself cannot be asked.");
        ProcessStartInfo start = new(npm!, [
            "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, $"speedscope@{Version}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await output;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(!File.Exists(index), $"npm has no speedscope {Version} here: {errors.Trim()}");
        return index;
    }
}
