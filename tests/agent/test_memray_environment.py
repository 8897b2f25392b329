"""What of a target's environment is read for a memory report, and that none of it leaves the pod."""

from __future__ import annotations

import os
import tempfile
import unittest

from .memray_support import LEAKING, ask, needs
from .memray_support import Tracked

from pydebug_agent.memray.credentials import loader_environment
from pydebug_agent.system.proc import Proc

SECRET = "canary-of-the-environment"
LOADER = "canary-of-the-loader"


class Environment(Tracked):
    def test_no_value_of_it_is_sent(self) -> None:
        python = self.newest()
        payloads = needs(python)
        target, debug = self.container(python, 10001), self.container(python)
        variables = [f"DATABASE_PASSWORD={SECRET}", f"PYTHONBREAKPOINT={LOADER}"]
        command = ["env", *variables, *target.command("-u", "-c", LEAKING, "idle")]
        running = self.start_command(command, python)
        self.assertEqual("ready", running.line())
        with debug.agent() as agent:
            answer = ask(agent, payloads, pids=[running.pid], seconds=1.0)
        self.check(answer, running)
        for frame in answer.frames:
            self.assertNotIn(SECRET.encode(), frame.payload)
            self.assertNotIn(LOADER.encode(), frame.payload)

    def test_what_the_loader_and_python_look_at_is_taken_and_nothing_else(self) -> None:
        with tempfile.TemporaryDirectory() as root:
            os.mkdir(f"{root}/7")
            with open(f"{root}/7/environ", "wb") as file:
                file.write(
                    b"DATABASE_PASSWORD=x\0LD_LIBRARY_PATH=/opt/lib\0PYTHONHOME=/opt\0PYTHONSTARTUP=/evil\0"
                    b"MALLOC_ARENA_MAX=2\0GLIBC_TUNABLES=glibc.malloc.check=3\0AWS_SECRET_ACCESS_KEY=y\0"
                )
            found = loader_environment(7, Proc(root))
        self.assertEqual(
            {"PATH", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHOME", "MALLOC_ARENA_MAX", "GLIBC_TUNABLES"}, set(found)
        )


if __name__ == "__main__":
    unittest.main()
