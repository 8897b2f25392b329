"""What a sampler saw of one process: the same for every method, before it becomes seconds."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional

from ..reader.codeobj import Stack

KERNEL = "kernel"
MEMORY = "memory"

CPU = "cpu"
GIL = "gil"
LOCK = "lock"
SLEEP = "sleep"
POLL = "poll"
IO = "io"
FAULT = "fault"
RUNNABLE = "runnable"
PREEMPTED = "preempted"
STOPPED = "stopped"
OTHER = "other"
UNPROVEN = "unproven"

# Off the processor, but wanting it: these share the thread's runnable time, the other waits its blocked time.
QUEUED = frozenset((RUNNABLE, PREEMPTED))


class Key(NamedTuple):
    """What is counted together. ``stack`` is named, innermost first; ``call`` of ``cpu`` is "gil" with the GIL held."""

    tid: int
    reason: str
    call: Optional[str]
    stack: Stack


class Count:
    """How often a key was seen; ``seconds``, ``longest`` and ``count`` only where every single wait was taken."""

    __slots__ = ("samples", "seconds", "longest", "count")

    def __init__(
        self,
        samples: int = 0,
        seconds: Optional[float] = None,
        longest: Optional[float] = None,
        count: Optional[int] = None,
    ) -> None:
        self.samples = samples
        self.seconds = seconds
        self.longest = longest
        self.count = count


class ThreadTimes:
    """One thread's exact totals in seconds over its part of the window, and how often it was looked at.

    ``wall`` runs between the readings of ``cpu`` and ``runnable``. ``reads`` counts the looks that sought waits:
    ``on_cpu`` of them found it running, ``moved`` could not be proven, the rest are samples of waits.
    """

    __slots__ = (
        "tid", "name", "began", "ended", "wall", "cpu", "runnable", "switches", "reads", "on_cpu", "moved",
    )

    def __init__(self, tid: int, name: str = "") -> None:
        self.tid = tid
        self.name = name
        self.began = False
        self.ended = False
        self.wall = 0.0
        self.cpu = 0.0
        self.runnable: Optional[float] = None
        self.switches: Optional[int] = None
        self.reads = 0
        self.on_cpu = 0
        self.moved = 0

    def copy(self) -> "ThreadTimes":
        """Return the same numbers, which stay as they are."""
        other = ThreadTimes(self.tid, self.name)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        return other


class Recording:
    """All that a sampler saw of one process.

    ``rate`` is that of the samples on the processor, ``wait_rate`` that of the looks for waits, as they came out.
    ``samples`` counts all of ``counts``; ``misses`` samples without a stack; ``truncated`` stacks cut at the depth;
    ``unresolved`` frames without a name; ``lost`` events that the kernel dropped. ``held`` is the longest hold of a
    thread in microseconds, None where none was held. ``together`` threads that began and ended are one row, that of
    thread 0.
    """

    def __init__(self, pid: int, method: str) -> None:
        self.pid = pid
        self.method = method
        self.exact = False
        self.begun = 0.0
        self.seconds = 0.0
        self.rate = 0.0
        self.wait_rate: Optional[float] = None
        self.threads: Dict[int, ThreadTimes] = {}
        self.counts: Dict[Key, Count] = {}
        self.together = 0
        self.samples = 0
        self.misses = 0
        self.truncated = 0
        self.unresolved = 0
        self.lost = 0
        self.throttled: Optional[float] = None
        self.own_cpu = 0.0
        self.program_seconds: Optional[float] = None
        self.program_runs: Optional[int] = None
        self.ended = False
        self.notes: List[str] = []
        self.held: Optional[float] = None

    def copy(self) -> "Recording":
        """Return what was seen so far, which stays as it is; the samples are the same until the next is added."""
        other = Recording(self.pid, self.method)
        other.__dict__.update(self.__dict__)
        other.threads = {tid: times.copy() for tid, times in self.threads.items()}
        other.counts = dict(self.counts)
        other.notes = list(self.notes)
        return other

    def add(self, key: Key, samples: int = 1) -> None:
        """Count samples of a key."""
        count = self.counts.get(key)
        if count is None:
            count = self.counts[key] = Count()
        count.samples += samples
        self.samples += samples


class Sampler:
    """What samples one process. Made, it has attached to nothing; failures are AgentErrors with a constant cause."""

    interval = 0.05

    def start(self) -> None:
        """Take the first readings and begin."""
        raise NotImplementedError

    def tick(self) -> None:
        """Do what is due; called about every ``interval`` seconds, which may change. Cheap once the target ended."""
        raise NotImplementedError

    def finish(self) -> Recording:
        """Take the last readings and return what was seen."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything: nothing stays attached, nothing held. Can be called at any moment, and again."""

    @property
    def ended(self) -> bool:
        """Say whether the target exited or became another program: nothing more will be seen."""
        return False
