"""What one agent compiled and kept, as the next one takes it; and whatever else lies there, which it does not."""

from __future__ import annotations

import hashlib
import marshal
import os
import tempfile
import unittest
from typing import Any, Dict, List
from unittest import mock

from .driver import Agent, Frame, python_versions, results, start_up

from pydebug_agent.system import kept_code
from pydebug_agent.system.proc import Proc


def told_by(frames: List[Frame]) -> Dict[str, Any]:
    """Return what an agent said that it kept."""
    return next(frame.json for frame in frames if frame.kind == "M")


def remove(path: str) -> None:
    """Remove a file, which later agents may have removed already."""
    if os.path.exists(path):
        os.unlink(path)


class KeptCode(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.place = directory.name

    def first(self, **options: Any) -> Dict[str, Any]:
        """Have an agent keep its code; return what it told, with a copy of the file that is ours to change."""
        with Agent(op="probe", **options) as agent:
            told = told_by(agent.ask("probe", keep=True))
        self.addCleanup(remove, told["path"])
        self.assertEqual(0o600, os.stat(told["path"]).st_mode & 0o777)
        return told

    def refused(self, told: Dict[str, Any]) -> None:
        """An agent that lacks what it is to have says so first, does nothing, and goes."""
        with Agent(op="probe", kept=told) as agent:
            agent.request("probe")
            frame = agent.next()
            self.assertEqual(("M", {"missing": True}), (frame.kind, frame.json))
            agent.process.stdin.close()
            self.assertEqual(1, agent.process.wait(30))

    def copy(self, told: Dict[str, Any], content: bytes) -> Dict[str, Any]:
        path = os.path.join(self.place, "code")
        with open(path, "wb") as file:
            file.write(content)
        return {**told, "path": path}

    def test_the_next_agent_compiles_none_of_it_on_any_python(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version):
                told = self.first(python=python)
                self.assertIn("pydebug_agent.main", told["modules"])
                self.assertLess(len(start_up(op="probe", kept=told)), len(start_up(op="probe")) // 4)
                with Agent(op="probe", python=python, kept=told) as agent:
                    frames = agent.ask("probe", keep=True)
                self.assertEqual(["H", "R", "T"], [frame.kind for frame in frames])
                self.assertEqual("probe", results(frames)[0]["kind"])

    def test_another_question_adds_only_what_is_its_own(self) -> None:
        told = self.first()
        with Agent(op="processes", kept=told) as agent:
            more = [frame.json for frame in agent.ask("processes", keep=True) if frame.kind == "M"]
        for other in more:
            self.addCleanup(remove, other["path"])
            self.assertEqual(set(), set(other["modules"]) & set(told["modules"]))

    def test_nothing_is_kept_unless_the_client_asks(self) -> None:
        with Agent(op="probe") as agent:
            self.assertEqual(["H", "R", "T"], [frame.kind for frame in agent.ask("probe")])

    def test_what_was_planted_is_never_run(self) -> None:
        told = self.first()
        with open(told["path"], "rb") as file:
            content = file.read()
        mark = os.path.join(self.place, "ran")
        evil = marshal.dumps(compile(f"open({mark!r}, 'w').close()", "evil", "exec"))
        planted = b"pydebug_agent.entry %d\n%s" % (len(evil), evil)
        for what in (
            planted, planted + content, content + planted, content[:-1], content[:-1] + bytes([content[-1] ^ 1]), b""):
            with self.subTest(size=len(what)):
                self.refused(self.copy(told, what))
                self.assertFalse(os.path.exists(mark))
        # With the right hash it would have run: what is tried here is what would do harm.
        good = {**self.copy(told, planted), "size": len(planted), "sha256": hashlib.sha256(planted).hexdigest()}
        with Agent(op="probe", kept={**good, "modules": ["pydebug_agent.entry"]}) as agent:
            agent.process.stdin.close()
            agent.process.wait(30)
        self.assertTrue(os.path.exists(mark))

    def test_what_is_no_file_holds_nobody_up(self) -> None:
        told = self.first()
        pipe, link = os.path.join(self.place, "pipe"), os.path.join(self.place, "link")
        os.mkfifo(pipe)
        os.symlink(told["path"], link)
        for path in (pipe, link, self.place, "/dev/zero", "/proc/kmsg", os.path.join(self.place, "gone")):
            with self.subTest(path=path):
                self.refused({**told, "path": path})

    def test_another_interpreters_code_is_not_taken(self) -> None:
        told = self.first()
        self.refused({**told, "magic": "0000000a"})

    def test_no_more_than_so_many_files_are_kept_and_the_oldest_goes(self) -> None:
        proc = Proc()
        folder = os.open(self.place, os.O_RDONLY)
        main = mock.Mock(compiled=[("x", compile("1", "x", "exec"))], hasher=lambda: hashlib.sha256, MAGIC="00")
        with mock.patch.object(kept_code, "private_directory", lambda _: os.dup(folder)), \
                mock.patch.object(kept_code, "writable_directory", lambda _: self.place), \
                mock.patch.dict("sys.modules", {"__main__": main}):
            for number in range(30):
                told = kept_code.keep(proc)
                self.assertIsNotNone(told)
                name = os.path.basename(told["path"])
                os.utime(os.path.join(self.place, name), (number, number))
        os.close(folder)
        left = [os.stat(os.path.join(self.place, name)).st_mtime for name in os.listdir(self.place)]
        self.assertEqual(list(range(14, 30)), sorted(left))


if __name__ == "__main__":
    unittest.main()
