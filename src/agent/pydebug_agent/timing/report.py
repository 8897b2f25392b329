"""From samples to seconds: each thread's exact totals, shared out by what was seen of it."""

from __future__ import annotations

from math import sqrt
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..reader.codeobj import Place, Stack
from . import recording as kinds
from .recording import Count, Key, Recording, ThreadTimes
from .short_threads import put_together

# A frame of the protocol holds 16 MiB; a place in a stack takes some six bytes.
_MOST_PLACES = 1_500_000
_DIGITS = 9

_Seen = Tuple[Key, Count]


class _Entry:
    """One line of the report: a part of a thread's time."""

    __slots__ = ("tid", "reason", "call", "stack", "seconds", "samples", "count", "longest", "error")

    def __init__(self, key: Key, seconds: float, samples: int, error: Optional[float]) -> None:
        self.tid, self.reason, self.call, self.stack = key
        self.seconds = seconds
        self.samples = samples
        self.error = error
        self.count: Optional[int] = None
        self.longest: Optional[float] = None


def build(recording: Recording, wanted: Callable[[str], bool], minimum: float = 0.0) -> Dict[str, Any]:
    """Return what a "time" result says about a recording.

    ``wanted`` picks threads by name. Waits of less than ``minimum`` seconds stay in the sums, without their stacks.
    """
    notes = list(recording.notes)
    threads, counts = put_together(recording, wanted, notes)
    by_thread: Dict[int, List[_Seen]] = {times.tid: [] for times in threads}
    for key, count in counts.items():
        if key.tid in by_thread:
            by_thread[key.tid].append((key, count))
    entries: List[_Entry] = []
    for times in threads:
        entries += _short_together(_thread(times, by_thread[times.tid]), minimum)
    entries = _bounded(entries, notes)
    if not recording.samples:
        notes.append("No sample of a thread could be taken: the times are the kernel's, and nothing tells their lines.")
    elif not threads:
        notes.append("No thread has a name like the one asked for.")
    table = _Table()
    rows = [_row(entry, table) for entry in entries]
    return {
        "kind": "time",
        "pid": recording.pid,
        "method": recording.method,
        "exact": recording.exact,
        "begun": recording.begun,
        "seconds": round(recording.seconds, _DIGITS),
        "rate": round(recording.rate, 3),
        "waitRate": None if recording.wait_rate is None else round(recording.wait_rate, 3),
        "ended": recording.ended,
        "held": None if recording.held is None else round(recording.held, 1),
        "throttled": None if recording.throttled is None else round(recording.throttled, 6),
        "threads": [_thread_row(times, by_thread[times.tid]) for times in threads],
        "frames": table.rows,
        "entries": rows,
        "truth": {
            "samples": recording.samples,
            "misses": recording.misses,
            "truncated": recording.truncated,
            "unresolved": recording.unresolved,
            "lost": recording.lost,
        },
        "cost": {
            "agentCpu": round(recording.own_cpu, 6),
            "programSeconds": recording.program_seconds,
            "programRuns": recording.program_runs,
        },
        "notes": notes,
    }


def _thread(times: ThreadTimes, seen: List[_Seen]) -> List[_Entry]:
    """Return a thread's entries; their seconds make up its wall time."""
    # A counter may be ahead of our clock by a tick.
    wall = max(times.wall, 0.0)
    cpu = min(max(times.cpu, 0.0), wall)
    queued = min(max(times.runnable or 0.0, 0.0), wall - cpu)
    running = [(key, count) for key, count in seen if key.reason == kinds.CPU]
    waiting = [(key, count) for key, count in seen if key.reason not in kinds.QUEUED and key.reason != kinds.CPU]
    in_queue = [(key, count) for key, count in seen if key.reason in kinds.QUEUED]
    blocked = wall - cpu - queued
    if times.runnable is None:
        # Not counted by the kernel: those that were seen in the queue take their part of what is left.
        waiting, in_queue = waiting + in_queue, []
    entries = _shared(times.tid, kinds.CPU, cpu, running)
    entries += _shared(times.tid, kinds.RUNNABLE, queued, in_queue)
    return entries + _waits(times, blocked, waiting)


def _shared(tid: int, reason: str, seconds: float, seen: List[_Seen]) -> List[_Entry]:
    """Share exact seconds out by samples; without any sample they are one entry without frames."""
    total = sum(count.samples for _, count in seen)
    if not total:
        return [_Entry(Key(tid, reason, None, ()), seconds, 0, None)] if seconds > 0 else []
    return [
        _Entry(key, seconds * count.samples / total, count.samples, _error(count.samples, total))
        for key, count in seen
        if count.samples
    ]


