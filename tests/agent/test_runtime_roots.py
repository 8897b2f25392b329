"""Which processes are the target container's, where those of several containers are in sight."""

from __future__ import annotations

import os
import sys
import unittest
from typing import Any, Dict, List, NamedTuple, Optional

from .driver import AGENT

sys.path.insert(0, str(AGENT)) if str(AGENT) not in sys.path else None

from pydebug_agent.system.errors import AgentError
from pydebug_agent.target.processes import check_container
from pydebug_agent.target.containers import Containers

A, B, DEBUG, PAUSE = ("a1" * 32, "b2" * 32, "d3" * 32, "e4" * 32)
KEEPER = [b"python3", b"-I", b"-S", b"-B", b"-c", b'"""pydebug-keeper: holds']
AGENT_LINE = [b"python3", b"-I", b"-S", b"-B", b"-c", b"sys.meta_path pydebug_agent.main"]


class Entry(NamedTuple):
    """A process as /proc has it; a mount namespace of None may not be read."""

    mount: Optional[str]
    group: str
    command: List[bytes] = [b"python3", b"app.py"]


class FakeProc:
    """As much of Proc as Containers looks at."""

    def __init__(self, entries: Dict[int, Entry]) -> None:
        self._entries = dict(entries)
        self._entries[os.getpid()] = Entry("debug", group(DEBUG), AGENT_LINE)

    def _entry(self, pid: Any) -> Entry:
        try:
            return self._entries[os.getpid() if pid == "self" else pid]
        except KeyError:
            raise FileNotFoundError(pid) from None

    def pids(self) -> List[int]:
        return sorted(self._entries)

    def link(self, pid: Any, *names: str) -> str:
        mount = self._entry(pid).mount
        if mount is None:
            raise PermissionError(pid)
        return mount

    def text(self, pid: Any, name: str, limit: int = 0) -> str:
        return f"0::{self._entry(pid).group}\n" if name == "cgroup" else "python3"

    def read(self, pid: Any, name: str, limit: int = 0) -> bytes:
        return b"\0".join(self._entry(pid).command) + b"\0"


def group(identifier: str) -> str:
    return f"/kubepods.slice/pod1.slice/cri-containerd-{identifier}.scope"


def shared(readable: bool = True, told: bool = True) -> Dict[int, Entry]:
    """A pod whose containers share their processes: pause, two applications, the keeper."""

    def mount(name: str) -> Optional[str]:
        return name if readable else None

    def place(identifier: str) -> str:
        return group(identifier) if told else "/"

    return {
        1: Entry(mount("pause"), place(PAUSE), [b"/pause"]),
        10: Entry(mount("a"), place(A)),
        11: Entry(mount("a"), place(A) + "/nested"),
        20: Entry(mount("b"), place(B)),
        30: Entry("debug", group(DEBUG) if told else "/", KEEPER),
    }


def alone() -> Dict[int, Entry]:
    """A target that has its process namespace to itself, with another debugger's container in it."""
    return {
        1: Entry("a", group(A)),
        5: Entry("a", group(A)),
        20: Entry("b", group(B)),
        30: Entry("debug", group(DEBUG), KEEPER),
    }


def places(entries: Dict[int, Entry], target: Optional[str], is_shared: bool) -> Dict[int, Optional[bool]]:
    containers = Containers(FakeProc(entries), target, is_shared)
    return {pid: containers.in_target(pid) for pid in entries}


class Places(unittest.TestCase):
    def test_with_shared_processes_the_id_decides(self) -> None:
        for readable in (True, False):
            with self.subTest(readable=readable):
                self.assertEqual(
                    {1: False, 10: True, 11: True, 20: False, 30: False}, places(shared(readable), A, True)
                )
                self.assertEqual(
                    {1: False, 10: False, 11: False, 20: True, 30: False}, places(shared(readable), B, True)
                )

    def test_with_shared_processes_and_nothing_that_tells_nobody_is_the_targets(self) -> None:
        for target in (A, None, "", "aaaa"):
            with self.subTest(target=target):
                entries = shared(told=False)
                containers = Containers(FakeProc(entries), target, True)
                self.assertFalse(containers.told_apart)
                self.assertEqual([None, None, None, False], [containers.in_target(pid) for pid in (1, 10, 20, 30)])

    def test_a_target_that_was_started_again_is_not_seen(self) -> None:
        containers = Containers(FakeProc(shared()), "f5" * 32, True)
        self.assertTrue(containers.told_apart)
        self.assertFalse(containers.target_visible())

    def test_a_node_whose_processes_are_all_in_sight(self) -> None:
        entries = shared()
        entries[1] = Entry("host", "/init.scope", [b"/sbin/init"])
        entries[2] = Entry("host", "/system.slice/unattended-upgrades.service")
        self.assertEqual({1: False, 2: False, 10: True, 11: True, 20: False, 30: False}, places(entries, A, True))

    def test_a_target_alone_is_told_by_id_and_without_one_by_its_first_process(self) -> None:
        for target in (A, None, "0f" * 32):
            with self.subTest(target=target):
                self.assertEqual({1: True, 5: True, 20: False, 30: False}, places(alone(), target, False))

    def test_what_a_process_says_of_itself_decides_nothing(self) -> None:
        for command in (KEEPER, AGENT_LINE, [b"/pause"]):
            with self.subTest(command=command[-1]):
                entries = shared()
                entries[10] = Entry("a", group(A), command)
                entries[20] = Entry("b", group(B), command)
                self.assertEqual({1: False, 10: True, 11: True, 20: False, 30: False}, places(entries, A, True))
                lonely = alone()
                lonely[1] = Entry("a", group(A), command)
                self.assertEqual({1: True, 5: True, 20: False, 30: False}, places(lonely, A, False))

    def test_a_process_of_another_container_is_refused_by_name(self) -> None:
        containers = Containers(FakeProc(shared()), A, True)
        check_container(containers, 10)
        for pid, cause in ((20, "ProcessOutside"), (1, "ProcessOutside"), (30, "BadRequest")):
            with self.subTest(pid=pid), self.assertRaises(AgentError) as raised:
                check_container(containers, pid)
            self.assertEqual((cause, pid), (raised.exception.cause, raised.exception.pid))


if __name__ == "__main__":
    unittest.main()
