"""How a run of bpftrace begins, ends and is handed over, with a stand-in for it that does what each test needs."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from typing import Any, Dict, List

from .driver import Agent, Frame, alive, failures, modules, results, wait_for
from .pod import IDLE, Pod, PodTest

DEBIAN = "/usr/bin/python3"
ATTACHED = "echo '{\"type\": \"attached_probes\", \"data\": {\"probes\": 1}}'\n"
PRINTED = '{"type": "printf", "data": "x"}\n'
MAP = '{"type": "map", "data": {"@": 5}}\n'
WORKS = ATTACHED + f"echo '{PRINTED.strip()}'\n"
STAYS = "while :; do sleep 0.05; done\n"
ENDS_WITH_MAPS = f"trap 'echo \"$map\"; exit 0' INT\nmap='{MAP.strip()}'\n"


class Runs(PodTest):
    def begun(self, body: str, seconds: float = 1.0, sources: Any = None, **parameters: Any) -> "tuple[Pod, Agent]":
        """Start a run in a pod whose debug container has the stand-in as its bpftrace."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "bpftrace")
        with open(path, "w", encoding="utf-8") as file:
            file.write('#!/bin/sh\n[ "$1" = --version ] && echo "bpftrace v0.23.2" && exit 0\n' + body)
        os.chmod(path, 0o755)
        pod = self.pod(DEBIAN, "-c", IDLE)
        self.keeper = pod.kept(setup=f"mount -t tmpfs tmpfs /usr/local/bin && cp {path} /usr/local/bin/bpftrace")
        agent = pod.agent(beside=self.keeper, **({"sources": sources} if sources else {}))
        self.addCleanup(agent.__exit__)
        program: Dict[str, Any] = {"parts": ["BEGIN { @ = 5; }"], "probes": ["begin"], "seconds": seconds, **parameters}
        agent.request("bpftrace", **program)
        return pod, agent

    def run_of(self, body: str, **parameters: Any) -> "tuple[List[Frame], Dict[str, Any]]":
        _, agent = self.begun(body, **parameters)
        frames = agent.finish()
        self.assertEqual([], failures(frames))
        return frames, results(frames, "bpftraceEnd")[0]

    def printed(self, frames: List[Frame]) -> str:
        return b"".join(got.payload for got in frames if got.kind == "F").decode()

    def test_the_clock_ends_it_and_its_maps_arrive(self) -> None:
        frames, end = self.run_of(ENDS_WITH_MAPS + WORKS + STAYS)
        self.assertEqual(("clock", 0, False, True), (end["ended"], end["exit"], end["killed"], end["attached"]))
        self.assertAlmostEqual(1.0, end["seconds"], delta=0.7)
        self.assertTrue(self.printed(frames).endswith(PRINTED + MAP), self.printed(frames))

    def test_the_clock_starts_when_it_is_attached(self) -> None:
        _, end = self.run_of(ENDS_WITH_MAPS + "sleep 2\n" + WORKS + STAYS)
        self.assertLess(end["seconds"], 1.9)

    def test_it_may_end_by_itself(self) -> None:
        frames, end = self.run_of(WORKS + f"echo '{MAP.strip()}'\n", seconds=60)
        self.assertEqual(("tool", 0), (end["ended"], end["exit"]))
        self.assertIn(MAP, self.printed(frames))

    def test_what_it_says_comes_along(self) -> None:
        _, end = self.run_of("echo 'stdin:1:1-5: ERROR: no' >&2; exit 3\n", seconds=60)
        self.assertEqual((3, False, "stdin:1:1-5: ERROR: no\n"), (end["exit"], end["attached"], end["messages"]))

    def test_a_message_that_comes_again_and_again_comes_once_with_its_number(self) -> None:
        says = 'i=0; while [ $i -lt 3000 ]; do echo "stdin:1:2-3: WARNING: careful" >&2; i=$((i+1)); done\n'
        _, end = self.run_of(WORKS + says + "echo 'other: WARNING: once' >&2\n", seconds=60)
        self.assertEqual("stdin:1:2-3: WARNING: careful\nother: WARNING: once\n", end["messages"])
        self.assertEqual({"stdin:1:2-3: WARNING: careful": 3000}, end["messagesRepeated"])
        self.assertEqual(0, end["messagesDropped"])

    def test_messages_that_do_not_fit_are_counted(self) -> None:
        _, end = self.run_of(WORKS + "head -c 200000 /dev/zero | tr '\\0' x >&2\necho >&2\n", seconds=60)
        self.assertEqual(200001, len(end["messages"]) + end["messagesDropped"])
        self.assertLessEqual(len(end["messages"]), 1 << 16)

    def test_reads_are_checked_where_that_is_asked_for_and_keys_that_are_missing_are_no_news(self) -> None:
        missed = (
            '{"type": "helper_error", "msg": "none", "helper": "map_lookup_elem", "retcode": 0, '
            '"line": 1, "col": 2}'
        )
        body = f"echo \"$*\" >&2\n{WORKS}echo '{missed}'\necho '{PRINTED.strip()}'\n"
        frames, end = self.run_of(body, seconds=60, checks=True)
        self.assertRegex(end["messages"], "-B line -k -- ")
        self.assertEqual(2, self.printed(frames).count(PRINTED))
        self.assertNotIn("map_lookup_elem", self.printed(frames))
        frames, end = self.run_of(body, seconds=60)
        self.assertRegex(end["messages"], "-B line -- ")
        self.assertIn("map_lookup_elem", self.printed(frames))

    def test_more_than_was_allowed_ends_it_at_the_end_of_a_line(self) -> None:
        body = ATTACHED + f"echo '{(PRINTED * 9).strip()}'\n" + STAYS
        frames, end = self.run_of(body, seconds=60, maximumBytes=200)
        self.assertEqual("bytes", end["ended"])
        self.assertLessEqual(len(self.printed(frames)), 200)
        self.assertTrue(self.printed(frames).endswith(PRINTED))

    def test_one_that_does_not_end_is_killed_and_that_is_told(self) -> None:
        sources = modules()
        name = "pydebug_agent.bpftrace.run"
        changed = sources[name].replace("_END_SECONDS = 20.0", "_END_SECONDS = 0.5")
        self.assertNotEqual(changed, sources[name])
        _, end = self.run_of("trap '' INT TERM\n" + WORKS + STAYS, sources={**sources, name: changed})
        self.assertEqual((True, -signal.SIGKILL), (end["killed"], end["exit"]))

    def test_nothing_runs_where_it_is_asked_what_would(self) -> None:
        _, agent = self.begun("touch /usr/local/bin/ran\n", dry=True, points=["BEGIN"])
        frames = agent.finish()
        (found,) = results(frames, "bpftrace")
        self.assertEqual((True, "0.23.2", [{"point": "BEGIN", "count": 1}]), (
            found["dry"], found["version"], found["attaches"]))
        self.assertEqual([], results(frames, "bpftraceEnd"))
        self.assertFalse(os.path.exists(f"/proc/{self.keeper}/root/usr/local/bin/ran"))

    def test_a_client_that_goes_leaves_nothing(self) -> None:
        for how in ("stdin", "kill"):
            with self.subTest(how=how):
                pod, agent = self.begun("trap '' INT TERM\n" + WORKS + STAYS, seconds=600)
                self.assertEqual("F", agent.until("F").kind)
                if how == "stdin":
                    agent.process.stdin.close()
                else:
                    # As a runtime does it: what it started itself, at once.
                    started = min(pid for pid, name in pod.processes().items() if pid > 1 and self.is_agent(pod, pid))
                    enter = ["nsenter", "--target", str(pod.host_pid), "--pid", "--mount"]
                    subprocess.run([*enter, "kill", "-9", str(started)], check=True)
                try:
                    wait_for(lambda: len(pod.processes()) == 2, 30)
                except AssertionError:
                    self.fail(f"left over: {pod.processes()}")
                self.assertTrue(alive(self.keeper))

    def is_agent(self, pod: Pod, pid: int) -> bool:
        enter = ["nsenter", "--target", str(pod.host_pid), "--pid", "--mount"]
        seen = subprocess.run([*enter, "cat", f"/proc/{pid}/cmdline"], stdout=subprocess.PIPE).stdout
        # The keeper, which knows agents by that name, has it in its own program.
        return b"pydebug_agent.main" in seen and b"pydebug-keeper" not in seen

    def test_cancel_is_answered(self) -> None:
        _, agent = self.begun(ENDS_WITH_MAPS + WORKS + STAYS, seconds=600)
        self.assertEqual("F", agent.until("F").kind)
        began = time.monotonic()
        agent.send("C")
        self.assertEqual({"Cancelled"}, {entry["cause"] for entry in failures(agent.finish())})
        self.assertLess(time.monotonic() - began, 5)
