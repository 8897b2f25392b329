"""The operation that samples wall time: all processes over the same seconds, each by the method it can have."""

from __future__ import annotations

import time as clock
from typing import Any, Callable, Dict, List, Mapping, Optional

from .. import wire
from ..system.errors import AgentError
from ..system.light import uniform
from ..system.memory_limit import require_headroom
from ..target import greenlets
from ..target.masking import mask_command
from ..target.parents import Parents, is_work
from ..target.processes import Processes, shorten
from ..target.request import Request, no_ctypes
from . import report
from .options import AUTO, Options, options
from .recording import KERNEL, MEMORY, Recording
from .throttle import Throttle

# What stands against the kernel's sampler alone: the other method may still do.
_KERNEL_CAUSES = frozenset((
    wire.NO_CAPABILITY, wire.NO_BTF, wire.LOCKDOWN, wire.SECCOMP, wire.TOO_MANY_THREADS, wire.OLD_PYTHON,
    wire.NO_CTYPES, wire.KERNEL, wire.MEMORY_LOW,
))
_LONGEST_NAP = 0.05
# What was seen is sent ahead, since a pod that goes takes the agent with it: how often, and for which share of a CPU.
_AHEAD_SECONDS = 1.0
_AHEAD_GROWTH = 1.1
_AHEAD_SHARE = 0.01
# Beyond what the memory sampler takes.
_KERNEL_NEEDS = 14 << 20


class _Part:
    """A sampler of one process or several, and when it is due."""

    def __init__(
        self,
        method: str,
        sampler: Any,
        pids: List[int],
        finish: Callable[[], Dict[int, Recording]],
        so_far: Callable[[], Dict[int, Recording]],
    ) -> None:
        self.method = method
        self.sampler = sampler
        self.pids = pids
        self.finish = finish
        self.so_far = so_far
        self.due = 0.0
        self.cpu = 0.0
        self.failure: Optional[BaseException] = None

    @property
    def active(self) -> bool:
        return self.failure is None and not self.sampler.ended

    def tick(self, now: float) -> None:
        used = clock.thread_time()
        try:
            self.sampler.tick()
        except Exception as error:  # what goes wrong here must not end the others
            self.failure = error
        self.cpu += clock.thread_time() - used
        # A turn that was missed is not made up for. A beat of its own would meet that of a target again and again.
        self.due = max(self.due, now - self.sampler.interval) + self.sampler.interval * uniform(0.75, 1.25)


def time(request: Request) -> None:
    """Send one "time" result per process."""
    chosen = options(request)
    found = request.processes()
    named = request.pids()
    started = request.started()
    try:
        import ctypes  # to fail here, once, with the reason
    except ImportError as error:
        raise no_ctypes(error) from error
    # What a parent used is known at the end: then it has a result, or is left out.
    parents = Parents(request, found) if named is None else None
    pids = list(dict.fromkeys([*found.workers(), *parents.pids] if parents is not None else named or []))
    with request.gone_together(named is None, len(pids)):
        _measure(request, found, pids, parents, chosen, started)


def _measure(
    request: Request,
    found: Processes,
    pids: List[int],
    parents: Optional[Parents],
    chosen: Options,
    started: Mapping[str, float],
) -> None:
    from ..reader.target import Target

    targets: Dict[int, Target] = {}
    about: Dict[int, Dict[str, Any]] = {}
    for number, pid in enumerate(pids):
        request.tell(pid, f"process {number + 1} of {len(pids)}")
        with request.guarded(pid):
            found.require(pid, started)
            # Now, since it may be gone when the result is sent.
            about[pid] = {
                "command": " ".join(mask_command(shorten(request.proc.command(pid)))),
                "started": request.proc.started(pid),
            }
            targets[pid] = target = Target(pid, request.proc)
            for other in target.others:
                text = f"It runs another Python, {other}, too: time in that has no Python frames."
                request.channel.warn(wire.ANOTHER_PYTHON, text, pid)
            kind = greenlets.kind(request.proc, pid)
            if kind is not None:
                request.channel.warn(wire.GREENLETS, greenlets.note(kind), pid)
    run = _Run(request, chosen, targets, about, parents)
    try:
        run.start()
        run.sample()
        run.send()
    finally:
        run.close()


