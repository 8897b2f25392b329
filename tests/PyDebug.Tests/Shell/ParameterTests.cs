using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

/// <summary>Wrong parameters end every cmdlet with one error, before anything is sent or measured.</summary>
public sealed class ParameterTests : IDisposable
{
    private static readonly Type[] s_cmdlets = [.. typeof(StartPodDebugCommand).Assembly.GetExportedTypes()
        .Where(t => t.GetCustomAttribute<CmdletAttribute>() is not null)];

    private static readonly (string Command, string Id)[] s_together =
    [
        ("Get-PodDebug -AllNamespaces -Namespace x @server", "ParameterInvalid"),
        ("Get-PodDebug -Kubeconfig x @server", "ParameterInvalid"),
        ("Get-PodDebug -Kubeconfig /none/such", "KubeconfigInvalid"),
        ("Get-PodDebug -Context none -Kubeconfig \"$dir/config\"", "ContextNotFound"),
        ("Get-PodDebug -Server ftp://x", "KubeconfigInvalid"),
        ("Get-PodDebug -Server http://example.org", "TlsFailed"),
        ("$s | Get-PyStack -Server https://x -CertificateAuthorityData x", "KubeconfigInvalid"),
        ("Start-PodDebug x -For Time -SecurityProfile General @server", "ParameterInvalid"),
        ("Start-PodDebug x -For Memray, Bpftrace @server", "ParameterInvalid"),
        ("Start-PodDebug x -Reason \"a`nb\" @server", "ParameterInvalid"),
        ("Start-PodDebug x -Custom 5 @server", "CustomInvalid"),
        ("Start-PodDebug x -Custom '{' @server", "CustomInvalid"),
        ("Start-PodDebug x -Custom @{ name = 'x' } @server", "CustomInvalid"),
        ("Start-PodDebug x -Custom @{ tty = 'x' } @server", "CustomInvalid"),
        ("Start-PodDebug x -Custom '{\"$patch\":\"replace\"}' @server", "CustomInvalid"),
        ("Start-PodDebug x -Namespace '' @server", "ParameterInvalid"),
        ("Start-PodDebug x -ContainerName '' @server", "ParameterInvalid"),
        ("Start-PodDebug -LabelSelector a=b -AllNamespaces -Namespace x @server", "ParameterInvalid"),
        ("Start-PodDebug -Deployment x -StatefulSet y @server", "AmbiguousParameterSet"),
        ("Start-PodDebug x -First 1 @server", "PositionalParameterNotFound"),
        ("Test-PodDebug x -For Memray, Bpftrace @server", "ParameterInvalid"),
        ("$s | Stop-PodDebug -Kubeconfig x @server", "ParameterInvalid"),
        ("$s | Get-PyProcess -Context x @server", "ParameterInvalid"),
        ("$s | Get-PyTask -Context x @server", "ParameterInvalid"),
        ("$s | Get-PyStack -Context x @server", "ParameterInvalid"),
        ("$s | Get-PyHeap -Census 3 @server", "ParameterInvalid"),
        ("Compare-PyHeap 5 6", "ParameterInvalid"),
        ("$s | Measure-PyTime -Exact -Method Memory @server", "ParameterInvalid"),
        ("$s | Measure-PyTime -Force @server", "ParameterInvalid"),
        ("$s | Watch-PyProcess -PassThru @server", "ParameterInvalid"),
        ("$s | Invoke-PySpy -Dump -Record @server", "ParameterInvalid"),
        ("$s | Invoke-PySpy -SampleRate 5 @server", "ParameterInvalid"),
        ("$s | Invoke-PySpy -Record -IncludeLocals @server", "ParameterInvalid"),
        ("$s | Invoke-PySpy -Record -GilOnly -IncludeIdle @server", "ParameterInvalid"),
        ("$s | Invoke-Bpftrace @server", "ParameterInvalid"),
        ("$s | Invoke-Bpftrace -Script nothing @server", "ParameterInvalid"),
        ("$s | Invoke-Bpftrace -Script FileOpen -Continuous -DurationSeconds 1 @server", "ParameterInvalid"),
        ("$s | Invoke-Bpftrace -Path /none/such @server", "SourceInvalid"),
        ("$s | Invoke-Bpftrace -Program '' @server", "ParameterArgumentValidationError"),
        ("$s | Get-MemrayReport -Path x @server", "ParameterInvalid"),
        ("$s | Get-MemrayReport -KeepCapture -Path /none/such/x.bin @server", "DestinationInvalid"),
        ("$s | Get-MemrayReport -CapturePath /none/such @server", "SourceInvalid"),
        ("$s | Copy-PodFile /x -FromTarget -ToContainer @server", "ParameterInvalid"),
        ("$s | Copy-PodFile /etc/passwd x -ToContainer @server", "ParameterInvalid"),
        ("$s | Copy-PodFile /etc/passwd /proc/1/root/x -ToContainer @server", "ParameterInvalid"),
        ("$s | Copy-PodFile /none/such /tmp/ -ToContainer @server", "SourceInvalid"),
        ("$s | Copy-PodFile /x /none/such/x @server", "DestinationInvalid"),
        ("$s | Copy-PodFile /x /none/such/x -Recurse @server", "DestinationInvalid"),
        ("1 | Export-StackProfile /none/such/x.svg", "DestinationInvalid"),
        ("1 | Export-StackProfile \"$dir/x.xyz\"", "ParameterInvalid"),
        ("Import-StackProfile -Path a -LiteralPath b", "AmbiguousParameterSet"),
    ];

