using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using FsCheck;
using FsCheck.Fluent;
using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

/// <summary>A kubeconfig that somebody handed over, and the environment and folder it is used in.</summary>
[Collection(nameof(EnvironmentCollection))]
public sealed class HandedFileTests : IDisposable
{
    private const string Cluster = "server: 'https://one.example:6443'";
    private const string Helper = "exec: {apiVersion: client.authentication.k8s.io/v1, command: ";

    private readonly TempDirectory _directory = new();
    private readonly FakeAgentFiles _files = new();
    private readonly string? _kubeconfig = Environment.GetEnvironmentVariable("KUBECONFIG");
    private readonly string? _path = Environment.GetEnvironmentVariable("PATH");
    private readonly string? _home = Environment.GetEnvironmentVariable("HOME");

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("KUBECONFIG", _kubeconfig);
        Environment.SetEnvironmentVariable("PATH", _path);
        Environment.SetEnvironmentVariable("HOME", _home);
        _directory.Dispose();
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    [InlineData("? ")]
    [InlineData("&a [")]
    [InlineData("!x [")]
    public void One_that_is_nested_without_end_is_an_error_and_not_the_end_of_the_process(string open)
    {
        string text = string.Concat(Enumerable.Repeat(open, 100_000));

        EngineException e = Assert.Throws<EngineException>(() => Resolve(text));

        Assert.Equal(Causes.KubeconfigInvalid, e.Cause);
        Assert.Contains("nested too deeply", e.Message);
    }

    [Theory]
    [InlineData("a: &a [*a]")]
    [InlineData("a: *b")]
    [InlineData("a: &a\n  b: *a")]
    public void An_alias_of_what_is_not_there_yet_is_an_error(string text)
        => Assert.Equal(Causes.KubeconfigInvalid, Assert.Throws<EngineException>(() => Resolve(text)).Cause);

    [Fact]
    public void Aliases_cannot_nest_deeper_than_what_is_written_out()
    {
        string text = "a0: &a0 [x]\n" + string.Concat(
            Enumerable.Range(1, 60).Select(i => $"a{i}: &a{i} [*a{i - 1}]\n"));

        Assert.Throws<FormatException>(() => Yaml.ParseObject(text));
    }

    [Fact]
    public void Anchors_and_aliases_mean_what_they_do_in_yaml()
    {
        string json = Yaml.ParseObject("a: &x {b: [1, '2', ~]}\nc: *x\nd: &y null\ne: *y\n? [z]\n: w")!.ToJsonString();

        Assert.Equal("""{"a":{"b":[1,"2",null]},"c":{"b":[1,"2",null]},"d":null,"e":null}""", json);
    }

    [Fact]
    public void Whatever_a_text_says_it_is_read_or_refused()
    {
        string whole = TlsTests.Kubeconfig(Cluster, "token: abc");
        Gen<string> cut = Gen.Elements("[", "]", "{", "}", ":", "- ", "&a ", "*a ", "\n", "\"", "'", "#", "|", "%", "?")
            .SelectMany(piece => Gen.Choose(0, whole.Length).Select(at => whole.Insert(at, piece)))
            .SelectMany(text => Gen.Choose(0, text.Length).Select(at => text.Remove(at)));

        Check.One(Config.QuickThrowOnFailure.WithMaxTest(3000), Prop.ForAll(cut.ToArbitrary(), text =>
        {
            try
            {
                Yaml.ParseObject(text);
            }
            catch (FormatException)
            {
            }
        }));
    }

    [Fact]
    public void A_device_without_end_is_refused()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero.");

        EngineException e = Assert.Throws<EngineException>(
            () => ConnectionResolver.Resolve(new() { Kubeconfig = "/dev/zero" }));

