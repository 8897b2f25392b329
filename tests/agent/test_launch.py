"""Children that are somebody else.

Whatever they do instead of answering, nobody waits for them longer than was said.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import sys
import time
import unittest
from typing import Callable, Dict
from unittest import mock

from .driver import AGENT, wait_for

sys.path.insert(0, str(AGENT)) if str(AGENT) not in sys.path else None

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.launch import Heard, Credentials, launch

# What a child does that was to say one line and end.
LIES: Dict[str, str] = {
    "stays, and has closed all it could be heard by": "import os, time\nos.close(1)\nos.close(2)\ntime.sleep(600)",
    "says nothing": "import time\ntime.sleep(600)",
    "speaks without a line's end": "import os\nwhile True: os.write(1, b'x' * 4096)",
    "stands still": "import os, signal\nos.write(1, b'half')\nos.kill(os.getpid(), signal.SIGSTOP)",
    "has a child that holds on to what it is heard by":
        "import os, time\nif os.fork() == 0: time.sleep(60)\nos._exit(0)",
}
# Of wall time, where a third of a second was given.
SOON = 30.0


class Children(unittest.TestCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("to be somebody else takes root")

    def start(self, source: str) -> Heard:
        return launch(Credentials(65534, 65534, []), {"source": source}, hidden=True)

    def test_one_is_heard_where_a_thousand_files_are_open(self) -> None:
        """An agent on a whole node holds one of each process that it sees."""
        most = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most[1] != resource.RLIM_INFINITY and most[1] < 2048:
            self.skipTest(f"a process may open no more than {most[1]} files here, and 2,048 are needed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, most[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, most)
        with contextlib.ExitStack() as held:
            while held.enter_context(open(os.devnull, "rb")).fileno() < 1100:
                pass
            child = self.start("import os\nos.write(1, b'here\\n')")
            self.assertGreater(child.output, 1024)
            try:
                self.assertEqual(b"here\n", child.line(60.0, lambda: None))
                self.assertEqual(b"", child.drain(60.0, lambda: None, 10))
            finally:
                child.end()

    def test_whatever_they_do_nobody_waits_for_them(self) -> None:
        ways: Dict[str, Callable[[Heard], object]] = {
            "line": lambda child: child.line(0.3, lambda: None),
            "take": lambda child: child.take(1 << 30, 0.3, lambda: None),
            "drain": lambda child: child.drain(0.3, lambda: None, 1 << 16),
        }
        for name, source in LIES.items():
            for way, heard in ways.items():
                with self.subTest(name=name, way=way):
                    child = self.start(source)
                    began = time.monotonic()
                    said = heard(child)
                    self.assertFalse(said and way != "drain", said)
                    child.end()
                    self.assertLess(time.monotonic() - began, SOON)
                    wait_for(lambda: not os.path.exists(f"/proc/{child.pid}"))

    def test_much_is_told_where_a_pipe_holds_little(self) -> None:
        """A user with many pipes, as root has on a node, is given pipes of a page or two."""
        made = os.pipe

        def small() -> "tuple[int, int]":
            reading, writing = made()
            fcntl.fcntl(writing, 1031, 4096)  # F_SETPIPE_SZ
            return reading, writing

        with mock.patch("os.pipe", small):
            child = self.start("import os\nos.write(1, b'%d\\n')\n#" % 40_000 + "x" * 40_000)
        self.assertEqual(b"40000\n", child.line(30, lambda: None))
        child.end()

    def test_a_wait_ends_where_nobody_asks_any_more(self) -> None:
        def check() -> None:
            raise AgentError("Cancelled", "")

        child = self.start(LIES["says nothing"])
        try:
            with self.assertRaises(AgentError):
                child.line(600.0, check)
        finally:
            child.end()


if __name__ == "__main__":
    unittest.main()
