"""What a process that looks for a way out finds while a report is made of it, and what is refused to be rehearsed."""

from __future__ import annotations

import json
import os
import re
import sys
import unittest
from pathlib import Path
from typing import Any, List, Tuple

from . import pyspy
from .driver import Agent, failures
from .memray_support import GENERAL, LEAKING, ORDINARY, USER, Answer, Container, ask, dump, frames_of, named, needs
from .pod import PodTest
from .reader_support import TARGETS, Python, pythons, wait_until
from .memray_support import Tracked

from pydebug_agent.system.launch import Credentials
from pydebug_agent.memray.credentials import Interpreter


def newest(minor: int) -> Python:
    """Return a Python of the images."""
    found = [python for python in pythons() if python.minor == minor and python.root]
    if not found:
        raise unittest.SkipTest(f"the image py3{minor} is missing")
    return found[0]


EVERY = (
    ("probe", {}),
    ("processes", {}),
    ("stack", {}),
    ("tasks", {"pids": [1]}),
    ("time", {"seconds": 1.0}),
    ("pyspy", {"mode": "dump"}),
    ("pyspy", {"mode": "record", "seconds": 1.0}),
    ("get", {"path": "/proc/1/root/etc/passwd"}),
)


class Doors(PodTest):
    """A pod of two containers with roots of their own that see each other's processes."""

    def look(self, python: Python, user: int = 0, *arguments: str) -> Tuple[Answer, List[Any]]:
        payloads = needs(python)
        place, debug = Container(python, user, rights=ORDINARY), Container(python)
        self.addCleanup(place.close)
        self.addCleanup(debug.close)
        log = f"{place.folder}/up/log"
        open(log, "w", encoding="ascii").close()
        os.chmod(log, 0o666)
        source = (TARGETS / "hostile.py").read_text()
        pod = self.pod(*place.command("-u", "-c", f"import os\nos.dup2(os.open('/log', 1), 1)\n{source}", *arguments))
        wait_until(lambda: '"ready"' in Path(log).read_text(), 20)
        with pod.agent(python.command[-1], wrap=debug.prefix) as agent:
            answer = ask(agent, payloads, pids=[1], seconds=2.0, deadline=120.0)
        pod.close()
        said = [json.loads(line) for line in Path(log).read_text().splitlines()]
        self.assertEqual("is", said[0][0])
        return answer, said

    def check(self, answer: Answer, said: List[Any]) -> None:
        report = answer.only()["report"]
        self.assertGreater(named(report, "keep"), 500_000, dump(report))
        self.assertEqual(["keep", "leak"], [frame[0] for frame in frames_of(report, report["leaked"][0])][:2])
        reached = {entry[1]: entry[3] for entry in said if entry[0] == "reached"}
        # Its rehearsal is what it is itself, in its own root: it sees what that was handed, and nothing of ours.
        handed = {name for name in reached if re.match(r"fd (/memfd:pydebug-|/.*/#\d+ \(deleted\)$)", name)}
        self.assertEqual([], sorted(set(reached) - handed)[:20])
        self.assertTrue(any("_memray" in name for name in handed), "it did not look when the rehearsal was there")
        # It may write its captures, that of the rehearsal and its own, which has no name.
        written = {re.sub(r"/.*/#\d+ ", "/#0 ", name) for name in reached if reached[name]}
        self.assertEqual(set(), written - {"fd /memfd:pydebug-trial (deleted)", "fd /#0 (deleted)"})
        self.assertIn("fd /memfd:pydebug-trial (deleted)", written)

    def test_root_without_a_capability_reaches_the_payload_and_nothing_else(self) -> None:
        answer, said = self.look(newest(13), 0, "drop")
        self.assertEqual([0, 0], said[0][1:])
        self.check(answer, said)

    def test_root_with_what_containers_have_reaches_no_more(self) -> None:
        answer, said = self.look(newest(14))
        self.assertTrue(said[0][2] & 2, "it has not the right to pass by the rights of files")
        self.check(answer, said)

    def test_a_user_reaches_no_more(self) -> None:
        answer, said = self.look(newest(11), USER)
        self.assertEqual([USER, 0], said[0][1:])
        self.check(answer, said)


class EveryQuestion(PodTest):
    """The same target, while all else is asked of it: no child of those questions is the target's user."""

    def test_it_reaches_nothing_of_what_answers(self) -> None:
        python = newest(13)
        place, debug = Container(python, 0, rights=ORDINARY), Container(python)
        self.addCleanup(place.close)
        self.addCleanup(debug.close)
        log = f"{place.folder}/up/log"
        open(log, "w", encoding="ascii").close()
        source = (TARGETS / "hostile.py").read_text()
        pod = self.pod(
            *place.command("-u", "-c", f"import os\nos.nice(10)\nos.dup2(os.open('/log', 1), 1)\n{source}", "trace"))
        wait_until(lambda: '"ready"' in Path(log).read_text(), 60)
        pod.settled(pod.keeper(python.command[-1], wrap=debug.prefix))
        binary = pyspy.real()
        for op, parameters in EVERY:
            with self.subTest(op=op), pod.agent(python.command[-1], wrap=debug.prefix) as agent:
                if op == "pyspy":
                    if binary is None:
                        self.skipTest("py-spy is missing")
                    frames = pyspy.ask(agent, binary, pids=[1], **parameters)
                else:
                    frames = agent.ask(op, **parameters)
                causes = [failure["cause"] for failure in failures(frames)]
                self.assertEqual(["AsyncioNotLoaded"] if op == "tasks" else [], causes)
                self.assertTrue(causes or [got for got in frames if got.kind == "R"], op)
        pod.close()
        said = [json.loads(line) for line in Path(log).read_text().splitlines()]
        self.assertEqual([], [entry for entry in said if entry[0] in ("reached", "traced")][:20])


