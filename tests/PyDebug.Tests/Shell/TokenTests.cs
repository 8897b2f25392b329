using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json.Nodes;
using System.Threading.Tasks;
using PyDebug.Engine;
using PyDebug.Errors;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>
/// What can go wrong, one after another in a PowerShell of its own with the built module: each has its id, and the
/// token is in nothing that a log can hold of it: the errors, CLIXML, verbose, debug, or the transcript. It takes a
/// minute, and runs where it is asked for (<c>-explicit only</c>).
/// </summary>
public sealed class TokenTests : IDisposable
{
    private const string Start =
        "Start-PodDebug web-0 -Namespace shop -ContainerName app @connect -Force -TimeoutSeconds 60";

    /// <summary>Tells the server which comes next, and keeps all that is said of it in every way.</summary>
    private const string Script =
        """
        param($Folder)
        $given = Get-Content -Raw (Join-Path $Folder given.json) | ConvertFrom-Json
        Import-Module $given.Module
        $connect = @{
            Server = $given.Server; CertificateAuthorityData = $given.Authority
            AccessToken = [Net.NetworkCredential]::new('', $given.Token).SecurePassword
        }
        $s = Start-PodDebug web-0 -Namespace shop -ContainerName app @connect -ErrorAction Stop
        $null = Start-Transcript (Join-Path $Folder transcript.txt)
        $VerbosePreference = $DebugPreference = $InformationPreference = 'Continue'
        $ids = foreach ($row in $given.Rows) {
            $ask = @{ SkipCertificateCheck = $true; TimeoutSec = 30; ErrorAction = 'Stop' }
            $ask += @{ Verbose = $false; Debug = $false }
            $null = Invoke-RestMethod "$($given.Server)/next/$($row.Number)" @ask
            [Console]::Error.WriteLine("$([DateTime]::Now.ToString('HH:mm:ss')) row $($row.Number)")
            $error.Clear()
            $all = @(try { & ([scriptblock]::Create($row.Script)) *>&1 } catch { $_ })
            $all | Out-Host
            $error | Format-List * -Force | Out-Host
            foreach ($failure in $error) {
                $failure.Exception.ToString() | Out-Host
            }
            @($all) + @($error) | Export-Clixml (Join-Path $Folder "$($row.Number).xml") -Depth 2
            $failures = @($all | Where-Object { $_ -is [Management.Automation.ErrorRecord] })
            "$($row.Number) $(@($failures | ForEach-Object { ($_.FullyQualifiedErrorId -split ',')[0] }) -join ' ')"
        }
        $null = Stop-Transcript
        Set-Content -LiteralPath (Join-Path $Folder ids.txt) -Value $ids
        """;

    private static readonly TimeSpan s_longest = TimeSpan.FromMinutes(4);

    private readonly FakeCluster _cluster = new();

    private readonly TempDirectory _folder = new();

    private readonly List<Row> _rows = [];

    public void Dispose()
    {
        _cluster.Dispose();
        _folder.Dispose();
    }