    private readonly TempDirectory _directory = new();
    private readonly FakeCluster _cluster = new();
    private readonly ModuleShell _shell;

    public ParameterTests()
    {
        _shell = new(_cluster);
        PSObject session = new();
        foreach ((string name, string value) in new[]
        {
            ("Namespace", "shop"), ("PodName", "web-0"), ("ContainerName", "app"), ("DebugContainer", "pydebug-x"),
            ("Python", "python3"), ("PodUid", "uid-1"), ("State", "Running"),
        })
        {
            session.Properties.Add(new PSNoteProperty(name, value));
        }

        FakePayload.WritePySpy();
        FakePayload.Write("memray", """{"version":"1.20.0","payloads":{}}""");
        _shell["s"] = session;
        _shell["dir"] = _directory.Path;
    }

    public void Dispose()
    {
        _shell.Dispose();
        _cluster.Dispose();
        _directory.Dispose();
    }

    public static TheoryData<string> Cmdlets => new(s_cmdlets.Select(Name));

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public async Task A_value_that_a_parameter_does_not_take_ends_it(string cmdlet)
    {
        foreach (PropertyInfo property in s_cmdlets.Single(t => Name(t) == cmdlet).GetProperties())
        {
            foreach (string value in WrongValues(property))
            {
                ErrorRecord error = await EndAsync($"{cmdlet} -{property.Name} {value}");

                Assert.Matches("^(ParameterArgument|CannotConvertArgument)", error.FullyQualifiedErrorId);
            }
        }
    }

    [Fact]
    public void Numbers_have_bounds_and_lists_are_not_empty()
        => Assert.Empty(s_cmdlets.SelectMany(t => t.GetProperties()
            .Where(p => p.GetCustomAttributes<ParameterAttribute>(true).Any()
                && p.PropertyType != typeof(SwitchParameter) && p.PropertyType != typeof(object)
                && !p.GetCustomAttributes<ValidateArgumentsAttribute>(true).Any()
                && !p.GetCustomAttributes<ArgumentTransformationAttribute>(true).Any()
                // An empty one comes where a record of the pipeline has no value for it.
                && !p.GetCustomAttributes<ParameterAttribute>(true).Any(a => a.ValueFromPipelineByPropertyName))
            .Select(p => $"{Name(t)} -{p.Name}")));

