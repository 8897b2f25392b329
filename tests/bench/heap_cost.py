"""What Get-PyHeap finds and costs, held against what the target says of itself. A line of JSON for each figure:

    python3 heap_cost.py [--only exact,busy,rates,false,holders,p99,large] [--runs N]

The agent's own code does the work; the targets are the Pythons of the test images and of PYDEBUG_PYTHONS.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.agent.driver import Agent, results
from tests.agent.heap_support import subject_of
from tests.agent.reader_support import Python, pythons
from tests.agent.test_heap_holders import holders_of

from pydebug_agent.heap.growth import line, verdict
from pydebug_agent.heap.totals import totals
from pydebug_agent.heap.watch import Watch

TARGETS = (Path(__file__).resolve().parent / "heap_targets.py").read_text()
LEAKS = (Path(__file__).resolve().parents[1] / "agent/targets/heap_leaks.py").read_text()
OTHERS = (Path(__file__).resolve().parent / "heap_others.py").read_text()
# Kept alive by the collector: each of these is counted by the target itself without a doubt.
COUNTED = ("Order", "Slot", "list", "dict", "set", "function", "deque", "cell", "module", "generator", "property")


def tell(name: str, values: Sequence[float], unit: str) -> None:
    print(json.dumps({"Name": name, "Values": [round(value, 4) for value in values], "Unit": unit}), flush=True)


class Target:
    """A program that was started, and what it says."""

    def __init__(self, command: Sequence[str], source: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [*command, "-u", "-c", source, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.process.pid
        self.ready = self.line()

    def line(self) -> Any:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def ask(self) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.line()


@contextmanager
def target(command: Sequence[str], source: str, *arguments: object) -> Iterator[Target]:
    made = Target(command, source, *arguments)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()


def chosen(minors: Sequence[int]) -> List[Python]:
    return [python for python in pythons() if python.minor in minors]


def counts_of(pid: int) -> Tuple[Dict[str, float], float]:
    """Objects by name, and blocks in use."""
    with subject_of(pid, complete=True) as subject:
        look = subject.take()
        found: Dict[str, float] = {}
        for number, total in totals(subject, look).items():
            name = subject.kinds.all[number].short
            found[name] = found.get(name, 0) + total.count
        return found, sum(look.census.blocks_seen)


def exact(runs: int) -> None:
    for python in pythons():
        with target(python.command, TARGETS, "exact", 20000) as known:
            truth = known.line()
            time.sleep(0.3)
            found, blocks = counts_of(known.pid)
            off = {name: found.get(name, 0) - truth.get(name, 0) for name in COUNTED if name in truth}
            print(python.label, {name: value for name, value in off.items() if value}, blocks - truth["_blocks"],
                  file=sys.stderr)
            tell("Objects off, %s" % python.label, [sum(abs(value) for name, value in off.items() if name not in (
                "list", "dict"))], "objects")
            tell("Lists and dicts off, %s" % python.label, [abs(off["list"]) + abs(off["dict"])], "objects")
            tell("Blocks off, %s" % python.label, [abs(blocks - truth["_blocks"])], "blocks")


def difference(first: Dict[str, float], second: Dict[str, float]) -> float:
    """How much of all objects is in another place."""
    names = set(first) | set(second)
    return 100 * sum(abs(first.get(name, 0) - second.get(name, 0)) for name in names) / sum(second.values())


def busy(runs: int) -> None:
    for python in chosen((11, 13, 14, 15)):
        with target(python.command, TARGETS, "busy", 20000) as server:
            streamed, held = [], []
            # A look is in the midst of a request or between two: of such pairs a mean tells, not a median.
            for _ in range(max(runs, 30)):
                looks = []
                for hold in (True, False, True, True):
                    if hold:
                        os.kill(server.pid, signal.SIGSTOP)
                    looks.append(counts_of(server.pid)[0])
                    if hold:
                        os.kill(server.pid, signal.SIGCONT)
                    time.sleep(0.2)
                streamed.append((difference(looks[1], looks[0]) + difference(looks[1], looks[2])) / 2)
                held.append(difference(looks[3], looks[2]))
            tell("Census beside a busy server, %s: without a hold" % python.label, streamed, "% of objects")
            tell("Census beside a busy server, %s: two holds" % python.label, held, "% of objects")
            tell("Census beside a busy server, %s: ratio" % python.label,
                 [statistics.mean(streamed) / max(statistics.mean(held), 1e-9)], "ratio")


def looks_at(pid: int, count: int, gap: float, act: Any) -> Any:
    with subject_of(pid) as subject:
        watch = Watch(subject)
        for index in range(count):
            watch.look()
            time.sleep(gap if index < count - 1 else 0)
        return act(subject, watch)


def rates(runs: int) -> None:
    within = total = 0
    errors: List[float] = []
    for run in range(max(runs, 10)):
        python = chosen((11, 13, 14, 15))[run % 4]
        with target(python.command, LEAKS, 300, 20 + 17 * (run % 5)) as leaks:
            names = set(leaks.ready)

            def judge(subject: Any, watch: Any) -> Any:
                lines = {}
                for number in watch.counts:
                    name = subject.kinds.all[number].short
                    if name in names:
                        lines[name] = watch.line_of(number, watch.objects(number))
                return lines, watch.times

            lines, times = looks_at(leaks.pid, 7, 1.0, judge)
            rows = leaks.ask()
            # The leak's own rate over the same time; it is not steady where the machine is busy.
            rate = line(times, [max(row[1] for row in rows if row[0] <= at) for at in times]).slope
            for fitted in lines.values():
                total += 1
                within += abs(fitted.slope - rate) <= fitted.margin()
                errors.append(100 * abs(fitted.slope - rate) / rate)
    tell("Leak rates within their margin (%d)" % total, [100 * within / total], "%")
    tell("Leak rates, error", errors, "%")


def false(runs: int) -> None:
    grows, types = 0, 0
    for run in range(max(runs, 20)):
        python = chosen((11, 13, 14, 15))[run % 4]
        with target(python.command, TARGETS, "idle_types", 500) as still:

            def judge(subject: Any, watch: Any) -> Any:
                found = []
                for number in watch.counts:
                    counts = watch.objects(number)
                    if verdict(counts, watch.line_of(number, counts), 2 * len(watch.counts)) == "Yes":
                        found.append(subject.kinds.all[number].short)
                return found, len(watch.counts)

            found, seen = looks_at(still.pid, 5, 0.7, judge)
            grows += len(found)
            types = seen
            if found:
                print(python.label, found, file=sys.stderr)
    tell("False 'grows' in %d runs of %d types that do not" % (max(runs, 20), types), [grows], "types")


def right_of(pid: int, patterns: Dict[str, str], samples: int) -> Tuple[int, int, int]:
    """How many samples lead to the right holder, to a wrong one that was shown as verified, and in all."""
    right = wrong = total = 0
    for name, rows in holders_of(pid, patterns, samples).items():
        for row in rows:
            total += row["held"]
            if re.search(patterns[name], row["path"]):
                right += row["held"]
            elif row["verified"]:
                wrong += row["held"]
                print(name, row["root"], row["path"], file=sys.stderr)
    return right, wrong, total


def holders(runs: int) -> None:
    for python in pythons():
        for source, name in ((LEAKS, "30 kinds of leak"), (OTHERS, "10 other kinds")):
            with target(python.command, source, 300, 0) as leaks:
                right, wrong, total = right_of(leaks.pid, leaks.ready, 3)
                tell("Right holder, %s, %s (%d samples)" % (name, python.label, total), [100 * right / total], "%")
                tell("Verified but wrong, %s, %s" % (name, python.label), [wrong], "samples")


def p99(runs: int) -> None:
    os.sched_setaffinity(0, {1} if (os.cpu_count() or 1) > 1 else {0})
    for python in chosen((13, 14)):
        with target(python.command, TARGETS, "requests", 60000) as server, subject_of(server.pid, True) as subject:
            subject.take()
            slowest: Dict[str, List[float]] = {"nothing": [], "nothing again": [], "census": []}
            for _ in range(max(runs, 5)):
                for way in slowest:
                    server.ask()
                    until = time.monotonic() + 2.5
                    while time.monotonic() < until:
                        if way == "census":
                            subject.take()
                        else:
                            time.sleep(0.05)
                    slowest[way] += [row[2] for row in server.ask()[1:-1]]
            null = statistics.median(slowest["nothing again"]) / statistics.median(slowest["nothing"])
            ratio = statistics.median(slowest["census"]) / statistics.median(slowest["nothing"])
            tell("p99 of requests, nothing against nothing, %s" % python.label, [null], "ratio")
            tell("p99 of requests during a census, %s" % python.label, [ratio], "ratio")


def asked(pid: int, **parameters: Any) -> Tuple[float, float, Any]:
    """The agent's CPU seconds, its most memory in MiB, and the answer."""
    with Agent() as agent:
        agent.request("heap", pids=[pid], deadline=300.0, percent=100, **parameters)
        most, frames = 0, []
        while True:
            frame = agent.next(120)
            frames.append(frame)
            try:
                # Its silence would be taken for the client's end.
                agent.send("K")
                text = Path("/proc/%d/status" % agent.process.pid).read_text()
                # What it maps of its own program to be ended first is no memory.
                most = max(most, int(text.split("RssAnon:")[1].split()[0]))
            except (OSError, IndexError):
                pass
            if frame.kind in ("T", ""):
                break
        if frames[-1].kind != "T":
            raise RuntimeError("the agent ended: %s" % agent.stderr)
        agent.send("A")
        found = results(frames, "heap")[0]
        return found["agentCpu"], most / 1024, found


