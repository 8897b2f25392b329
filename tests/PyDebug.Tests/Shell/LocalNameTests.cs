using System.Linq;
using System.Text;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class LocalNameTests
{
    [Theory]
    [InlineData("app.py", "app.py", "app.py")]
    [InlineData("profile[0].json", "profile[0].json", "profile[0].json")]
    [InlineData("e\\f.json", "e\\f.json", "e_f.json")]
    [InlineData("a:b", "a:b", "a_b")]
    [InlineData("x.txt:stream", "x.txt:stream", "x.txt_stream")]
    [InlineData("con", "con", "_con")]
    [InlineData("NUL.txt", "NUL.txt", "_NUL.txt")]
    [InlineData("com1.tar.gz", "com1.tar.gz", "_com1.tar.gz")]
    [InlineData("lpt9 .x", "lpt9 .x", "_lpt9 .x")]
    [InlineData("console", "console", "console")]
    [InlineData("x.", "x.", "x_")]
    [InlineData("x. .", "x. .", "x___")]
    [InlineData("a\nb\u001b[2J", "a_b_[2J", "a_b_[2J")]
    [InlineData("gpj\u202e.exe", "gpj_.exe", "gpj_.exe")]
    [InlineData("\u65e5\u672c \ud83d\udc0d.svg", "\u65e5\u672c \ud83d\udc0d.svg", "\u65e5\u672c \ud83d\udc0d.svg")]
    [InlineData("-rf", "-rf", "-rf")]
    [InlineData("`whoami`$(x)", "`whoami`$(x)", "`whoami`$(x)")]
    [InlineData("", null, null)]
    [InlineData(".", null, null)]
    [InlineData("..", null, null)]
    [InlineData(" ", null, null)]
    public void A_name_from_a_pod_becomes_one_that_a_file_can_have(string name, string? onUnix, string? onWindows)
    {
        Assert.Equal(onUnix, LocalName.Of(name, onWindows: false));
        Assert.Equal(onWindows, LocalName.Of(name, onWindows: true));
    }

    [Fact]
    public void Half_a_pair_is_no_letter_of_a_name()
        => Assert.Equal("half_", LocalName.Of("half\ud800", onWindows: false));

    [Theory]
    [InlineData("x", ".json")]
    [InlineData("\u65e5", ".json")]
    [InlineData("\ud83d\udc0d", ".svg")]
    [InlineData("x", "")]
    public void A_name_that_is_too_long_is_cut_before_its_extension(string letter, string extension)
    {
        string name = string.Concat(Enumerable.Repeat(letter, 4096)) + extension;
        string own = LocalName.Of(name, onWindows: false)!;
        Assert.InRange(Encoding.UTF8.GetByteCount(own), 250, 255);
        Assert.EndsWith(extension, own);
        Assert.DoesNotContain('\ufffd', Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(own)));
    }
}
