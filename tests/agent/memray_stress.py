"""Many attaches of memray, half of which are not let alone: the request is cancelled, the client goes, the agent or all
of the debug container is killed, each at a random moment. The targets check their own arithmetic and answer requests.

    nice -n 19 python3 -B -m tests.agent.memray_stress --attaches 1000

One target runs at a time. What came of it is told as JSON; exit code 1 where a target came to harm.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import queue
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
from typing import Any, Counter, Dict, List, Optional, Sequence

from . import pyspy
from .driver import Agent
from .memray_support import USER, Container, alive, hashes, needs, settled
from .reader_support import TARGETS, Python, Running, pythons

SHAPES = ("busy", "idle")
ENDS = ("", "", "", "", "cancel", "client", "agent", "container")
# Captures of every object take long to read.
MODES = ({},) * 20 + ({"native": True},) * 3 + ({"aggregate": True},) * 3 + ({"pythonAllocators": True},)
_A_TARGET = 12
_ASK_SECONDS = 0.02
_ANSWER_SECONDS = 60.0
# A thread that never got its work sleeps for a minute and a half at most.
_SLEEPER_SECONDS = 100.0


class Service:
    """A target that is asked all the time."""

    def __init__(self, python: Python, shape: str) -> None:
        self.container = Container(python, USER, read_only=True)
        command = self.container.command("-u", "-c", (TARGETS / "arithmetic.py").read_text(), shape, "answers")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.running = Running(process, python)
        self.answered = 0
        self.slowest = 0.0
        self.harm: Optional[str] = None
        if self.running.line() != "ready":
            raise RuntimeError("the target did not start")
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        # Once it has answered, all of its own threads are there.
        if not settled(lambda: self.answered > 0 or self.harm is not None, _ANSWER_SECONDS):
            raise RuntimeError("the target does not answer")
        self.threads = self.count_threads()

    def _ask(self) -> None:
        rounds = -1
        try:
            while not self._enough.wait(_ASK_SECONDS):
                begun = time.monotonic()
                self.running.say("?")
                said = self.running.line(_ANSWER_SECONDS)
                if not isinstance(said, dict) or said["rounds"] < rounds:
                    raise RuntimeError(f"the target said {said!r} after {rounds} rounds")
                rounds = said["rounds"]
                self.answered += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
            begun = time.monotonic()
            while rounds == said["rounds"] and time.monotonic() - begun < _ANSWER_SECONDS:
                self.running.say("?")
                said = self.running.line(_ANSWER_SECONDS)
            if rounds == said["rounds"]:
                raise RuntimeError("the target's arithmetic stands still")
        except Exception as error:
            self.harm = f"{type(error).__name__}: {error}"

    def count_threads(self) -> int:
        """Return how many threads the target has."""
        return len(os.listdir(f"/proc/{self.running.pid}/task"))

    def resident(self) -> int:
        """Return the target's resident memory in kB."""
        with open(f"/proc/{self.running.pid}/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def close(self) -> None:
        """Ask once more, see whether it is as it was, and end it."""
        try:
            self._enough.set()
            self._thread.join(3 * _ANSWER_SECONDS)
            if self.harm is None and not alive(self.running):
                self.harm = "the target is stopped, traced or gone"
            if self.harm is None and not settled(lambda: self.count_threads() == self.threads, _SLEEPER_SECONDS):
                self.harm = f"{self.count_threads()} threads instead of {self.threads}"
        finally:
            self.running.end()
            self.container.close()


class Stress:
    """The run and what it has seen."""

    def __init__(self, seed: int, of: Sequence[Python]) -> None:
        self.random = random.Random(seed)
        self.pythons = of
        self.payloads = needs()
        self.attached: Counter[str] = collections.Counter()
        self.ends: Counter[str] = collections.Counter()
        self.causes: Counter[str] = collections.Counter()
        self.messages: List[str] = []
        self.harm: List[str] = []
        self.answered = 0
        self.slowest = 0.0
        self.grown: List[int] = []
        self.longest: List[float] = []
        self.usual: List[float] = []
        self.held: List[float] = []

    def run(self, attaches: int) -> None:
        """Attach so often."""
        share = max(1, min(_A_TARGET, attaches // (len(self.pythons) * len(SHAPES))))
        while sum(self.attached.values()) < attaches and not self.harm:
            for python in self.pythons:
                for shape in SHAPES:
                    if sum(self.attached.values()) < attaches:
                        self._one_target(python, shape, share)
            print(json.dumps(self.seen()), flush=True)

    def _one_target(self, python: Python, shape: str, attempts: int) -> None:
        name = f"{python.label} {shape}"
        places = [Container(python, USER), Container(python, USER, read_only=True)]
        service = Service(python, shape)
        first = None
        try:
            for _ in range(attempts):
                debug = places[self.random.random() < 0.25]
                self._attempt(service, debug, name)
                first = first or service.resident()
                if service.harm is not None:
                    break
            self.grown.append(service.resident() - (first or 0))
        finally:
            service.close()
            for place in places:
                place.close()
        self.answered += service.answered
        self.slowest = max(self.slowest, service.slowest)
        if service.harm is not None:
            self.harm.append(f"{name}: {service.harm}")

    def _attempt(self, service: Service, debug: Container, name: str) -> None:
        end = self.random.choice(ENDS)
        # Half of the ends come around the moment that matters most.
        phase = "attach" if end and self.random.random() < 0.5 else ""
        delay = self.random.uniform(0, 0.25 if phase else 2.0)
        parameters = {"pids": [service.running.pid], "seconds": 0.5, "sha256": hashes(self.payloads), "deadline": 150}
        with debug.agent() as agent:
            agent.request("memray", **parameters, **self.random.choice(MODES))
            at = time.monotonic() + delay if end and not phase else None
            until = time.monotonic() + 140
            attached = ended = False
            while not ended:
                if at is not None and time.monotonic() >= at:
                    self._end(agent, end)
                    at, ended = None, end != "cancel"
                    continue
                try:
                    frame = agent.next(0.01 if at is not None else 10.0)
                except queue.Empty:
                    if time.monotonic() > until:
                        self.harm.append(f"{name}: the agent does not end")
                        return
                    if agent.process.stdin is not None and not agent.process.stdin.closed:
                        agent.send("K")
                    continue
                if frame.kind == "N":
                    pyspy.give(agent, self.payloads[frame.json["name"][len("memray-") :]])
                elif frame.kind == "P" and frame.json["text"] == "Attaching":
                    attached = True
                    at = time.monotonic() + delay if phase else at
                elif frame.kind == "R":
                    self._take(frame.json, name)
                elif frame.kind == "E":
                    self._refused(frame.json, name, end)
                elif frame.kind in ("T", ""):
                    ended = True
                    if frame.kind == "T":
                        agent.send("A")
            agent.process.wait(60)
        if attached:
            self.attached[name] += 1
        self.ends[end or "let alone"] += 1

    @staticmethod
    def _end(agent: Agent, end: str) -> None:
        if end == "cancel":
            agent.send("C")
        elif end == "client":
            agent.process.stdin.close()
        else:
            pids = [agent.process.pid]
            if end == "container":
                pids = _descendants(agent.process.pid) + pids
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def _take(self, result: Dict[str, Any], name: str) -> None:
        report = result["report"]
        if result["ended"] != "time" or report is None or report["totals"]["allocations"] <= 0:
            self.harm.append(f"{name}: a report without content ({result['ended']})")
        self.longest.append(result["pause"]["longest"])
        self.usual.append(result["pause"]["usual"])
        self.held.append(result["pause"]["held"] / 1000)

    def _refused(self, failure: Dict[str, Any], name: str, end: str) -> None:
        if failure["cause"] != "Cancelled":
            self.causes[failure["cause"]] += 1
            self.messages.append(f"{name}, {end or 'let alone'}: {failure['message'][:300]}")

    def seen(self) -> Dict[str, Any]:
        """Return what was seen so far."""
        return {
            "attached": sum(self.attached.values()),
            "by target": dict(self.attached),
            "ends": dict(self.ends),
            "reports": len(self.longest),
            "refused": dict(self.causes),
            "messages": self.messages[-5:],
            "requests answered": self.answered,
            "slowest answer, s": round(self.slowest, 2),
            "held, ms": _spread(self.held),
            "longest gap, ms": _spread(self.longest),
            "usual gap, ms": _spread(self.usual),
            "resident memory grown by after the first, kB": _spread([float(size) for size in self.grown]),
            "harm": self.harm,
        }


def _descendants(pid: int) -> List[int]:
    found: List[int] = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            for word in file.read().split():
                found += [*_descendants(int(word)), int(word)]
    except OSError:
        pass
    return found


def _spread(values: List[float]) -> Dict[str, float]:
    if not values:
        return {}
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
        "most": round(ordered[-1], 1),
    }


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attaches", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args()
    print(json.dumps({"seed": asked.seed}), flush=True)
    stress = Stress(asked.seed, [python for python in pythons() if python.root])
    stress.run(asked.attaches)
    return 1 if stress.harm else 0


if __name__ == "__main__":
    sys.exit(main())
