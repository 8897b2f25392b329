using PyDebug.Internal;
using Xunit;

namespace PyDebug.Tests.Profiles;

public sealed class FrameTextTests
{
    /// <summary>As the pictures, which paint the library pale: Fedora and RHEL have it in lib64.</summary>
    [Theory]
    [InlineData("/usr/lib64/python3.12/threading.py")]
    [InlineData("/usr/lib/python3.13/threading.py")]
    [InlineData("/opt/venv/lib/python3.11/site-packages/flask/app.py")]
    [InlineData("/usr/lib/python3/dist-packages/yaml/loader.py")]
    [InlineData("/usr/lib/python313.zip/threading.py")]
    [InlineData("<frozen importlib._bootstrap>")]
    [InlineData("<string>")]
    public void Beside_a_frame_of_the_library_stands_the_applications_innermost(string file)
    {
        StackFrame[] frames =
        [
            new() { Name = "wait", FileName = file, Line = 5 },
            new() { Name = "inner", FileName = file, Line = 6 },
            new() { Name = "work", FileName = "/srv/app.py", Line = 3 },
        ];
        Assert.EndsWith(" < … < work (app.py:3)", FrameText.Innermost(frames));
        Assert.EndsWith(" < … < work (app.py:3)", FrameText.Joined(frames));
    }

    [Theory]
    [InlineData("/srv/lib/pythonic/app.py")]
    [InlineData("/srv/app/main.py")]
    public void A_frame_of_the_application_stands_alone(string file)
        => Assert.Equal("work (" + file[(file.LastIndexOf('/') + 1)..] + ":3)", FrameText.Innermost(
        [
            new() { Name = "work", FileName = file, Line = 3 },
            new() { Name = "main", FileName = "/srv/run.py", Line = 9 },
        ]));
}