def large(runs: int) -> None:
    plain = ["/usr/bin/python3"]
    for python in chosen((13,)):
        with target(python.command, TARGETS, "large", 1024) as heap:
            with Agent() as agent:
                agent.request("heap", pids=[heap.pid], deadline=300.0)
                agent.until("H")
                first = time.monotonic()
                agent.until("P")
                tell("1 GiB: until the parts are there", [time.monotonic() - first], "s")
            for name, parameters in (("a part of the pools", {}), ("-Complete", {"complete": True}),
                                     ("-Holder of one type", {"holder": True, "types": ["Order"]})):
                seen = [asked(heap.pid, **parameters) for _ in range(runs)]
                tell("1 GiB, %s: CPU of the agent" % name, [each[0] for each in seen], "s")
                tell("1 GiB, %s: memory of the agent" % name, [each[1] for each in seen], "MiB")
            order = next(each for each in seen[-1][2]["types"] if each["name"] == "Order")
            tell("1 GiB: Orders off, of their margin", [
                abs(order["count"] - heap.ready["orders"]) / (
                    order["countMargin"] + 1e-4 * heap.ready["orders"])], "ratio")
    if subprocess.run([*plain, "-c", "import objgraph"], stderr=subprocess.DEVNULL, check=False).returncode:
        print("SKIPPED: objgraph. Missing: python3-objgraph.", file=sys.stderr)
        return
    with target(plain, TARGETS, "large", 256) as heap:
        tell("256 MiB: pause by objgraph within", [heap.ask()["pause"] for _ in range(runs)], "s")
        tell("256 MiB: pause by Get-PyHeap", [0.0], "s")
        tell("256 MiB: CPU of the agent", [asked(heap.pid)[0] for _ in range(runs)], "s")


PARTS = {"exact": exact, "busy": busy, "rates": rates, "false": false, "holders": holders, "p99": p99, "large": large}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    for part in given.only.split(","):
        PARTS[part](given.runs)
