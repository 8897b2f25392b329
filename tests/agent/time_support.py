"""Recordings of wall time, made in this process or by an agent, in a form that tests can ask."""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Optional

from .reader_support import Running

from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.target import Target
from pydebug_agent.timing import report
from pydebug_agent.timing.memory_sampler import MemorySampler


def sampled(
    pid: int, seconds: float, rate: float = 20.0, during: Callable[[float], None] = lambda _: None, **options: Any
) -> "Times":
    """Sample a process from here; ``during`` is called after each look with the seconds so far."""
    sampler = MemorySampler(Target(pid, Proc()), rate=rate, **options)
    try:
        sampler.start()
        begun = due = time.monotonic()
        while time.monotonic() - begun < seconds and not sampler.ended:
            due = max(due + sampler.interval, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
            sampler.tick()
            during(time.monotonic() - begun)
        return Times(report.build(sampler.finish(), lambda name: True))
    finally:
        sampler.close()


def counted(target: Running, seconds: float, **options: Any) -> "tuple[Times, Dict[str, Dict[str, float]]]":
    """Sample a target that counts its own seconds; return both."""
    target.say("")
    target.line()
    times = sampled(target.pid, seconds, **options)
    target.say("")
    return times, target.line()


class Times:
    """A "time" result."""

    def __init__(self, result: Dict[str, Any]) -> None:
        self.result = result
        self.threads: Dict[str, Dict[str, Any]] = {row["name"]: row for row in result["threads"]}
        self.notes: List[str] = result["notes"]
        # Without threading it bears the program's name.
        self.main: str = next((row["name"] for row in result["threads"] if row["tid"] == result["pid"]), "")

    def entries(self, thread: Optional[str] = None, **wanted: Any) -> List[Dict[str, Any]]:
        """Return the entries of a thread that have these values."""
        tid = self.threads[thread]["tid"] if thread is not None else None
        return [
            entry
            for entry in self.result["entries"]
            if tid in (None, entry["tid"]) and all(entry[name] == value for name, value in wanted.items())
        ]

    def places(self, entry: Dict[str, Any]) -> List[List[Any]]:
        """Return an entry's [name, file, line], innermost first."""
        return [self.result["frames"][number] for number in entry["frames"]]

    def names(self, entry: Dict[str, Any]) -> List[str]:
        """Return an entry's function names without their classes, innermost first."""
        return [place[0].rpartition(".")[2] for place in self.places(entry)]

    def within(self, thread: str, function: str, **wanted: Any) -> List[Dict[str, Any]]:
        """Return the entries of a thread below a function."""
        return [entry for entry in self.entries(thread, **wanted) if function in self.names(entry)]

    def seconds(self, entries: List[Dict[str, Any]]) -> float:
        """Return the seconds of entries."""
        return float(sum(entry["seconds"] for entry in entries))

    def reasons(self, thread: str) -> Dict[str, float]:
        """Return a thread's seconds by reason."""
        result: Dict[str, float] = {}
        for entry in self.entries(thread):
            result[entry["reason"]] = result.get(entry["reason"], 0.0) + entry["seconds"]
        return result
