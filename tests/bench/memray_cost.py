"""What memray costs the process that it tracks, in each mode, against nothing at all and against memray's own attach.

    python3 -B tests/bench/memray_cost.py [--runs N] [--peer PYTHON]

Each way gets a process of its own, which is looked at before and while it is tracked: what is told are ratios of the
two, in requests a second of CPU time. --peer is a Python that has a whole memray, of the same version as this one; gdb
must be on PATH for it. A line of JSON for each value: Name, Values, Unit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.agent.driver import Agent
from tests.agent.memray_support import ask, payloads

_TARGET = Path(__file__).with_name("allocating.py")
_WARM, _BEFORE, _TRACKED, _MARGIN = 1.0, 1.5, 2.0, 0.2
# Every object: the capture grows fast, and is read for long.
_TRACKED_OBJECTS = 1.0
_NOTHING, _PEER = "nothing", "memray's own attach"
_MODES: Dict[str, Dict[str, bool]] = {
    "default": {},
    "-Native": {"native": True},
    "-PythonAllocators": {"pythonAllocators": True},
    "-Native -PythonAllocators": {"native": True, "pythonAllocators": True},
    "-Aggregate": {"aggregate": True},
}
Window = Tuple[float, float]


class Target:
    """The loop of requests, and what it said."""

    def __init__(self, kind: str, path: Optional[str]) -> None:
        environment = dict(os.environ, **({"PYTHONPATH": path} if path else {}))
        self._process = subprocess.Popen(
            [sys.executable, str(_TARGET), kind], stdout=subprocess.PIPE, env=environment
        )
        self._said: List[Dict[str, float]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.append(json.loads(line))

    @property
    def pid(self) -> int:
        return self._process.pid

    def within(self, window: Window) -> List[Dict[str, float]]:
        """Return what it said of blocks within a window, once that is over."""
        while not self._said or self._said[-1]["to"] < window[1]:
            if self._process.poll() is not None:
                raise RuntimeError(f"the target ended with {self._process.returncode}")
            time.sleep(0.02)
        return [block for block in self._said if block["from"] >= window[0] and block["to"] <= window[1]]

    def rate(self, window: Window) -> float:
        """Return the requests a second within a window."""
        rates = [block["requests"] for block in self.within((window[0] + _MARGIN, window[1] - _MARGIN))]
        return sum(rates) / len(rates)

    def gap(self, window: Window) -> float:
        """Return the longest gap within a window and the blocks around it."""
        return max(block["gap"] for block in self.within((window[0] - 0.1, window[1] + 0.2)))

    def resident(self) -> int:
        """Return the resident memory in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Looked:
    """One way of looking, once."""

    def __init__(self, kind: str, way: str, of: Dict[str, bytes], peer: Optional[str]) -> None:
        target = Target(kind, _packages(peer) if way == _PEER else None)
        try:
            time.sleep(_WARM)
            before = (time.time(), time.time() + _BEFORE)
            usual = target.rate(before)
            small = target.resident()
            asked = time.time()
            during, self.size, large = self._look(target, way, of, peer)
            self.throughput = target.rate(during) / usual
            self.gap = target.gap((asked, during[0]))
            self.usual_gap = target.gap((before[0] + _MARGIN, before[1] - _MARGIN))
            self.memory = (large - small) / (1 << 20)
        finally:
            target.end()

    def _look(self, target: Target, way: str, of: Dict[str, bytes], peer: Optional[str]) -> Tuple[Window, float, int]:
        largest = [0]
        if way == _NOTHING:
            time.sleep(_TRACKED)
            now = time.time()
            return (now - _TRACKED, now), 0.0, target.resident()
        if way == _PEER:
            assert peer is not None
            return self._peer(target, peer)

        seconds = _TRACKED_OBJECTS if "-PythonAllocators" in way else _TRACKED

        def meanwhile(progress: Dict[str, Any]) -> None:
            if progress["phase"] in ("track", "read"):
                largest[0] = max(largest[0], target.resident())

        with Agent() as agent:
            answer = ask(
                agent, of, pids=[target.pid], seconds=seconds, deadline=600.0, meanwhile=meanwhile, **_MODES[way]
            )
        result = answer.only()
        begun, seconds = result["begun"], result["seconds"]
        return (begun, begun + seconds), result["capture"]["bytes"] / seconds / 1e6, largest[0]

    @staticmethod
    def _peer(target: Target, peer: str) -> Tuple[Window, float, int]:
        with tempfile.TemporaryDirectory() as folder:
            capture = f"{folder}/capture.bin"
            command = [peer, "-m", "memray", "attach", "--method", "gdb", "--duration", "60", "-o", capture]
            run = subprocess.run(
                [*command, str(target.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120
            )
            begun = time.time()
            if run.returncode != 0 or not os.path.exists(capture):
                raise RuntimeError(f"memray attach: {run.stdout.decode(errors='replace')[-2000:]}")
            time.sleep(_TRACKED)
            ended = time.time()
            size = os.stat(capture).st_size / (ended - begun) / 1e6
            return (begun, ended), size, target.resident()


def _packages(peer: Optional[str]) -> Optional[str]:
    """Return where the peer's memray lies: the target must find it."""
    if peer is None:
        return None
    ask_it = "import memray, os; print(os.path.dirname(os.path.dirname(memray.__file__)))"
    return subprocess.run([peer, "-c", ask_it], stdout=subprocess.PIPE, check=True).stdout.decode().strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer")
    asked = parser.parse_args()
    of = payloads()
    ways = [_NOTHING, *_MODES, *([_PEER] if asked.peer else [])]
    for kind in ("objects", "buffers"):
        seen: Dict[str, List[Looked]] = {way: [] for way in ways}
        for _ in range(asked.runs):
            for way in random.sample(ways, len(ways)):
                seen[way].append(Looked(kind, way, of, asked.peer))
        for way, looked in seen.items():
            about = f"memray, {way}, {kind}"
            told = [
                ("throughput while tracked, against before", [look.throughput for look in looked], "ratio"),
                ("longest gap while attaching", [look.gap for look in looked], "ms"),
                ("longest gap before", [look.usual_gap for look in looked], "ms"),
            ]
            if way != _NOTHING:
                told += [
                    ("resident memory", [look.memory for look in looked], "MiB"),
                    ("capture", [look.size for look in looked], "MB/s"),
                ]
            for what, values, unit in told:
                print(json.dumps({"Name": f"{about}: {what}", "Values": values, "Unit": unit}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
