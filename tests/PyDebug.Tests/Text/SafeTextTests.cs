using System.Globalization;
using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class SafeTextTests
{
    [Theory]
    [InlineData("plain text, ümläut, 日本語, 🐍", "plain text, ümläut, 日本語, 🐍")]
    [InlineData("a;b", "a;b")]
    [InlineData("line\nline\r\tend", "line\u240aline\u240d\u2409end")]
    [InlineData("\u001b[31mred", "\u241b[31mred")]
    [InlineData("\u009b31m", "\\x9b31m")]
    [InlineData("file\u202egpj.exe", "file\\u202egpj.exe")]
    [InlineData("a\u2066b\u2069", "a\\u2066b\\u2069")]
    [InlineData("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff")]
    [InlineData("a\u2028b", "a\\u2028b")]
    [InlineData("tag \U000e0041", "tag \\U000e0041")]
    [InlineData("\0\u007f", "\u2400\u2421")]
    [InlineData(null, "")]
    public void Shows_what_would_act_on_the_screen(string? text, string expected)
        => Assert.Equal(expected, SafeText.Line(text));

    [Fact]
    public void What_was_made_safe_stays_as_it_is_and_apart_from_a_backslash_and_a_letter()
    {
        string safe = SafeText.Line("real \n and \\n, \u202e and \u009b");

        Assert.Equal("real \u240a and \\n, \\u202e and \\x9b", safe);
        Assert.Equal(safe, SafeText.Line(safe));
    }

    [Fact]
    public void Half_a_pair_is_shown_as_an_escape() => Assert.Equal("half \\ud83d!", SafeText.Line("half \ud83d!"));

    [Fact]
    public void Cuts_long_text_with_an_ellipsis()
    {
        Assert.Equal("abc…", SafeText.Line("abcdef", 4));
        Assert.Equal("abcd", SafeText.Line("abcd", 4));
    }

    [Fact]
    public void Never_cuts_a_character_in_two() => Assert.Equal("ab…", SafeText.Line("ab🐍cd", 4));

    [Fact]
    public void Nothing_that_acts_gets_through()
    {
        for (int i = 0; i <= 0xffff; i++)
        {
            foreach (char c in SafeText.Line($"x{(char)i}y"))
            {
                Assert.False(char.IsControl(c), $"U+{i:x4}");
                Assert.NotEqual(UnicodeCategory.Format, char.GetUnicodeCategory(c));
            }
        }
    }
}
