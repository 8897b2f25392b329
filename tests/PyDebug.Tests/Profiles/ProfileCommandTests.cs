using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Runspaces;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Tests.Profiles;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Profiles from files and into them, as PowerShell runs the cmdlets.</summary>
public sealed class ProfileCommandTests : IDisposable
{
    private readonly Runspace _runspace;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("pydebug-tests-");

    public ProfileCommandTests()
    {
        InitialSessionState state = InitialSessionState.CreateDefault2();
        state.Commands.Add(new SessionStateCmdletEntry("Import-StackProfile", typeof(ImportStackProfileCommand), null));
        state.Commands.Add(new SessionStateCmdletEntry("Export-StackProfile", typeof(ExportStackProfileCommand), null));
        _runspace = RunspaceFactory.CreateRunspace(state);
        _runspace.Open();
        _runspace.SessionStateProxy.Path.SetLocation(_folder.FullName);
    }

    public void Dispose()
    {
        _runspace.Dispose();
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("'q:r.txt'", "SourceInvalid")]
    [InlineData("'/tmp/nofolder-here/*.txt'", "SourceInvalid")]
    [InlineData("'env:PATH'", "SourceInvalid")]
    [InlineData("'nope::x'", "SourceInvalid")]
    [InlineData("'*.nothing'", "SourceInvalid")]
    [InlineData("'a[b.txt'", "SourceInvalid")]
    [InlineData("\"a`0b\"", "SourceInvalid")]
    [InlineData("'/dev/null'", "SourceInvalid")]
    [InlineData("'/'", "SourceInvalid")]
    public void A_path_that_leads_nowhere_costs_that_path_alone(string path, string id)
    {
        Write("a.txt", "a 1\n");
        Write("b.txt", "b 2\n");

        (List<PSObject> output, List<ErrorRecord> errors, _) = Invoke(
            $"'a.txt', {path}, 'b.txt' | Import-StackProfile");

        Assert.Equal([1L, 2L], output.Select(p => ((StackProfile)p.BaseObject).SampleCount));
        Assert.StartsWith(id + ",", Assert.Single(errors).FullyQualifiedErrorId);
        Assert.IsType<PyDebugException>(errors[0].Exception);
        Assert.StartsWith(
            id + ",", Assert.Single(Invoke($"Import-StackProfile -LiteralPath {path}").Errors).FullyQualifiedErrorId);
    }

    [Theory]
    [InlineData("'q:r.svg'")]
    [InlineData("'env:x.svg'")]
    [InlineData("'nowhere/x.svg'")]
    [InlineData("\"a`0b.svg\"")]
    [InlineData("'/dev/full.svg'")]
    public void A_path_that_cannot_be_written_is_an_error_of_ours(string path)
    {
        Write("a.txt", "a 1\n");
        ErrorRecord error = Assert.Single(
            Invoke($"Import-StackProfile a.txt | Export-StackProfile -Path {path}").Errors);
        Assert.StartsWith("DestinationInvalid,", error.FullyQualifiedErrorId);
        Assert.IsType<PyDebugException>(error.Exception);
    }

    [Theory]
    [InlineData("{main};a 1\n{main};b 2\n", 3L)]
    [InlineData("\n {main} 4\n", 4L)]
    public void Stacks_that_begin_with_a_brace_are_no_json(string text, long count)
    {
        Write("php.txt", text);
        (List<PSObject> output, List<ErrorRecord> errors, _) = Invoke("Import-StackProfile php.txt");
        Assert.Empty(errors);
        Assert.Equal(count, ((StackProfile)output.Single().BaseObject).SampleCount);
    }

    [Fact]
    public void What_was_left_out_of_a_file_is_a_warning()
    {
        Write("a.txt", "main;a 1\nnocount\nmain;b 2\n");
        (List<PSObject> output, _, List<string> warnings) = Invoke("Import-StackProfile a.txt");
        Assert.Equal(3L, ((StackProfile)output.Single().BaseObject).SampleCount);
        Assert.Contains("a.txt': 1 of 3 lines", Assert.Single(warnings));
    }

    [Theory]
    [InlineData("cases/speedscope-no-profiles.json", "SourceInvalid", "has no profiles")]
    [InlineData("cases/speedscope-evented-unclosed.json", "SourceInvalid", "event 0 at 0, is never closed")]
    public void A_file_with_nothing_to_give_is_an_error_whose_advice_is_of_the_file(
        string fixture, string id, string message)
    {
        (List<PSObject> output, List<ErrorRecord> errors, _) = Invoke(
            $"Import-StackProfile -LiteralPath '{Fixture.PathOf(fixture)}'");
        Assert.Empty(output);
        ErrorRecord error = Assert.Single(errors);
        Assert.StartsWith(id + ",", error.FullyQualifiedErrorId);
        Assert.Contains(message, error.ErrorDetails.Message);
        Assert.DoesNotContain("Check the path", error.ErrorDetails.RecommendedAction);
    }

