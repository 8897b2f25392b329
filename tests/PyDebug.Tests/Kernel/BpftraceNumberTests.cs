using System.Text.Json;
using PyDebug.Tools.Bpftrace;
using Xunit;

namespace PyDebug.Tests.Tools;

public sealed class BpftraceNumberTests
{
    [Theory]
    [InlineData("7", 7L)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775808", long.MaxValue)]
    [InlineData("\"18446744073709551615\"", long.MaxValue)]
    [InlineData("1.5", null)]
    [InlineData("\"many\"", null)]
    public void What_is_beyond_a_long_is_its_end(string number, long? expected)
    {
        using JsonDocument document = JsonDocument.Parse($"{{\"n\":{number}}}");
        Assert.Equal(expected, BpftraceNumber.Long(document.RootElement, "n"));
    }
}