class _Run:
    def __init__(
        self,
        request: Request,
        chosen: Options,
        targets: Dict[int, Any],
        about: Dict[int, Dict[str, Any]],
        parents: Optional[Parents],
    ) -> None:
        self._request = request
        self._parents = parents
        self._options = chosen
        self._targets = targets
        self._about = about
        self._parts: List[_Part] = []
        self._why: Dict[int, AgentError] = {}
        self._throttles: Dict[int, Throttle] = {}

    def start(self) -> None:
        """Attach to each process by the first method that it can have."""
        left = list(self._targets)
        for pid in left:
            self._throttles[pid] = Throttle(self._request.proc, pid)
        if self._options.method != MEMORY:
            left = self._start_kernel(left)
        for pid in left:
            self._request.channel.check()
            with self._request.guarded(pid):
                self._start_memory(pid, len(left))

    def _start_kernel(self, pids: List[int]) -> List[int]:
        """Sample from the kernel what can be; return the processes that are left for the other method."""
        left: List[int] = []

        def refuse(pid: int, error: BaseException) -> None:
            failure = self._request.explain(error, pid)
            if failure.cause in _KERNEL_CAUSES and self._options.method == AUTO and not self._options.exact:
                self._why[pid] = failure
                left.append(pid)
            else:
                self._request.fail(failure, pid)

        sampler = None
        taken: List[int] = []
        used = clock.thread_time()
        try:
            require_headroom(self._request.proc, _KERNEL_NEEDS, "Sampling from the kernel", {"fits": "memorySampler"})
            sampler = _kernel_sampler(self._options)
            for pid in pids:
                try:
                    sampler.add(self._targets[pid])
                    taken.append(pid)
                except AgentError as error:
                    refuse(pid, error)
            if not taken:
                return left
            sampler.start()
        except AgentError as error:
            if sampler is not None:
                sampler.close()
            for pid in taken if sampler is not None else pids:
                refuse(pid, error)
            return left
        part = _Part(KERNEL, sampler, taken, sampler.finish, sampler.snapshot)
        self._parts.append(part)
        for pid, failure in sampler.failures.items():
            taken.remove(pid)
            refuse(pid, failure)
        part.cpu = clock.thread_time() - used
        return left

    def _start_memory(self, pid: int, together: int) -> None:
        from .memory_sampler import MOST_SHARE, RATE, MemorySampler

        chosen = self._options
        used = clock.thread_time()
        sampler = MemorySampler(
            self._targets[pid], chosen.rate or RATE, chosen.depth, wanted=chosen.wants, share=MOST_SHARE / together
        )
        part = _Part(
            MEMORY, sampler, [pid], lambda: {pid: sampler.finish()}, lambda: {pid: sampler.snapshot()}
        )
        self._parts.append(part)
        try:
            sampler.start()
        except BaseException:
            self._parts.remove(part)
            raise
        part.cpu = clock.thread_time() - used

    def sample(self) -> None:
        """Let every sampler look when it is due, until the time is over or nothing is left to look at."""
        channel, seconds = self._request.channel, self._options.seconds
        begun = told = clock.monotonic()
        ahead = begun + _AHEAD_SECONDS
        for part in self._parts:
            part.due = begun + part.sampler.interval * uniform(0.0, 1.0)
        while True:
            channel.check()
            now = clock.monotonic()
            active = [part for part in self._parts if part.active]
            if now - begun >= seconds or not active:
                break
            if now - told >= 1.0:
                told += 1.0
                channel.progress(round(now - begun, 1), seconds, self._progress())
            for part in active:
                if part.due <= now:
                    part.tick(now)
                    now = clock.monotonic()
            if now >= ahead:
                used = clock.thread_time()
                self._send_ahead()
                now = clock.monotonic()
                ahead = now + max(
                    _AHEAD_SECONDS, (_AHEAD_GROWTH - 1) * (now - begun), (clock.thread_time() - used) / _AHEAD_SHARE
                )
            until = min([part.due for part in active] + [begun + seconds])
            clock.sleep(min(max(0.0, until - clock.monotonic()), _LONGEST_NAP))

    def _progress(self) -> str:
        texts: List[str] = []
        for method, words in ((KERNEL, "from the kernel"), (MEMORY, "by reading its memory")):
            count = sum(len(part.pids) for part in self._parts if part.active and part.method == method)
            if count:
                texts.append("%d process%s %s" % (count, "" if count == 1 else "es", words))
        return ", ".join(texts).replace("es by reading its", "es by reading their")

    def send(self) -> None:
        """Send what was seen of each process. All stop before the first is sent."""
        recordings: Dict[int, Recording] = {}
        for part in self._parts:
            if part.failure is not None:
                for pid in part.pids:
                    self._request.fail(self._request.explain(part.failure, pid), pid)
                continue
            used = clock.thread_time()
            try:
                taken = part.finish()
            except Exception as error:  # what goes wrong here must not end the others
                for pid in part.pids:
                    self._request.fail(self._request.explain(error, pid), pid)
                continue
            part.cpu += clock.thread_time() - used
            for one in taken.values():
                one.own_cpu = part.cpu / max(1, len(taken))
            recordings.update(taken)
        idle = self._idle_parents(recordings)
        for pid in self._targets:
            recording = recordings.get(pid)
            if recording is not None and pid not in idle:
                self._request.channel.check()
                with self._request.guarded(pid):
                    self._request.result(self._result(pid, recording))

    def _idle_parents(self, recordings: Dict[int, Recording]) -> Dict[int, float]:
        """The parents that did nothing but wait, and what they used; not where nothing else is left."""
        if self._parents is None or not set(recordings) - set(self._parents.pids):
            return {}
        used: Dict[int, float] = {}
        for pid in self._parents.pids:
            recording = recordings.get(pid)
            if recording is not None:
                cpu = sum(times.cpu for times in recording.threads.values())
                if not is_work(cpu, recording.seconds):
                    used[pid] = cpu
        self._parents.name_left_out(list(used), used, self._options.seconds, "measures")
        return used

    def _send_ahead(self) -> None:
        """Send what has been seen of each process so far."""
        for part in self._parts:
            if not part.active:
                continue
            try:
                seen = part.so_far()
            except Exception as error:  # what goes wrong here must not end the others
                part.failure = error
                continue
            for pid, recording in seen.items():
                with self._request.guarded(pid):
                    recording.own_cpu = part.cpu / max(1, len(seen))
                    content = self._result(pid, recording)
                    content["kind"] = "timeSoFar"
                    self._request.result(content)

    def _result(self, pid: int, recording: Recording) -> Dict[str, Any]:
        if recording.throttled is None:
            throttle = self._throttles[pid]
            recording.throttled = throttle.seconds()
            if recording.throttled is None and throttle.note:
                recording.notes.append(throttle.note)
        content = report.build(recording, self._options.wants, self._options.minimum)
        why = self._why.get(pid)
        content.update(self._about[pid])
        content["version"] = self._targets[pid].version
        content["why"] = None if why is None else why.message
        content["whyCause"] = None if why is None else why.cause
        content["whyFound"] = None if why is None else why.detail.get("found")
        return content

    def close(self) -> None:
        """Let go of all processes."""
        for part in self._parts:
            part.sampler.close()


def _kernel_sampler(chosen: Options) -> Any:
    from .kernel_sampler import RATE, KernelSampler

    return KernelSampler(
        rate=chosen.rate or RATE, depth=chosen.depth, exact=chosen.exact, force=chosen.force
    )
