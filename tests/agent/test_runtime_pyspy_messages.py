"""What the agent makes of the messages that py-spy 0.4.3 really printed."""

from __future__ import annotations

import os
import subprocess
import sys
import unittest
from typing import List, Optional

from .driver import AGENT

sys.path.insert(0, str(AGENT))

from pydebug_agent.pyspy import messages as messages
from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc

SAID = AGENT.parents[1] / "tests/PyDebug.Tests/Fixtures/py-spy-0.4.3"
OLD = 3600.0


def said(name: str) -> List[str]:
    """Both streams of a kept run, as the agent reads them."""
    lines: List[str] = []
    for stream in ("stdout", "stderr"):
        file = SAID / f"{name}.{stream}"
        if file.exists():
            lines += messages.clean(file.read_bytes())
    return lines


class Failures(unittest.TestCase):
    def failure(self, lines: List[str], pid: Optional[int] = None, code: int = 1, age: float = OLD) -> AgentError:
        error = messages.failure(pid or os.getpid(), code, lines, Proc(), age)
        for text in (error.message, *error.detail.get("messages", [])):
            for never in ("sudo", "elevated", "Stack backtrace", "anyhow", "\x1b"):
                self.assertNotIn(never, text)
        return error

    def test_each_kept_failure_has_its_cause(self) -> None:
        expected = {
            "errors/no-ptrace-capability": "PtraceDenied",
            "errors/no-ptrace-other-uid": "PtraceDenied",
            "errors/not-python": "NoPython",
            "errors/disk-full": "DiskFull",
            "errors/bad-output-path": "ToolFailed",
            "errors/read-only-output": "ToolFailed",
            "errors/top-not-a-tty": "ToolFailed",
            "errors/unknown-option": "ToolFailed",
            "cpython3.15.2/dump-json-native": "ToolFailed",
        }
        for name, cause in expected.items():
            with self.subTest(name=name):
                lines = said(name)
                self.assertTrue(lines)
                self.assertEqual(cause, self.failure(lines).cause)

    def test_a_process_that_is_gone(self) -> None:
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait(30)
        self.assertEqual("ProcessGone", self.failure(said("errors/no-such-process"), gone.pid).cause)

    def test_a_python_that_starts_is_not_called_none(self) -> None:
        self.assertEqual("PythonStarting", self.failure(said("errors/not-python"), age=0.5).cause)

    def test_native_frames_that_cannot_be_followed_name_the_way_out(self) -> None:
        error = self.failure(said("cpython3.15.2/dump-json-native"))
        self.assertIn("without them it can", error.message)

    def test_a_python_that_is_there_for_certain_is_not_called_none(self) -> None:
        error = messages.failure(os.getpid(), 1, said("errors/not-python"), Proc(), OLD, "3.13.5")
        self.assertEqual(("ToolFailed", "unread"), (error.cause, error.detail["reason"]))
        self.assertRegex(error.message, r"^py-spy cannot read the Python 3\.13\.5 of process \d+ \(.+\)\.$")

    def test_what_it_said_stays_with_the_failure(self) -> None:
        error = self.failure(said("errors/bad-output-path"))
        self.assertIn("No such file or directory", error.message)
        self.assertEqual(1, error.detail["exit"])

    def test_a_signal_is_named(self) -> None:
        self.assertIn("signal 9", self.failure([], code=-9).message)


class Recordings(unittest.TestCase):
    def test_samples_and_errors_are_counted(self) -> None:
        self.assertEqual((154, 0), messages.counts(said("errors/sigint-record")))
        self.assertEqual((84, 0), messages.counts(said("errors/target-exits")))
        self.assertEqual((None, None), messages.counts(said("errors/disk-full")))

    def test_an_exit_of_the_target_is_told(self) -> None:
        self.assertIn(messages.EXITED, "\n".join(said("errors/target-exits")))
        self.assertNotIn(messages.EXITED, "\n".join(said("errors/sigint-record")))

    def test_a_good_recording_has_nothing_unusual(self) -> None:
        lines = said("cpython3.13.5/record-speedscope")
        self.assertTrue(lines)
        self.assertEqual([], [line for line in messages.unusual(lines) if "Samples:" not in line])

    def test_how_far_it_fell_behind(self) -> None:
        raw = b"py-spy> 1.02s behind in sampling, results may be inaccurate. Try reducing the sampling rate\r" \
              b"py-spy> 2.50s behind in sampling, results may be inaccurate. Try reducing the sampling rate\r" \
              b"py-spy> 1.70s behind in sampling, results may be inaccurate. Try reducing the sampling rate\n"
        self.assertEqual(2.5, messages.behind(messages.clean(raw)))
        self.assertIsNone(messages.behind(said("errors/sigint-record")))


class Cleaning(unittest.TestCase):
    def test_escape_sequences_and_endless_lines_are_cut(self) -> None:
        lines = messages.clean(b"py-spy> \x1b[31mred\x1b[0m\x07\n" + b"x" * 100_000)
        self.assertEqual("red", lines[0])
        self.assertLessEqual(len(lines[1]), 400)

    def test_what_is_said_again_and_again_is_said_once(self) -> None:
        self.assertEqual(["behind", "other", "behind"], messages.clean(b"behind\nbehind\n\nbehind\nother\nbehind\n"))

    def test_many_lines_keep_both_ends(self) -> None:
        lines = messages.clean("\n".join(f"line {n}" for n in range(1000)).encode())
        self.assertEqual(("line 0", "line 999"), (lines[0], lines[-1]))
        self.assertLessEqual(len(lines), 40)


if __name__ == "__main__":
    unittest.main()
