using System;
using System.Collections.Generic;
using PyDebug.Engine;

namespace PyDebug.Tests.Engine;

/// <summary>An agent's source that is small; the fake server does not run it.</summary>
internal sealed class FakeAgentFiles
{
    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

    public FakeAgentFiles()
    {
        Write("boot.py", "boot program\n");
        Write("loader.py", "loader program\n");
        Write("keeper_boot.py", "keeper's boot\n");
        Write("keeper.py", "\"\"\"keeper\"\"\"\n\nimport a\n\n\ndef b():\n    pass\n");
        Write("pydebug_agent/__init__.py", "");
        Write("pydebug_agent/entry.py", "from . import errors\n");
        Write("pydebug_agent/errors.py", "from typing import Dict\n");
        Write("pydebug_agent/typing.py", "");
        Write("pydebug_agent/protocol/__init__.py", "");
        Write("pydebug_agent/protocol/channel.py", "import os\n");
        Write("pydebug_agent/main.py", "from .protocol.channel import (\n    Channel,\n    LARGEST,\n)\n");
        Write("pydebug_agent/target/__init__.py", "");
        Write("pydebug_agent/target/run.py", "import os\n");
        Write("pydebug_agent/reader/__init__.py", "");
        Write("pydebug_agent/reader/run.py", "def stack():\n    from . import elf\n    program(\"sent\", \"main\")\n");
        Write("pydebug_agent/reader/elf.py", "from ..errors import X  # as names\nimport keeper\n");
        Write("pydebug_agent/reader/sent.py", "x = 1\n");
        Write("pydebug_agent/reader/other.py", "x = 1\n");
        Bundle = new(new AgentSources(_files));
        Modules = new(new AgentSources(_files));
    }

    public AgentBundle Bundle { get; }

    public AgentModules Modules { get; }

    private void Write(string path, string text) => _files[path] = text;
}
