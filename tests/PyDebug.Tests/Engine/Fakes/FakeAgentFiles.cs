using System;
using System.IO;
using PyDebug.Engine;

namespace PyDebug.Tests.Engine;

/// <summary>An agent's source that is small; the fake server does not run it.</summary>
internal sealed class FakeAgentFiles : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("pydebug-agent-").FullName;

    public FakeAgentFiles()
    {
        Write("boot.py", "boot program\n");
        Write("keeper.py", "keeper program\n");
        Write("pydebug_agent/__init__.py", "");
        Write("pydebug_agent/main.py", "def main(): pass\n");
        Write("pydebug_agent/reader/__init__.py", "");
        Write("pydebug_agent/reader/elf.py", "x = 1\n");
    }

    public AgentBundle Bundle => new(_directory);

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private void Write(string path, string text)
    {
        string full = Path.Join(_directory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
