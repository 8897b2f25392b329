"""Every module of the agent loads, on each Python there is: one is sent when a question needs it, and not before."""

from __future__ import annotations

import subprocess
import sys
import unittest

from .driver import AGENT, Agent, modules, python_versions, wait_for

_LOAD = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import pydebug_agent
names = [module.name for module in pkgutil.walk_packages(pydebug_agent.__path__, "pydebug_agent.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""

# Each of these costs milliseconds and a good part of a megabyte, and stands for others that it takes along.
_HEAVY = "collections contextlib ctypes enum functools json pathlib random re socket subprocess threading".split()


class Modules(unittest.TestCase):
    def test_a_question_takes_none_of_the_large_ones_of_the_standard_library(self) -> None:
        code = "print('ready', flush=True)\nimport time\ntime.sleep(600)"
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as target:
            try:
                target.stdout.readline()
                for version, python in python_versions().items():
                    for op in ("processes", "stack"):
                        with self.subTest(version=version, op=op):
                            self.assertEqual([], sorted(self.loaded(python, op, target.pid) & set(_HEAVY)))
            finally:
                target.kill()

    def loaded(self, python: str, op: str, pid: int) -> "set[str]":
        sources = modules()
        end = "        channel.finish(code)\n"
        told = "        os.write(2, ('LOADED ' + ' '.join(sys.modules) + '\\n').encode())\n"
        sources["pydebug_agent.main"] = sources["pydebug_agent.main"].replace(end, told + end)
        # A command line of any process here may look like one with a secret, which takes more.
        sign = "any(sign in folded for sign in _SIGNS)"
        masking = sources["pydebug_agent.target.masking"]
        self.assertIn(sign, masking)
        sources["pydebug_agent.target.masking"] = masking.replace(sign, "False")
        with Agent(python, op=op, sources=sources) as agent:
            self.assertIn("R", [frame.kind for frame in agent.ask(op, pids=[pid])])
            wait_for(lambda: "LOADED" in agent.stderr)
            line = next(line for line in agent.stderr.splitlines() if line.startswith("LOADED"))
        return set(line.split())

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
