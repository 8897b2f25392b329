"""Threads of some milliseconds: a server may make one for each request."""

from __future__ import annotations

from typing import Callable, Dict, List, Tuple

from .recording import Count, Key, Recording, ThreadTimes

# As many are told apart; more would be a table that nobody reads.
_MOST_APART = 20
# One that was looked at less often says too little by itself of where it waited.
_FEW_LOOKS = 10


def put_together(
    recording: Recording, wanted: Callable[[str], bool], notes: List[str]
) -> Tuple[List[ThreadTimes], Dict[Key, Count]]:
    """Return the threads with names that are wanted and what was seen of them, many short ones as one: thread 0.

    What was seen of some of these stands for all of them, as it does for the whole of one thread's time.
    """
    threads = [times for tid, times in sorted(recording.threads.items()) if tid and wanted(times.name)]
    short = {times.tid for times in threads if times.began and times.ended and times.reads < _FEW_LOOKS}
    # Those that the sampler counted together have all names.
    rest = recording.threads.get(0) if wanted("") else None
    if rest is None and len(short) <= _MOST_APART:
        return threads, recording.counts
    number = len(short)
    parts = [times for times in threads if times.tid in short]
    if rest is not None:
        number += recording.together
        parts.append(rest)
    whole = _sum(parts)
    whole.name = "%d short threads" % number
    notes.append("%d threads that began and ended within these seconds are counted together." % number)
    counts: Dict[Key, Count] = {}
    for key, count in recording.counts.items():
        if key.tid in short or key.tid == 0:
            _add(counts.setdefault(key._replace(tid=0), Count()), count)
        else:
            counts[key] = count
    return [whole] + [times for times in threads if times.tid not in short], counts


def _sum(parts: List[ThreadTimes]) -> ThreadTimes:
    whole = ThreadTimes(0)
    whole.began = whole.ended = True
    whole.wall = sum(max(times.wall, 0.0) for times in parts)
    whole.cpu = sum(times.cpu for times in parts)
    waited = [times.runnable for times in parts if times.runnable is not None]
    whole.runnable = sum(waited) if len(waited) == len(parts) else None
    switched = [times.switches for times in parts if times.switches is not None]
    whole.switches = sum(switched) if len(switched) == len(parts) else None
    for name in ("reads", "on_cpu", "moved"):
        setattr(whole, name, sum(getattr(times, name) for times in parts))
    return whole


def _add(to: Count, count: Count) -> None:
    to.samples += count.samples
    if count.seconds is not None:
        to.seconds = (to.seconds or 0.0) + count.seconds
    if count.count is not None:
        to.count = (to.count or 0) + count.count
    if count.longest is not None:
        to.longest = max(to.longest or 0.0, count.longest)