    [Fact(Explicit = true)]
    public async Task Whatever_goes_wrong_has_its_id_and_the_token_is_in_no_log_of_it()
    {
        string module = Path.Join(Repository.Root, "out/module/PyDebug/PyDebug.psd1");
        Assert.SkipUnless(File.Exists(module), "The module is not built: ./build.sh build.");
        AddRows();
        JsonObject? session = null;
        Row? now = null;
        _cluster.Before = async (request, connection) =>
        {
            if (request.Path.StartsWith("/next/", StringComparison.Ordinal))
            {
                session ??= _cluster.PodObject.DeepClone().AsObject();
                now = _rows[int.Parse(request.Path[6..], CultureInfo.InvariantCulture)];
                _cluster.PodObject = now.OnNewPod ? FakeCluster.NewPod() : session.DeepClone().AsObject();
                _cluster.State = _ => FakeCluster.Running();
                _cluster.Refuse = _ => null;
                _cluster.Exec = now.Exec ?? FakeCluster.ProbeAsync;
                now.Set?.Invoke(_cluster);
                await connection.RespondAsync(200, new JsonObject());
                return true;
            }

            if (now?.Upgrade is null || !request.IsExec)
            {
                return false;
            }

            await now.Upgrade(request, connection);
            return true;
        };

        await RunAsync(module);

        string[] told = await File.ReadAllLinesAsync(At("ids.txt"), Token);
        Assert.Equal(_rows.Select((r, i) => $"{i} {r.Name}: {r.Id}"), told.Select(
            (t, i) => $"{t.Split(' ')[0]} {_rows[i].Name}: {t[(t.IndexOf(' ') + 1)..]}"));
        string transcript = await File.ReadAllTextAsync(At("transcript.txt"), Token);
        Assert.All(_rows.Select(r => r.Id).Distinct(), id => Assert.Contains(id, transcript, StringComparison.Ordinal));
        string[] logs =
            [.. Directory.GetFiles(_folder.Path).Where(f => Path.GetFileName(f) is not ("given.json" or "run.ps1"))];
        Assert.Equal(_rows.Count, logs.Count(l => l.EndsWith(".xml", StringComparison.Ordinal)));
        foreach (string log in logs)
        {
            Assert.DoesNotContain(Secrets.Canary, await File.ReadAllTextAsync(log, Token), StringComparison.Ordinal);
        }
    }

    private static System.Threading.CancellationToken Token => TestContext.Current.CancellationToken;

    private string At(string name) => Path.Join(_folder.Path, name);

    private void AddRows()
    {
        const string Ask = "$s | Get-PyStack -TimeoutSeconds 30";
        // What passes by itself is waited out, to the end of the time that is given.
        _rows.AddRange(FaultTests.All.Select(
            f => new Row(f.Name, IdOf(f.Cause), f.Upgrade is not null && f.Again ? $"{Ask[..^2]}1" : Ask)
            {
                Upgrade = f.Upgrade, Exec = f.Exec,
            }));
        foreach (string cause in new[] { AgentCause.PtraceDenied, AgentCause.NoBtf, AgentCause.TargetNotVisible,
            AgentCause.ProcessGone })
        {
            _rows.Add(new($"the agent says {cause}", IdOf(cause), Ask)
            {
                Exec = async exec =>
                {
                    await exec.BootAsync();
                    await exec.HelloAsync();
                    await exec.SendFrameAsync('E', new JsonObject { ["cause"] = cause, ["message"] = "it cannot be" });
                    await exec.FinishAsync(1);
                },
            });
        }

        FakeFileAgent files = new();
        files.Files[""] = [1, 2, 3];
        _rows.Add(new("a folder that takes no files", ErrorId.DestinationInvalid, "$s | Copy-PodFile -Path /srv/x "
            + "-Destination /proc/x")
        {
            Exec = files.ServeAsync,
        });
        _rows.Add(new("another authority", ErrorId.TlsFailed, $"$other = $connect.Clone(); "
            + $"$other.CertificateAuthorityData = '{new TestCertificates().AuthorityData}'; Start-PodDebug web-0 "
            + "-Namespace shop -ContainerName app @other"));
        Refused("a pod that waits", Causes.PodNotRunning, c => c.PodObject["status"]!["phase"] = "Pending");
        Refused("a pod that is done", Causes.PodFinished, c => c.PodObject["status"]!["phase"] = "Succeeded");
        Refused("a pod that goes", Causes.PodDeleting, c => c.PodObject["metadata"]![
            "deletionTimestamp"] = "2026-01-01T00:00:00Z");
        Refused(
            "no target", Causes.TargetNotRunning, c => c.PodObject["status"]!["containerStatuses"] = new JsonArray());
        Refused(
            "Windows", Causes.PodIsWindows, c => c.PodObject["spec"]!["os"] = new JsonObject { ["name"] = "windows" });
        Refused("no image", Causes.ImagePullFailed, c => c.State = _ => FakeCluster.Waiting(
            "ErrImageNeverPull", "not here"));
        Refused("another machine", Causes.ContainerStartFailed, c => c.State = _ => FakeCluster.Terminated(
            "Error", 255, "exec format error"));
        Refused("no end of the start", Causes.StartTimeout, c => c.State = _ => FakeCluster.Waiting(
            "ContainerCreating"), $"{Start[..^2]}1");
        Refused("no ephemeral containers", Causes.EphemeralContainersUnsupported,
            c => c.Refuse = _ => FakeConnection.Status(404, "NotFound", "no"));
        Refused("a quota", Causes.AdmissionDenied, c => c.Refuse = _ => FakeConnection.Status(
            403, "Forbidden", "pods \"web-0\" is forbidden: exceeded quota: few, requested: pods=1"));
        Refused("a policy", Causes.AdmissionDenied, c => c.Refuse = _ => FakeConnection.Status(
            400, "X", "admission webhook \"validate.kyverno.svc-fail\" denied the request: no debugging"));
        _rows.Add(new("a debug container that had no memory left", ErrorId.MemoryLow, Ask)
        {
            Set = c => c.PodObject["status"]!["ephemeralContainerStatuses"]![0]!["state"] = FakeCluster.Terminated(
                "OOMKilled", 137, ""),
            Exec = async exec =>
            {
                await exec.SendStatusAsync(
                    "{\"status\":\"Failure\",\"reason\":\"InternalError\",\"message\":\"container not found\"}");
                await exec.SendCloseAsync();
            },
        });
    }