    [Theory]
    [MemberData(nameof(Cmdlets))]
    public async Task What_does_not_go_together_ends_it(string cmdlet)
    {
        _directory.Write("config", """{"contexts":[{"name":"prod","context":{}}],"clusters":[{"name":"a"}]}""");
        (string Command, string Id)[] mistakes = [.. s_together.Where(m => m.Command.Contains(cmdlet))];

        Assert.NotEmpty(mistakes);
        foreach ((string command, string id) in mistakes)
        {
            ErrorRecord error = await EndAsync(command);

            Assert.StartsWith(id, error.FullyQualifiedErrorId, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("Get-PodDebug -Server ftp://x", "Check -Server.")]
    [InlineData("Get-PodDebug -Server https://x -CertificateAuthorityData x", "Check -CertificateAuthorityData.")]
    [InlineData("Get-PodDebug -Kubeconfig /none/such", "Check -Kubeconfig and $env:KUBECONFIG.")]
    public async Task Advice_is_about_what_was_given(string command, string advice)
        => Assert.Equal(advice, (await EndAsync(command)).ErrorDetails.RecommendedAction);

    [Theory]
    [InlineData("5", "nothing of type System.Int32")]
    [InlineData("[pscustomobject]@{ a = 1 }", "nothing of type System.Management.Automation.PSCustomObject")]
    [InlineData("@{ a = 1 }", "nothing of type System.Collections.Hashtable")]
    [InlineData("[System.IO.DirectoryInfo]::new('/')", "nothing of type System.IO.DirectoryInfo")]
    [InlineData("@($s, 'web-0')", "nothing of type System.String")]
    [InlineData("'web-0'", "nothing of type System.String: Start-PodDebug web-0 | ...")]
    public async Task An_object_that_is_no_session_says_what_is_wanted(string value, string found)
    {
        foreach (Type type in s_cmdlets.Where(t => t.GetProperty("Session") is not null))
        {
            string more = type == typeof(CopyPodFileCommand) ? " -Path /x"
                : type == typeof(InvokeBpftraceCommand) ? " -Script FileOpen"
                : "";
            string position = type == typeof(CopyPodFileCommand) ? " -Session" : "";
            string[] commands = [$"{value} | {Name(type)}{more}", $"{Name(type)}{position} ({value}){more}"];
            foreach (string command in commands)
            {
                ErrorRecord error = await EndAsync($"{command} @server -ErrorAction Stop");

                Assert.Contains("wanted, which ", error.Exception.Message, StringComparison.Ordinal);
                Assert.Contains(found, error.Exception.Message, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>Runs what is to end with one error, and gives that; nothing else may have come of it.</summary>
    private async Task<ErrorRecord> EndAsync(string command)
    {
        IReadOnlyList<PSObject> output = await _shell.RunAsync($"try {{ {command} }} catch {{ $_ }}");

        Assert.Empty(_shell.Errors);
        Assert.Empty(_cluster.Requests);
        Assert.Empty(Directory.EnumerateFiles(_directory.Path, "x*"));
        return Assert.IsType<ErrorRecord>(Assert.Single(output).BaseObject);
    }

    private static IEnumerable<string> WrongValues(PropertyInfo property)
    {
        foreach (Attribute attribute in property.GetCustomAttributes(inherit: true).OfType<Attribute>())
        {
            switch (attribute)
            {
                case ValidateRangeAttribute range:
                    yield return FormattableString.Invariant($"{Convert.ToDecimal(range.MinRange) - 1}");
                    break;
                case ValidateSetAttribute:
                    yield return "nonsense";
                    break;
                case ValidateNotNullOrEmptyAttribute:
                    yield return "''";
                    yield return "@()";
                    break;
                case ValidateNotNullAttribute:
                    yield return "$null";
                    break;
            }
        }
    }

    private static string Name(Type type)
    {
        CmdletAttribute cmdlet = type.GetCustomAttribute<CmdletAttribute>()!;
        return $"{cmdlet.VerbName}-{cmdlet.NounName}";
    }
}
