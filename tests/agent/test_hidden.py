"""Under the profile Restricted the agent is of the target's user: that user may neither read nor trace it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import tempfile
import time
import unittest
from typing import Any, Dict, List

from . import pyspy
from .driver import failures, results, wait_for
from .pod import IDLE, Pod, PodTest, as_user
from .reader_support import pythons

DEBIAN = "/usr/bin/python3"

# What one process gets of another: the error of each try, 0 where it succeeds.
TRIES = """
import ctypes, json, os, sys
pid, found = int(sys.argv[1]), {}
def tried(name, work):
    try:
        work()
        found[name] = 0
    except OSError as error:
        found[name] = error.errno
def trace():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(0x4206, pid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
def read_memory():
    libc = ctypes.CDLL(None, use_errno=True)
    into = (ctypes.c_char * 16)()
    near = (ctypes.c_void_p * 2)(ctypes.addressof(into), 16)
    # Where it may, it finds nothing at an address of ours (14).
    if libc.process_vm_readv(pid, near, 1, near, 1, 0) < 0 and ctypes.get_errno() != 14:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
for name in ("mem", "environ", "maps", "auxv"):
    tried(name, lambda: os.close(os.open("/proc/%d/%s" % (pid, name), os.O_RDONLY)))
tried("mem, to write", lambda: os.close(os.open("/proc/%d/mem" % pid, os.O_RDWR)))
for name in ("fd/0", "root", "cwd"):
    tried(name, lambda: os.stat("/proc/%d/%s" % (pid, name)))
tried("exe", lambda: os.readlink("/proc/%d/exe" % pid))
tried("trace", trace)
tried("process_vm_readv", read_memory)
print(json.dumps(found))
"""


def tries(wrap: List[str], pid: int) -> Dict[str, Any]:
    command = [*wrap, DEBIAN, "-c", TRIES, str(pid)]
    return dict(json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def processes_of(pod: Pod, words: bytes) -> List[int]:
    """Return the processes of a pod whose command has these words, but the keeper, by their numbers here."""
    found: List[int] = []
    namespace = os.readlink(f"/proc/{pod.host_pid}/ns/pid")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                ours = b"pydebug-keeper" not in (command := file.read()) and words in command
            if ours and os.readlink(f"/proc/{pid}/ns/pid") == namespace:
                found.append(int(pid))
        except OSError:
            continue
    return found


def command(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


class Hidden(PodTest):
    def check_hidden(self, pod: Pod, wrap: List[str]) -> None:
        agents = processes_of(pod, b"pydebug_agent.main")
        # The one that works, and the one that the runtime started.
        self.assertEqual(2, len(agents))
        for pid in agents:
            found = tries(wrap, pid)
            self.assertNotIn(0, found.values(), found)

    def test_a_process_of_its_user_gets_nothing_of_an_agent(self) -> None:
        user = as_user(10001)
        pod = self.pod(*user, DEBIAN, "-c", IDLE)
        keeper = pod.kept(wrap=user)
        with pod.agent(beside=keeper, wrap=user) as agent:
            self.assertEqual("H", agent.next().kind)
            # The very tries succeed where nothing is hidden: of the application, which is of that user, too.
            self.assertEqual({0}, set(tries(user, pod.host_pid).values()))
            self.check_hidden(pod, user)
            # It does its work all the same.
            frames = agent.ask("stack")
        self.assertEqual([1], sorted({entry["pid"] for entry in results(frames)}), [got.json for got in frames])

    def test_a_process_of_its_user_gets_nothing_of_the_keeper(self) -> None:
        user = as_user(10001)
        # Where the limit is known it is no interpreter that waits.
        for python, limit in itertools.product(pythons(), (0, 64 << 20)):
            with self.subTest(python=python.label, limit=limit):
                pod = self.pod(*user, DEBIAN, "-c", IDLE)
                inside = f"mount -t proc proc {python.root}/proc"
                keeper = pod.kept(
                    python=python.command[-1], setup=inside, wrap=["chroot", "--userspec=10001:10001", python.root],
                    session=f'{{"v":1,"created":{int(time.time())},"limit":{limit},"low":true}}',
                )
                wait_for(lambda at=keeper: os.stat(f"/proc/{at}/status").st_uid == 0)
                if limit:
                    wait_for(lambda at=keeper: command(at) == b'python3\0-c\0"""pydebug-keeper"""\0')
                found = tries(user, keeper)
                self.assertNotIn(0, found.values(), found)

    def test_nor_of_py_spy(self) -> None:
        binary = pyspy.real()
        if binary is None:
            self.skipTest("py-spy is missing: PYDEBUG_PYSPY, PIP_FIND_LINKS or a wheelhouse has it")
        user = as_user(10001)
        pod = self.pod(*user, DEBIAN, "-c", IDLE)
        empty = tempfile.TemporaryDirectory(prefix="pydebug-test-", dir="/var/tmp")
        self.addCleanup(empty.cleanup)
        os.chmod(empty.name, 0o1777)
        keeper = pod.kept(setup=f"mount --bind {empty.name} /tmp; mount --bind {empty.name} /var/tmp", wrap=user)
        # The second finds it where the first has left it, unreadable for its own user.
        for given in (True, False):
            with pod.agent(beside=keeper, wrap=user) as agent:
                pyspy.begin(agent, binary, mode="record", seconds=5)
                if given:
                    agent.until("N")
                    pyspy.give(agent, binary)
                (tool,) = wait_for(lambda: processes_of(pod, b"py-spy\0record"))
                found = tries(user, tool)
                self.assertNotIn(0, found.values(), found)
                answer = pyspy.answer(agent, binary)
                self.assertEqual([], failures(answer))
                self.assertFalse([got for got in answer if got.kind == "N"])

    def test_nor_of_one_that_is_root_without_the_right_to_trace(self) -> None:
        pod = self.pod()
        with pod.agent(wrap=["setpriv", "--bounding-set=-all,+sys_ptrace"]) as agent:
            self.assertEqual("H", agent.next().kind)
            self.check_hidden(pod, ["setpriv", "--bounding-set=-all"])


if __name__ == "__main__":
    unittest.main()
