"""What a mark proves of a thread: that it has not run since."""

from __future__ import annotations

import subprocess
import sys
import unittest
from typing import Any, Optional

from .driver import AGENT, wait_for

sys.path.insert(0, str(AGENT))

from pydebug_agent.reader.thread_state import Mark, Prover
from pydebug_agent.system.proc import Proc

ANSWERS = "import sys\nfor line in sys.stdin: sys.stdout.write(line); sys.stdout.flush()"


class Marks(unittest.TestCase):
    def test_who_ran_since_is_told_from_who_waits_on(self) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", ANSWERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        prover = Prover(Proc(), process.pid)
        self.ask(process)
        waiting: Mark = wait_for(lambda: self.reading(prover, process.pid), 60)
        self.addCleanup(prover.drop, waiting)
        self.assertTrue(prover.held(waiting))
        self.assertTrue(prover.held(waiting), "it can be asked again")

        self.ask(process)
        self.assertFalse(prover.held(waiting))

    def reading(self, prover: Prover, pid: int) -> Optional[Mark]:
        """Return a mark of the process where it waits for a line, and no other."""
        mark = prover.mark(pid)
        if mark is None or mark.syscall is None or mark.syscall.split()[1:2] == [b"0x0"]:
            return mark
        prover.drop(mark)
        return None

    def ask(self, process: Any) -> None:
        process.stdin.write("on\n")
        self.assertEqual("on\n", process.stdout.readline())


if __name__ == "__main__":
    unittest.main()
