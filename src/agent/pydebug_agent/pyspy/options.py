"""What a "pyspy" request asks for, checked: options, processes, a rate that the target can bear."""

from __future__ import annotations

from typing import List

from .. import wire
from ..system.errors import AgentError
from ..system.memory_limit import is_low_allowed, mebibytes, read_memory, refusal
from ..target.processes import Processes
from ..target.request import Request

_ALLOWED = {
    "dump": {"--native", "--nonblocking", "--locals", "--full-filenames"},
    "record": {"--native", "--nonblocking", "--gil", "--idle", "--function", "--nolineno", "--full-filenames"},
}
_SHORT = {"-n": "--native", "-g": "--gil", "-i": "--idle", "-F": "--function", "-l": "--locals"}
_ALLOWED["top"] = _ALLOWED["record"]
# Each thread of a process that is stopped for a sample costs it about this much.
_SECONDS_PER_THREAD = 47e-6
_BEARABLE = 0.15
_MANY_THREADS = 64
_MEMORY_EACH, _MEMORY_FIRST = 12 << 20, 8 << 20


def arguments(request: Request, mode: str) -> List[str]:
    """Return the options to pass on; raise at one that would change what py-spy writes where."""
    if mode not in _ALLOWED:
        raise AgentError(wire.BAD_REQUEST, f"There is no mode {mode!r}.")
    value = request.body.get("arguments")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise AgentError(wire.BAD_REQUEST, "Parameter 'arguments' must be a list of strings.")
    chosen: List[str] = []
    for entry in value:
        many = len(entry) - 1 if entry in ("-ll", "-lll", "-llll") else 0
        options = ["--locals"] * many if many else [_SHORT.get(entry, entry)]
        if options[0] not in _ALLOWED[mode]:
            raise AgentError(wire.BAD_REQUEST, f"{entry!r} is no option of py-spy {mode} that is passed on.")
        chosen += options
    return chosen


def targets(request: Request, found: Processes) -> List[int]:
    """Return the processes meant, with those below them where the request asks for it."""
    rest = request.process_ids("rest")
    if rest is not None:
        # An agent before this one chose them, and was cut off before it came to them.
        return rest
    named = request.pids()
    if named is None and request.text("mode") != "dump":
        return found.workers()
    if named is None or not request.flag("subprocesses"):
        return found.choose(named)
    chosen: List[int] = []
    for pid in named:
        pythons, others = found.below(pid)
        # A shell that started the application is passed over for what it started.
        if pid in found.pythons or not pythons:
            chosen.append(pid)
        chosen += pythons
        for other, name in others:
            text = f"Process {other} ({name}) below {pid} is not Python: left out."
            request.channel.warn(wire.NOT_PYTHON, text, other)
    return list(dict.fromkeys(chosen))


def rate(request: Request, pid: int, chosen: List[str]) -> int:
    """Return the rate for a process: lower where stopping its many threads would slow it down."""
    wanted = int(request.number("rate", 100, 1, 10000))
    if "--nonblocking" in chosen:
        return wanted
    try:
        threads = request.proc.stat(pid).threads
    except (OSError, ValueError):
        return wanted
    bearable = max(1, int(_BEARABLE / (threads * _SECONDS_PER_THREAD)))
    if threads < _MANY_THREADS or wanted <= bearable:
        return wanted
    request.channel.warn(
        wire.MANY_THREADS,
        f"Process {pid} has {threads} threads, all stopped for each sample: the rate is {bearable} instead of "
        f"{wanted} a second, which would slow it down.",
        pid,
    )
    return bearable


def that_fit(request: Request, pids: List[int]) -> List[int]:
    """Return the processes for which a py-spy each fits in memory; fail the others."""
    memory = read_memory(request.proc)
    if memory.headroom is None or is_low_allowed():
        return pids
    most = max(0, memory.headroom - _MEMORY_FIRST) // _MEMORY_EACH
    for number, pid in enumerate(pids[most:], most + 1):
        needed = _MEMORY_FIRST + number * _MEMORY_EACH
        what = f"A recording of process {pid}" + (f", beside {number - 1} more," if number > 1 else "")
        request.fail(refusal(memory, needed, f"{what} needs {mebibytes(needed)} of memory"), pid)
    return pids[:most]