    [Fact]
    public void A_file_that_is_too_large_is_an_error_with_an_id_of_its_own()
    {
        Write("long.txt", new string('x', 5 << 20));
        ErrorRecord error = Assert.Single(Invoke("Import-StackProfile long.txt").Errors);
        Assert.StartsWith("LimitExceeded,", error.FullyQualifiedErrorId);
        Assert.Equal(ErrorCategory.LimitsExceeded, error.CategoryInfo.Category);
        Assert.Contains("long.txt' is larger than is read. ", error.ErrorDetails.Message);
        Assert.StartsWith("Nothing of it was taken. ", error.ErrorDetails.RecommendedAction);
    }

    [Theory]
    [InlineData("c.speedscope.json")]
    [InlineData("c.txt")]
    public void Collapsed_stacks_go_through_every_format_with_nothing_lost(string name)
    {
        (List<PSObject> output, List<ErrorRecord> errors, List<string> warnings) = Invoke(
            $"Import-StackProfile '{Fixture.PathOf("cases/compare-before.txt")}' | Export-StackProfile -Path {name}; "
                + $"Import-StackProfile {name}");
        Assert.Empty(errors);
        Assert.Empty(warnings);
        Assert.Equal(10L, ((StackProfile)output.Single().BaseObject).SampleCount);
    }

    [Fact]
    public void A_profile_without_samples_can_be_exported_and_read_again()
    {
        Write("none.json", """
            {"profiles":[{"type":"sampled","name":"t","unit":"none","samples":[],"weights":[]}],"shared":{"frames":[]}}
            """);
        (List<PSObject> output, List<ErrorRecord> errors, List<string> warnings) = Invoke(
            "Import-StackProfile none.json | Export-StackProfile -Path e.txt -PassThru | Import-StackProfile");
        Assert.Empty(errors);
        Assert.Equal(0L, ((StackProfile)output.Single().BaseObject).SampleCount);
        Assert.Contains("no samples", Assert.Single(warnings));
    }

    [Fact]
    public async Task Reading_a_large_file_can_be_stopped()
    {
        using (StreamWriter writer = new(Path.Combine(_folder.FullName, "large.txt")))
        {
            for (int i = 0; i < 1_500_000; i++)
            {
                writer.Write($"main (a.py:1);f{i} (a.py:{i % 1000});g (b.py:7) 1\n");
            }
        }

        using PowerShell shell = PowerShell.Create(_runspace);
        IAsyncResult running = shell.AddScript("Import-StackProfile large.txt").BeginInvoke();
        await Task.Delay(300, TestContext.Current.CancellationToken);
        Assert.False(running.IsCompleted);
        Stopwatch watch = Stopwatch.StartNew();
        await Task.Run(shell.Stop, TestContext.Current.CancellationToken).WaitAsync(
            TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"{watch.Elapsed}");
        Assert.Equal(PSInvocationState.Stopped, shell.InvocationStateInfo.State);
    }

    [Theory]
    [InlineData("@{ Samples = 'x'; Metric = 'Cpu' }")]
    [InlineData("@{ Samples = @([pscustomobject]@{ Value = 'much' }); Metric = 'Cpu' }")]
    [InlineData("@{ Samples = @([pscustomobject]@{ Frames = 7 }); Metric = 'Cpu' }")]
    [InlineData("@{ Samples = @([pscustomobject]@{ Value = [double]::NaN }); Metric = 'Cpu'; Unit = 'samples' }")]
    [InlineData("@{ Samples = @([pscustomobject]@{ Value = [double]::PositiveInfinity; Count = [long]::MaxValue }, "
        + "[pscustomobject]@{ Count = [long]::MaxValue }); Metric = 'Cpu' }")]
    [InlineData(
        "@{ Samples = @([pscustomobject]@{ Frames = @([pscustomobject]@{ Name = $null }, $null) }); Metric = $null }")]
    [InlineData("@{ Map = 7; Frames = 'x'; Value = 5 }")]
    [InlineData("@{ Waits = 1; Cpu = 2 }")]
    public void An_object_that_only_looks_like_a_profile_is_written_or_an_error_of_ours(string like)
    {
        foreach (string name in new[] { "x.svg", "x.json", "x.txt" })
        {
            (_, List<ErrorRecord> errors, _) = Invoke($"[pscustomobject]{like} | Export-StackProfile -Path {name}");
            Assert.All(errors, e => Assert.IsType<PyDebugException>(e.Exception));
        }
    }

    [Fact]
    public void A_new_file_is_its_owners_and_one_that_is_replaced_keeps_who_may_read_it()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Files have no such mode there.");
            return;
        }

        Write("a.txt", "a 1\n");
        string path = Write("out.txt", "");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        Assert.Empty(Invoke("Import-StackProfile a.txt | Export-StackProfile -Path out.txt").Errors);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(path));
        Assert.Empty(Invoke("Import-StackProfile a.txt | Export-StackProfile -Path new.txt").Errors);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite,
            File.GetUnixFileMode(Path.Join(Path.GetDirectoryName(path), "new.txt")));
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    private (List<PSObject> Output, List<ErrorRecord> Errors, List<string> Warnings) Invoke(string script)
    {
        using PowerShell shell = PowerShell.Create(_runspace);
        List<PSObject> output = [.. shell.AddScript(script).Invoke()];
        return (output, [.. shell.Streams.Error], [.. shell.Streams.Warning.Select(w => w.Message)]);
    }
}
