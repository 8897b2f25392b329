"""What can be asked: where it is done, the memory that takes, and what it is called.

The client reads the first text of each, too: it sends what that module imports.
"""

from __future__ import annotations

from typing import Dict, NamedTuple

_MIB = 1 << 20


class Operation(NamedTuple):
    """One of the questions.

    ``where`` is a function of a module of this package. ``needs`` are the bytes that it takes beyond what the agent
    has when it has looked at the memory that is left, ``words`` what needs them. ``leaves`` says whether it starts
    something that must be ended in good order where this process is killed.
    """

    where: str
    needs: int
    words: str
    leaves: bool = False


OPERATIONS: Dict[str, Operation] = {
    "ping": Operation("target.run.ping", 0, "An answer"),
    "probe": Operation("target.run.probe", 1 * _MIB, "A look at the target"),
    "examine": Operation("examine.run.examine", 2 * _MIB, "A look at the node"),
    "stop": Operation("target.run.stop", 0, "The end"),
    "processes": Operation("target.run.processes", 1 * _MIB, "A list of the processes"),
    "stack": Operation("reader.run.stack", 4 * _MIB, "Reading stacks"),
    "tasks": Operation("reader.run.tasks", 5 * _MIB, "Reading tasks"),
    "time": Operation("timing.run.time", 5 * _MIB, "Measuring time"),
    "watch": Operation("watch.run.watch", 5 * _MIB, "Watching processes"),
    "heap": Operation("heap.run.heap", 16 * _MIB, "Reading the heap"),
    "pyspy": Operation("pyspy.run.run", 10 * _MIB, "py-spy", True),
    "memray": Operation("memray.run.memray", 24 * _MIB, "memray", True),
    "memrayRead": Operation("memray.run.memray_read", 16 * _MIB, "Reading a capture", True),
    "bpftrace": Operation("bpftrace.run.run", 40 * _MIB, "bpftrace", True),
    "get": Operation("transfer.get.get", 2 * _MIB, "Copying a file"),
    "held": Operation("transfer.kept.held", 2 * _MIB, "Going on with a file"),
    "put": Operation("transfer.put.put", 2 * _MIB, "Copying a file", True),
}