def _waits(times: ThreadTimes, blocked: float, seen: List[_Seen]) -> List[_Entry]:
    taken = [(key, count, count.seconds) for key, count in seen if count.seconds is not None]
    entries: List[_Entry] = []
    if taken:
        # Every wait was taken: what is missing from the sum was lost, never scaled up.
        total = sum(seconds for _, _, seconds in taken)
        factor = min(1.0, blocked / total) if total > 0 else 0.0
        for key, count, seconds in taken:
            entry = _Entry(key, seconds * factor, count.samples, None)
            entry.count, entry.longest = count.count, count.longest
            entries.append(entry)
        rest = blocked - sum(entry.seconds for entry in entries)
        unproven, error = 0, None
    else:
        looks = times.moved + sum(count.samples for _, count in seen)
        for key, count in seen:
            if count.samples:
                seconds = blocked * count.samples / looks
                entries.append(_Entry(key, seconds, count.samples, _error(count.samples, looks)))
        rest = blocked - sum(entry.seconds for entry in entries)
        unproven, error = times.moved, _error(times.moved, looks) if times.moved else None
        if looks and not unproven:
            rest = 0.0
    if rest > 1e-9:
        entries.append(_Entry(Key(times.tid, kinds.UNPROVEN, None, ()), rest, unproven, error))
    return entries


def _error(samples: int, total: int) -> float:
    share = samples / total
    return sqrt(share * (1 - share) / total)


def _short_together(entries: List[_Entry], minimum: float) -> List[_Entry]:
    if minimum <= 0:
        return entries
    kept: List[_Entry] = []
    short: Dict[str, _Entry] = {}
    for entry in entries:
        length = entry.seconds if entry.longest is None else entry.longest
        if length >= minimum or entry.reason in (kinds.CPU, kinds.UNPROVEN) or entry.reason in kinds.QUEUED:
            kept.append(entry)
        else:
            _join(short, entry.reason, entry, None)
    return kept + list(short.values())


def _bounded(entries: List[_Entry], notes: List[str]) -> List[_Entry]:
    """Keep the stacks of the largest entries, as many as one answer holds."""
    if sum(len(entry.stack) for entry in entries) <= _MOST_PLACES:
        return entries
    left = _MOST_PLACES
    kept: List[_Entry] = []
    short: Dict[Tuple[int, str, Optional[str]], _Entry] = {}
    dropped = 0
    for entry in sorted(entries, key=lambda entry: -entry.seconds):
        if len(entry.stack) <= left:
            left -= len(entry.stack)
            kept.append(entry)
        else:
            dropped += 1
            _join(short, (entry.tid, entry.reason, entry.call), entry, entry.call)
    notes.append("There were too many different stacks: those of the %d smallest entries are left out." % dropped)
    return kept + list(short.values())


def _join(into: Dict[Any, _Entry], place: Any, entry: _Entry, call: Optional[str]) -> None:
    joined = into.get(place)
    if joined is None:
        joined = into[place] = _Entry(Key(entry.tid, entry.reason, call, ()), 0.0, 0, None)
    joined.seconds += entry.seconds
    joined.samples += entry.samples
    if entry.count is not None:
        joined.count = (joined.count or 0) + entry.count
    if entry.longest is not None:
        joined.longest = max(joined.longest or 0.0, entry.longest)


class _Table:
    """Places, each once."""

    def __init__(self) -> None:
        self.rows: List[Place] = []
        self._numbers: Dict[Place, int] = {}

    def numbers(self, stack: Stack) -> List[int]:
        result: List[int] = []
        for place in stack:
            number = self._numbers.get(place)
            if number is None:
                number = self._numbers[place] = len(self.rows)
                self.rows.append(place)
            result.append(number)
        return result


def _row(entry: _Entry, table: _Table) -> Dict[str, Any]:
    return {
        "tid": entry.tid,
        "reason": entry.reason,
        "call": entry.call,
        "seconds": round(entry.seconds, _DIGITS),
        "samples": entry.samples,
        "count": entry.count,
        "longest": None if entry.longest is None else round(entry.longest, _DIGITS),
        "error": None if entry.error is None else round(entry.error, 6),
        "frames": table.numbers(entry.stack),
    }


def _thread_row(times: ThreadTimes, seen: List[_Seen]) -> Dict[str, Any]:
    return {
        "tid": times.tid,
        "name": times.name,
        "began": times.began,
        "ended": times.ended,
        "wall": round(max(times.wall, 0.0), _DIGITS),
        "cpu": round(times.cpu, _DIGITS),
        "runnable": None if times.runnable is None else round(times.runnable, _DIGITS),
        "switches": times.switches,
        "samples": sum(count.samples for key, count in seen if key.reason == kinds.CPU),
        "reads": times.reads,
        "moved": times.moved,
    }
