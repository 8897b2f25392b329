"""Every module of the agent loads, on each Python there is: one is sent when a question needs it, and not before."""

from __future__ import annotations

import subprocess
import unittest

from .driver import AGENT, python_versions

_LOAD = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import pydebug_agent
names = [module.name for module in pkgutil.walk_packages(pydebug_agent.__path__, "pydebug_agent.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


class Modules(unittest.TestCase):
    def test_each_is_there_with_all_it_imports(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version):
                loaded = subprocess.run(
                    [python, "-I", "-S", "-B", "-c", _LOAD, str(AGENT)], capture_output=True, text=True, timeout=120
                )
                self.assertEqual("", loaded.stderr)
                self.assertGreater(int(loaded.stdout), 100)


if __name__ == "__main__":
    unittest.main()
