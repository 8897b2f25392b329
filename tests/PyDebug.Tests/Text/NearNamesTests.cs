using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class NearNamesTests
{
    private static readonly string[] s_pods = ["backend-689b8cc9-9572s", "backend-689b8cc9-x2k4p", "bad-app", "web-0"];

    [Theory]
    [InlineData("backend", "backend-689b8cc9-9572s, backend-689b8cc9-x2k4p")]
    [InlineData("bad-ap", "bad-app")]
    [InlineData("bda-app", "bad-app")]
    [InlineData("web-1", "web-0")]
    [InlineData("database", "")]
    public void Finds_what_was_meant(string wanted, string expected)
        => Assert.Equal(expected, string.Join(", ", NearNames.Find(wanted, s_pods)));
}
