"""For how long a question holds a thread of its target, by the target's own clock. Needs root.

    python3 -B tests/bench/pauses.py [--runs N] [--threads 20,200] [--pythons 9,11,13,14,15] [--only stack,...]

The target's main thread looks at the clock in a tight loop while all others wait; whoever holds the process holds it.
Of each gap it says how much of it the thread waited for a processor (its schedstat): that is the machine's doing and is
left out. What remains is told against windows in which nothing is asked. A line of JSON for each value: Name, Values,
Unit.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.agent import pyspy
from tests.agent.driver import Agent
from tests.agent.memray_support import Container, ask, payloads
from tests.agent.reader_support import Python, Running, pythons

TARGET = r"""
import os, sys, threading, time
def wait(event):
    event.wait()
def outer(event, depth):
    return outer(event, depth - 1) if depth else wait(event)
event = threading.Event()
for _ in range(int(sys.argv[1]) - 1):
    threading.Thread(target=outer, args=(event, 10), daemon=True).start()
file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
def waited():
    return int(os.pread(file, 64, 0).split()[1])
def loop(least):
    clock = time.monotonic_ns
    queued = waited()
    last = clock()
    while True:
        now = clock()
        if now - last > least:
            # It may have waited for its processor within the gap, or held it and been held.
            then = waited()
            own = max(0, now - last - (then - queued))
            if own > least:
                os.write(1, b"%d %d\n" % (now, own))
            queued = waited()
            last = clock()
        else:
            last = now
os.write(1, b'"ready"\n')
loop(20_000)
"""
# The longest that one run of a question may take; a window of nothing is as long as a run that was just made.
_SECONDS = 2.0


class Target:
    """A process that tells of its gaps."""

    def __init__(self, container: Container, threads: int) -> None:
        command = container.command("-u", "-c", TARGET, str(threads))
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.running = Running(process, container.python)
        assert self.running.line() == "ready"
        self._gaps: List[Tuple[float, float]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.running.process.stdout is not None
        for line in self.running.process.stdout:
            at, own = line.split()
            self._gaps.append((int(at) / 1e9, int(own) / 1e9))

    def longest(self, begun: float, ended: float) -> float:
        """Return the longest gap within a window, in seconds; 0 where none was worth telling."""
        time.sleep(0.05)
        return max((own for at, own in list(self._gaps) if begun <= at <= ended + 0.01), default=0.0)


def _host(op: str, **parameters: Any) -> Callable[[Target, Container], None]:
    def run(target: Target, _: Container) -> None:
        with Agent() as agent:
            frames = agent.ask(op, pids=[target.running.pid], **parameters)
        failed = [frame.json for frame in frames if frame.kind == "E"]
        if failed:
            raise RuntimeError(str(failed[0]))

    return run


def _spied(mode: str, **parameters: Any) -> Optional[Callable[[Target, Container], None]]:
    binary = pyspy.real()
    if binary is None:
        return None

    def run(target: Target, _: Container) -> None:
        with Agent() as agent:
            frames = pyspy.ask(agent, binary, mode=mode, pids=[target.running.pid], **parameters)
        failed = [frame.json for frame in frames if frame.kind == "E"]
        if failed:
            raise RuntimeError(str(failed[0]))

    return run


def _tracked(of: Dict[str, bytes]) -> Callable[[Target, Container], None]:
    def run(target: Target, container: Container) -> None:
        with container.agent() as agent:
            answer = ask(agent, of, pids=[target.running.pid], seconds=1.0)
        if answer.failures:
            raise RuntimeError(str(answer.failures[0]))

    return run


def questions() -> Dict[str, Optional[Callable[[Target, Container], None]]]:
    """Return what is asked, by name; None where what it needs is missing."""
    of = payloads()
    return {
        "stack": _host("stack"),
        "time, memory sampler": _host("time", seconds=_SECONDS, method="memory", deadline=60.0),
        "time, kernel sampler": _host("time", seconds=_SECONDS, method="kernel", deadline=60.0),
        "heap": _host("heap", seconds=0, deadline=60.0),
        "py-spy, dump": _spied("dump"),
        "py-spy, record": _spied("record", seconds=_SECONDS, rate=100, arguments=[], deadline=60.0),
        "memray": _tracked(of) if "runtime" in of else None,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--threads", default="20,200")
    parser.add_argument("--pythons", default="9,11,13,14,15")
    parser.add_argument("--only")
    asked = parser.parse_args()
    minors = [int(minor) for minor in asked.pythons.split(",")]
    ways = {name: way for name, way in questions().items() if asked.only is None or name in asked.only.split(";")}
    for name in [name for name, way in ways.items() if way is None]:
        print(f"SKIPPED: {name}: what it needs is missing (PIP_FIND_LINKS).", file=sys.stderr)
        del ways[name]
    for python in [python for python in pythons() if python.minor in minors and python.root]:
        for threads in map(int, asked.threads.split(",")):
            measure(python, threads, ways, asked.runs)
    return 0


def measure(python: Python, threads: int, ways: Dict[str, Any], runs: int) -> None:
    """Ask one process everything, in random order, and tell the longest gap of each run in milliseconds."""
    container = Container(python)
    target = Target(container, threads)
    seen: Dict[str, List[float]] = {}
    refused: Dict[str, str] = {}
    try:
        for _ in range(runs):
            for name in random.sample(list(ways), len(ways)):
                if name in refused:
                    continue
                begun = time.monotonic()
                try:
                    ways[name](target, container)
                except RuntimeError as error:
                    refused[name] = str(error)
                    continue
                except (queue.Empty, TimeoutError):
                    # A machine that is busy: the pauses of what was not answered are no less true.
                    pass
                ended = time.monotonic()
                seen.setdefault(name, []).append(target.longest(begun, ended))
                lasted = ended - begun
                begun = time.monotonic()
                time.sleep(min(_SECONDS, lasted))
                seen.setdefault("nothing", []).append(target.longest(begun, time.monotonic()))
    finally:
        target.running.end()
        container.close()
    for name, why in refused.items():
        print(f"SKIPPED: {name}, {python.label}, {threads} threads: {why[:400]}", file=sys.stderr)
    for name, gaps in seen.items():
        about = f"Longest pause, {name}, {python.label}, {threads} threads"
        values = sorted(gap * 1e3 for gap in gaps)
        print(json.dumps({"Name": about, "Values": [round(value, 3) for value in values], "Unit": "ms"}), flush=True)
        print(f"{about}: median {statistics.median(values):.3f} max {values[-1]:.3f} ms", file=sys.stderr)


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("it needs root")
    sys.exit(main())