class Reader(Tracked):
    """What reads a capture, which is the target's to write."""

    WHAT_IT_IS = """
import sys, time
print(["site" in sys.modules, [name for name in sys.path if "-packages" in name or name == "/tmp"]], flush=True)
time.sleep(60)
"""

    def test_it_is_the_targets_user_without_rights_files_and_packages_of_the_image(self) -> None:
        python = self.newest()
        for root, credentials in ((None, Credentials(USER, USER, [])), (python.root, Credentials(USER, USER, []))):
            path = os.path.realpath(sys.executable) if root is None else python.command[-1]
            with self.subTest(root=root), open("/etc/passwd", "rb"):
                reader = Interpreter("own", path, root, credentials, {"PYTHONPATH": "/tmp"}, []).run(
                    self.WHAT_IT_IS, (), True)
                try:
                    said = reader.line(30.0, lambda: None)
                    with open(f"/proc/{reader.pid}/status", encoding="ascii", errors="replace") as file:
                        status = dict(line.split(":", 1) for line in file.read().splitlines())
                    held = sorted(os.listdir(f"/proc/{reader.pid}/fd"))
                    self.assertEqual(b"[False, []]\n", said, reader.words())
                finally:
                    reader.end()
                self.assertEqual([str(USER)] * 4, status["Uid"].split())
                self.assertEqual({0}, {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")})
                self.assertEqual(("1", ["0", "1", "2"]), (status["NoNewPrivs"].strip(), held))


class Refused(Tracked):
    def setUp(self) -> None:
        self.python = self.newest()
        self.payloads = needs(self.python)
        self.place = self.container(self.python)

    def refused(self, source: str, *arguments: str, prefix: Any = GENERAL, wrap: Any = ()) -> Any:
        command = self.place.command("-u", "-c", source, *arguments)
        running = self.start_command([*wrap, *command], self.python)
        self.assertEqual("ready", running.line())
        with Agent(prefix=prefix) as agent:
            answer = ask(agent, self.payloads, pids=[running.pid], seconds=1)
        self.assertEqual(1, len(answer.failures), (answer.results, answer.failures))
        self.assertIsNone(running.process.poll(), "the target ended")
        with open(f"/proc/{running.pid}/maps", encoding="utf-8") as file:
            self.assertNotIn("memray", file.read())
        return answer.failures[0]

    def test_a_filter_of_its_own_that_kills_for_what_was_rehearsed(self) -> None:
        failure = self.refused(_FILTERED + LEAKING, "idle")
        self.assertEqual(("MemrayUnsafe", "seccomp"), (failure["cause"], failure["detail"]["reason"]))
        self.assertEqual("own", failure["detail"]["container"])

    def test_a_filter_of_one_thread(self) -> None:
        failure = self.refused(
            "import threading\ndef own():\n"
            + "".join(f"    {line}\n" for line in _FILTERED.splitlines())
            + "    import time\n    time.sleep(600)\nthreading.Thread(target=own, daemon=True).start()\n"
            "import time\ntime.sleep(0.3)\n" + LEAKING,
            "idle",
        )
        self.assertEqual("seccomp", failure["detail"]["reason"])

    def test_a_privileged_session(self) -> None:
        failure = self.refused(LEAKING, "idle", prefix=[])
        self.assertEqual(("MemrayUnsafe", "privileged"), (failure["cause"], failure["detail"]["reason"]))

    def test_a_network_of_its_own(self) -> None:
        failure = self.refused(LEAKING, "idle", wrap=["unshare", "--net"])
        self.assertEqual(("MemrayUnsafe", "network"), (failure["cause"], failure["detail"]["reason"]))

    def test_limits_that_leave_no_room(self) -> None:
        for kind, limit, cause, reason in (
            ("FSIZE", "1 << 20", "MemrayUnsafe", "limits"),
            ("NOFILE", "len(os.listdir('/proc/self/fd')) + 8", "MemrayUnsafe", "limits"),
            ("AS", "int(open('/proc/self/statm').read().split()[0]) * 4096 + (6 << 20)", "MemrayRehearsal", "failed"),
        ):
            with self.subTest(kind=kind):
                source = f"import os, resource\nresource.setrlimit(resource.RLIMIT_{kind}, ({limit},) * 2)\n"
                failure = self.refused(source + "import time\nprint('\"ready\"', flush=True)\ntime.sleep(600)")
                self.assertEqual((cause, reason), (failure["cause"], failure["detail"].get("reason")), failure)


# A filter that lets everything happen but socket(), for which it kills.
_FILTERED = """
import ctypes, struct
_steps = b"".join(struct.pack("<HBBI", *step) for step in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 41), (0x06, 0, 0, 0x80000000), (0x06, 0, 0, 0x7FFF0000)))
_program = ctypes.create_string_buffer(_steps)
_head = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", 4, ctypes.addressof(_program)))
_libc = ctypes.CDLL(None, use_errno=True)
assert _libc.prctl(38, 1, 0, 0, 0) == 0 and _libc.prctl(22, 2, _head, 0, 0) == 0, ctypes.get_errno()
"""


if __name__ == "__main__":
    unittest.main()