        Assert.Equal(Causes.KubeconfigInvalid, e.Cause);
        Assert.Contains("larger than 16 MiB", e.Message);
        Assert.Contains("larger than 1 MiB", Assert.Throws<EngineException>(
            () => Resolve(TlsTests.Kubeconfig(Cluster + ", certificate-authority: /dev/zero", "token: x"))).Message);
    }

    [Fact]
    public async Task A_token_file_without_end_is_refused()
    {
        Assert.SkipUnless(File.Exists("/dev/zero"), "There is no /dev/zero.");
        TokenFileCredentialSource source = new("/dev/zero", Credential.None);

        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => source.GetAsync(TestContext.Current.CancellationToken).AsTask());

        Assert.Contains("larger than 64 KiB", e.Message);
    }

    [Fact]
    public void A_pipe_that_nobody_writes_to_is_not_waited_for_without_end()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such pipes.");
        string pipe = Path.Join(_directory.Path, "pipe");
        using (Process made = Process.Start("mkfifo", pipe))
        {
            made.WaitForExit();
        }

        UnsuitableFileException e = Assert.Throws<UnsuitableFileException>(
            () => SmallFile.Read(pipe, 100, TimeSpan.FromMilliseconds(300)));

        Assert.Equal("its end did not come within 0 s", e.Message);
        // The reader is let go.
        File.WriteAllText(pipe, "x");
    }

    [Fact]
    public async Task A_pipe_that_is_written_to_is_read_as_kubectl_reads_it()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "There are no such pipes.");
        string pipe = Path.Join(_directory.Path, "pipe");
        using (Process made = Process.Start("mkfifo", pipe))
        {
            made.WaitForExit();
        }

        Task writing = Task.Run(
            () => File.WriteAllText(pipe, TlsTests.Kubeconfig(Cluster, "token: abc")),
            TestContext.Current.CancellationToken);

        Assert.Equal(
            "https://one.example:6443/", ConnectionResolver.Resolve(new() { Kubeconfig = pipe }).Server.AbsoluteUri);
        await writing.WaitAsync(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("/etc/hostname")]
    [InlineData("../outside")]
    [InlineData("sub/link")]
    [InlineData("linked/outside")]
    [InlineData("sub/../../outside")]
    public void A_token_is_taken_from_below_the_named_kubeconfigs_folder_alone(string tokenFile)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links take a right there.");
        _directory.Write("outside", "secret");
        string path = _directory.Write("mail/kubeconfig", TlsTests.Kubeconfig(Cluster, $"tokenFile: '{tokenFile}'"));
        Directory.CreateDirectory(Path.Join(_directory.Path, "mail/sub"));
        File.CreateSymbolicLink(Path.Join(_directory.Path, "mail/sub/link"), Path.Join(_directory.Path, "outside"));
        Directory.CreateSymbolicLink(Path.Join(_directory.Path, "mail/linked"), "..");

        EngineException e = Assert.Throws<EngineException>(
            () => ConnectionResolver.Resolve(new() { Kubeconfig = path }));

        Assert.Equal(Causes.KubeconfigInvalid, e.Cause);
        Assert.Contains(Path.GetFileName(tokenFile), e.Message);
        Assert.Contains("Nothing was read or sent", e.Message);
    }

    [Fact]
    public async Task A_token_below_it_is_taken_by_way_of_links_that_stay_there_and_no_longer_once_they_leave()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links take a right there.");
        _directory.Write("outside", "secret");
        _directory.Write("mail/..1/token", "inside");
        string link = Path.Join(_directory.Path, "mail/..data");
        Directory.CreateSymbolicLink(link, "..1");
        string path = _directory.Write("mail/kubeconfig", TlsTests.Kubeconfig(Cluster, "tokenFile: ..data/token"));
        CredentialSource source = ConnectionResolver.Resolve(new() { Kubeconfig = path }).Credentials;

        Credential first = await source.GetAsync(TestContext.Current.CancellationToken);
        Directory.Delete(link);
        Directory.CreateSymbolicLink(link, "..");
        _directory.Write("token", "secret");

        Assert.Equal("Bearer inside", first.Authorization);
        EngineException e = await Assert.ThrowsAsync<EngineException>(
            () => source.RefreshAsync(first, TestContext.Current.CancellationToken).AsTask());
        Assert.Contains("Nothing was read or sent", e.Message);
    }

    [Fact]
    public async Task The_users_own_kubeconfig_names_a_token_anywhere()
    {
        string token = _directory.Write("outside", "abc");
        Environment.SetEnvironmentVariable(
            "KUBECONFIG", _directory.Write("own/config", TlsTests.Kubeconfig(Cluster, $"tokenFile: '{token}'")));

        Credential credential = await ConnectionResolver.Resolve(new()).Credentials
            .GetAsync(TestContext.Current.CancellationToken);

        Assert.Equal("Bearer abc", credential.Authorization);
    }

    [Fact]
    public async Task A_login_helper_is_never_taken_from_the_current_directory()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The helper of this test is a shell script.");
        string name = $"pydebug-test-{Guid.NewGuid():n}";
        string planted = Path.Join(Environment.CurrentDirectory, name);
        string log = Path.Join(_directory.Path, "log");
        try
        {
            _directory.Write(
                Path.GetRelativePath(_directory.Path, planted),
                $"#!/bin/sh\necho planted >> '{log}'\n",
                executable: true);
            Environment.SetEnvironmentVariable("PATH", $":.:bin:..:{_path}");

            EngineException e = await Assert.ThrowsAsync<EngineException>(() => RunAsync(name));

            Assert.Equal(Causes.ExecPluginFailed, e.Cause);
            Assert.Contains($"'{name}' is in none of the folders that PATH names in full", e.Message);
            Assert.False(File.Exists(log));

            _directory.Write($"bin/{name}", $"#!/bin/sh\necho found >> '{log}'\necho {{}}\n", executable: true);
            _directory.Write($"none/{name}", "not to be executed");
            Environment.SetEnvironmentVariable(
                "PATH", $".:{_directory.Path}/none:{_directory.Path}/bin:{_path}");
            List<string> told = [];
            await Assert.ThrowsAsync<EngineException>(() => RunAsync(name, told));

            Assert.Equal("found\n", File.ReadAllText(log));
            Assert.Equal([$"Login helper '{name}' is run: {_directory.Path}/bin/{name}"], told);
        }
        finally
        {
            File.Delete(planted);
        }
    }

    [Fact]
    public async Task A_helper_named_by_a_relative_path_lies_beside_the_kubeconfig()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The helper of this test is a shell script.");
        _directory.Write("helper", "#!/bin/sh\necho '{}'\n", executable: true);

        EngineException e = await Assert.ThrowsAsync<EngineException>(() => RunAsync("./helper"));

        Assert.Contains($"'{_directory.Path}/helper' did not answer with an ExecCredential", e.Message);
    }

    [Fact]
    public void A_relative_entry_of_the_variable_is_refused_by_name()
    {
        Environment.SetEnvironmentVariable("KUBECONFIG", "here/config");

        EngineException e = Assert.Throws<EngineException>(() => ConnectionResolver.Resolve(new()));

        Assert.Equal(Causes.KubeconfigInvalid, e.Cause);
        Assert.Contains("'here/config'", e.Message);
    }

    [Fact]
    public void A_home_that_is_no_full_path_is_not_looked_into()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The home is named otherwise there.");
        Environment.SetEnvironmentVariable("KUBECONFIG", null);
        Environment.SetEnvironmentVariable("HOME", "home");

        EngineException e = Assert.Throws<EngineException>(() => ConnectionResolver.Resolve(new()));

        Assert.Contains("No cluster is configured", e.Message);
    }

    [Theory]
    [InlineData("proxy-url")]
    [InlineData("http_proxy")]
    public async Task A_token_goes_unencrypted_to_this_machine_and_past_every_proxy(string kind)
    {
        using FakeServer server = new((_, connection) => connection.RespondAsync(200, FakeCluster.NewPod()));
        using ConnectProxy proxy = new(server.Port);
        string url = $"http://127.0.0.1:{proxy.Port}";
        string? before = Environment.GetEnvironmentVariable("http_proxy");
        List<string> warnings = [];
        try
        {
            Environment.SetEnvironmentVariable("http_proxy", url);
            string more = kind == "proxy-url" ? $", proxy-url: '{url}'" : "";
            string path = _directory.Write("kubeconfig", TlsTests.Kubeconfig(
                $"server: '{server.Address}'{more}", $"token: {Secrets.Canary}"));
            using KubeGateway gateway = KubeGateway.Connect(
                new() { Kubeconfig = path, Warn = warnings.Add }, _files.Bundle, FakeCluster.Timing);

            await gateway.GetPodAsync("shop", "web-0", TestContext.Current.CancellationToken);
        }
        finally
        {
            Environment.SetEnvironmentVariable("http_proxy", before);
        }

        Assert.Empty(proxy.Asked);
        Assert.Single(server.Requests);
        Assert.Equal(kind == "proxy-url" ? 1 : 0, warnings.Count(w => w.Contains("proxy-url")));
    }

    private async Task RunAsync(string command, List<string>? told = null)
        => await ConnectionResolver.Resolve(new()
        {
            Kubeconfig = _directory.Write("kubeconfig", TlsTests.Kubeconfig(Cluster, $"{Helper}'{command}'}}")),
            Tell = told is null ? null : told.Add,
        }).Credentials.GetAsync(TestContext.Current.CancellationToken);

    private void Resolve(string text)
        => ConnectionResolver.Resolve(new() { Kubeconfig = _directory.Write("kubeconfig", text) });
}
