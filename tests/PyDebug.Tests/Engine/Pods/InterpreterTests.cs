using PyDebug.Engine;
using Xunit;

namespace PyDebug.Tests.Engine;

public sealed class InterpreterTests
{
    [Theory]
    [InlineData("", "", null, "python3 python")]
    [InlineData("/usr/bin/python3.13", "/srv/app.py", null, "/usr/bin/python3.13")]
    [InlineData("python2", "", null, "python3 python")]
    [InlineData("/opt/conda/bin/service", "", null, "/opt/conda/bin/python3 python3 python")]
    [InlineData("/usr/bin/gunicorn", "app:app", null, "python3 python")]
    [InlineData("tini|--", "/srv/venv/bin/gunicorn|-b|0.0.0.0", null, "/srv/venv/bin/python3 python3 python")]
    [InlineData(
        "sh|-c", "cd /srv && exec \"/opt/app/bin/serve\" --port 80", null, "/opt/app/bin/python3 python3 python")]
    [InlineData("service", "", "/opt/venv/bin:/usr/bin:/bin", "/opt/venv/bin/python3 python3 python")]
    [InlineData("/srv/tools/start.sh", "", "/usr/local/bin:/usr/bin", "python3 python")]
    public void A_Python_that_is_off_the_search_path_is_looked_for_beside_the_program(
        string command, string arguments, string? path, string expected)
    {
        ContainerInfo target = new()
        {
            Name = "web",
            Image = "shop/web:3",
            Command = command.Split('|', System.StringSplitOptions.RemoveEmptyEntries),
            Arguments = arguments.Split('|', System.StringSplitOptions.RemoveEmptyEntries),
            SearchPath = path,
        };
        Assert.Equal(expected.Split(' '), Interpreter.Of(target));
        Assert.All(Interpreter.Of(target), p => Assert.True(Interpreter.MayStart(p, target)));
        Assert.False(Interpreter.MayStart("/tmp/python3", target));
    }
}
