using System.IO;
using System.Linq;
using PyDebug.Profiles;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class CollapsedTests
{
    [Fact]
    public void Names_with_separators_spaces_and_digits_at_their_end_stay_whole()
    {
        StackProfile profile = Read(Fixture.Text("cases/collapsed-semicolon-names.txt"));

        Assert.Equal(100, profile.Samples.Sum(s => s.Value));
        Assert.Equal([40.0, 25, 20, 10, 5], profile.Samples.Select(s => s.Value));
        Assert.Equal(
            ["spin", "render; part 2", "<module>"], profile.Samples[0].Frames.Select(f => f.Name));
        Assert.Equal(("/srv/svc;blue/views.py", 10), (profile.Samples[0].Frames[1].FileName, profile.Samples[0].Frames[1].Line));
        Assert.Equal("count 12", profile.Samples[1].Frames[0].Name);
        Assert.Equal(("operator()", "lib.so"), (profile.Samples[4].Frames[0].Name, profile.Samples[4].Frames[0].FileName));
    }

    [Fact]
    public void What_is_exported_has_the_same_number_of_frames_for_every_reader()
    {
        StackProfile profile = Read(Fixture.Text("cases/collapsed-semicolon-names.txt"));
        StringWriter writer = new();

        int changed = CollapsedWriter.Write(writer, [profile]);

        string[] lines = writer.ToString().Split('\n', System.StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(profile.Samples.Select(s => s.Frames.Count), lines.Select(l => l.Split(';').Length));
        Assert.Equal(1, changed);
        Assert.Equal(
            profile.Samples.Select(s => (s.Frames.Count, s.Value)),
            Read(writer.ToString()).Samples.Select(s => (s.Frames.Count, s.Value)));
    }

    [Fact]
    public void A_raw_recording_of_py_spy_is_read()
    {
        StackProfile profile = Read(Fixture.Text("py-spy-0.4.3/cpython3.13.5/record-raw.out"));

        Assert.Equal(175, profile.Samples.Sum(s => s.Value));
        Assert.Equal(26, profile.Samples.Max(s => s.Frames.Count));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a;b")]
    [InlineData("a;b x")]
    [InlineData("a;b -3")]
    [InlineData("a;b NaN")]
    public void A_file_of_another_kind_is_refused(string text)
        => Assert.Throws<InvalidDataException>(() => Read(text));

    private static StackProfile Read(string text) => CollapsedReader.Read(new StringReader(text), new StackProfile());
}
