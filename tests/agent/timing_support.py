"""Records targets with the kernel's sampler, where this machine lets it."""

from __future__ import annotations

import time
import unittest
from typing import Callable, Dict, Iterable, List, Optional

from .reader_support import Python

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.codeobj import Stack
from pydebug_agent.reader.target import Target
from pydebug_agent.timing.kernel_sampler import KernelSampler
from pydebug_agent.timing.recording import Recording, ThreadTimes


def sampled(python: Python) -> bool:
    """Say whether the kernel's sampler takes this interpreter."""
    return python.minor >= 11 and "t (" not in python.label


def record_all(
    pids: Iterable[int],
    seconds: float,
    meanwhile: Callable[[], object] = lambda: None,
    sampler: Optional[KernelSampler] = None,
) -> Dict[int, Recording]:
    """Return the recordings of processes; skips the test where the kernel refuses BPF."""
    sampler = sampler or KernelSampler()
    try:
        for pid in pids:
            sampler.add(Target(pid, Proc()))
        try:
            sampler.start()
        except AgentError as error:
            if error.cause in ("NoCapability", "NoBtf", "Seccomp", "Lockdown"):
                raise unittest.SkipTest(error.message) from error
            raise
        end = time.monotonic() + seconds
        meanwhile()
        while time.monotonic() < end and not sampler.ended:
            time.sleep(sampler.interval)
            sampler.tick()
        return sampler.finish()
    finally:
        sampler.close()


def record(pid: int, seconds: float, meanwhile: Callable[[], object] = lambda: None, **options: float) -> Recording:
    """Return the recording of one process."""
    return record_all([pid], seconds, meanwhile, KernelSampler(**options))[pid]


def thread(recording: Recording, name: str) -> ThreadTimes:
    """Return the one thread of that name."""
    found = [times for times in recording.threads.values() if times.name == name]
    assert len(found) == 1, "%d threads are called %s" % (len(found), name)
    return found[0]


def shares(recording: Recording, times: ThreadTimes) -> "Dict[str, float]":
    """Return a thread's seconds by reason, by the rules of the report; the rest that no look proved is "unproven"."""
    result: Dict[str, float] = {"cpu": times.cpu, "runnable": times.runnable or 0.0}
    blocked = max(0.0, times.wall - times.cpu - (times.runnable or 0.0))
    waits = {key: count.samples for key, count in recording.counts.items()
             if key.tid == times.tid and key.reason not in ("cpu", "runnable", "preempted")}
    looks = sum(waits.values()) + times.moved
    for key, samples in waits.items():
        result[key.reason] = result.get(key.reason, 0.0) + blocked * samples / looks
    result["unproven"] = blocked * times.moved / looks if looks else blocked
    return result


def stacks(recording: Recording, times: ThreadTimes, reason: str) -> "Dict[Stack, int]":
    """Return how often a thread was found in each stack for a reason."""
    found: Dict[Stack, int] = {}
    for key, count in recording.counts.items():
        if key.tid == times.tid and key.reason == reason:
            found[key.stack] = found.get(key.stack, 0) + count.samples
    return found


def lines(recording: Recording, times: ThreadTimes, reason: str) -> "List[str]":
    """Return where a thread was for a reason, most often first: innermost function and line."""
    found = stacks(recording, times, reason)
    return ["%s:%d" % stack[0][::2] if stack else "" for stack in sorted(found, key=lambda stack: -found[stack])]
