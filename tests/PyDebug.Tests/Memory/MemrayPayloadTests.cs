using System;
using System.IO;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Commands;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class MemrayPayloadTests : IDisposable
{
    private const string Manifest =
        """
        {"version":"1.20.0","license":"Apache-2.0","payloads":{"x86_64":{
        "cp313":{"file":"x86_64/cp313.tar.zlib","sha256":"aa","size":9,"packed":4,"proven":true},
        "runtime":{"file":"x86_64/runtime.tar.zlib","sha256":"bb","size":9,"packed":4,"proven":true}}}}
        """;

    private readonly TempDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task An_archive_is_sent_as_it_is_to_who_asks_by_name_and_machine()
    {
        MemrayPayload payload = Make(Manifest);
        Assert.Equal("1.20.0", payload.Version);
        Assert.Equal("""{"x86_64":{"cp313":"aa","runtime":"bb"}}""", payload.Hashes().ToJsonString());
        Assert.Equal("cp313", await ReadAsync(payload, "memray-cp313", "x86_64"));
        Assert.Equal("runtime", await ReadAsync(payload, "memray-runtime", "x86_64"));
    }

    [Fact]
    public void A_kind_that_is_not_proven_is_told_of()
    {
        MemrayPayload payload = Make(
            """
            {"version":"1.20.0","payloads":{"x86_64":{
            "cp310":{"file":"x86_64/cp310.tar.zlib","sha256":"aa","proven":false},
            "cp313":{"file":"x86_64/cp313.tar.zlib","sha256":"bb","proven":true},
            "cp314":{"file":"x86_64/cp314.tar.zlib","sha256":"cc","proven":false,"source":"Debian"}}}}
            """);
        Assert.Contains("CPython 3.10 is made from its published wheel and is not tested", payload.Doubt("3.10.4"));
        Assert.Contains("CPython 3.14 is made from Debian's own package", payload.Doubt("3.14.0rc2"));
        Assert.Null(payload.Doubt("3.13.5"));
        Assert.Null(payload.Doubt(null));
    }

    [Theory]
    [InlineData("memray-cp39", "x86_64")]
    [InlineData("memray-cp313", "aarch64")]
    [InlineData("memray-../../../etc/passwd", "x86_64")]
    [InlineData("cp313", "x86_64")]
    [InlineData("memray-cp313", null)]
    [InlineData(null, "x86_64")]
    public async Task What_there_is_not_is_not_sent(string? name, string? machine)
        => Assert.Null(await ReadAsync(Make(Manifest), name, machine));

    [Theory]
    [InlineData("[]")]
    [InlineData("{\"payloads\":{\"x86_64\":7}}")]
    public void A_manifest_that_is_none_is_no_memray(string manifest)
    {
        PyDebugException e = Assert.Throws<PyDebugException>(() => Make(manifest));
        Assert.Equal("ToolUnavailable", e.ErrorRecord.FullyQualifiedErrorId);
    }

    private static async Task<string?> ReadAsync(MemrayPayload payload, string? name, string? machine)
    {
        JsonObject need = new() { ["name"] = name, ["machine"] = machine, ["size"] = null };
        using Stream? stream = await payload.OpenAsync(need, CancellationToken.None);
        return stream is null ? null
            : await new StreamReader(stream).ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    private MemrayPayload Make(string manifest)
    {
        Directory.CreateDirectory(Path.Join(_folder.Path, "x86_64"));
        foreach (string kind in new[] { "cp313", "runtime" })
        {
            File.WriteAllText(Path.Join(_folder.Path, "x86_64", $"{kind}.tar.zlib"), kind);
        }

        return MemrayPayload.Find(_folder.Path, JsonDocument.Parse(manifest));
    }
}