    private void Refused(string name, string cause, Action<FakeCluster> set, string script = Start)
        => _rows.Add(new(name, IdOf(cause), script) { Set = set, OnNewPod = true });

    private static string IdOf(string cause) => ErrorTable.Find(cause).Id;

    private async Task RunAsync(string module)
    {
        JsonObject given = new()
        {
            ["Module"] = module, ["Server"] = _cluster.Address, ["Token"] = Secrets.Canary,
            ["Authority"] = TestCertificates.Shared.AuthorityData,
            ["Rows"] = new JsonArray(
                [.. _rows.Select((r, i) => new JsonObject { ["Number"] = i, ["Script"] = r.Script })]),
        };
        await File.WriteAllTextAsync(At("given.json"), given.ToJsonString(), Token);
        await File.WriteAllTextAsync(At("run.ps1"), Script, Token);
        bool onPath = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(f => File.Exists(Path.Join(f, OperatingSystem.IsWindows() ? "pwsh.exe" : "pwsh")));
        ProcessStartInfo start = new(onPath ? "pwsh" : "dotnet")
        {
            WorkingDirectory = Repository.Root, RedirectStandardError = true, RedirectStandardOutput = true,
        };
        string[] words = ["-NoProfile", "-NonInteractive", "-File", At("run.ps1"), "-Folder", _folder.Path];
        foreach (string word in onPath ? words : ["tool", "run", "pwsh", "--", .. words])
        {
            start.ArgumentList.Add(word);
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(Token);
        Task<string> errors = process.StandardError.ReadToEndAsync(Token);
        try
        {
            await process.WaitForExitAsync(Token).WaitAsync(s_longest, Token);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"It did not end; it was at {await errors}");
        }

        Assert.True(process.ExitCode == 0 && File.Exists(At("ids.txt")), await output + await errors);
        Assert.DoesNotContain(Secrets.Canary, await output + await errors, StringComparison.Ordinal);
    }

    private sealed record Row(string Name, string Id, string Script)
    {
        public bool OnNewPod { get; init; }

        public Action<FakeCluster>? Set { get; init; }

        public Func<FakeRequest, FakeConnection, Task>? Upgrade { get; init; }

        public Func<FakeExec, Task>? Exec { get; init; }
    }
}
