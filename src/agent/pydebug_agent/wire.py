"""The names that module and agent share. Made by the build out of src/wire/wire.json."""

from __future__ import annotations

from typing import Dict, NamedTuple

VERSION = 1

# The letters of frames.
REQUEST = "Q"
DATA = "D"
END_OF_DATA = "Z"
CANCEL = "C"
KEEP_ALIVE = "K"
ACKNOWLEDGE = "A"
HELLO = "H"
RESULT = "R"
PROGRESS = "P"
FILE = "F"
HASHED_FILE = "G"
NEED = "N"
MODULES = "M"
WARNING = "W"
FAILURE = "E"
HEARTBEAT = "B"
TRAILER = "T"

# The codes that the agent ends with.
EXIT_FAILURES = 1
EXIT_BAD_REQUEST = 2
EXIT_LOST = 3
EXIT_OVERDUE = 4
EXIT_INTERNAL = 70
EXIT_DEADLINE = 124
EXIT_CANCELLED = 130

# The causes of failures.
AMBIGUOUS_PROCESS = "AmbiguousProcess"
ASYNCIO_NOT_LOADED = "AsyncioNotLoaded"
BAD_REQUEST = "BadRequest"
CANCELLED = "Cancelled"
CAPTURE_INVALID = "CaptureInvalid"
DEADLINE = "Deadline"
DISK_FULL = "DiskFull"
FILE_CHANGED = "FileChanged"
FILE_DENIED = "FileDenied"
FILE_EXISTS = "FileExists"
FILE_NOT_FOUND = "FileNotFound"
FILE_NOT_REGULAR = "FileNotRegular"
HEAP_ALLOCATOR = "HeapAllocator"
HEAP_UNREADABLE = "HeapUnreadable"
INTERNAL = "Internal"
KERNEL = "Kernel"
LIMIT_EXCEEDED = "LimitExceeded"
LOCKDOWN = "Lockdown"
MEMORY_LOW = "MemoryLow"
MEMRAY_BUSY = "MemrayBusy"
MEMRAY_FAILED = "MemrayFailed"
MEMRAY_NO_ANSWER = "MemrayNoAnswer"
MEMRAY_NO_PAYLOAD = "MemrayNoPayload"
MEMRAY_NO_PLACE = "MemrayNoPlace"
MEMRAY_REHEARSAL = "MemrayRehearsal"
MEMRAY_UNSAFE = "MemrayUnsafe"
NO_BTF = "NoBtf"
NO_CAPABILITY = "NoCapability"
NO_CTYPES = "NoCtypes"
NO_PYTHON = "NoPython"
NO_TRACEFS = "NoTracefs"
NOT_CPYTHON = "NotCPython"
OLD_PYTHON = "OldPython"
PROCESS_GONE = "ProcessGone"
PROCESS_OUTSIDE = "ProcessOutside"
PROCESS_TRACED = "ProcessTraced"
PTRACE_DENIED = "PtraceDenied"
PYTHON_STARTING = "PythonStarting"
SECCOMP = "Seccomp"
TARGET_NOT_TOLD = "TargetNotTold"
TARGET_NOT_VISIBLE = "TargetNotVisible"
TOO_MANY_SWITCHES = "TooManySwitches"
TOO_MANY_THREADS = "TooManyThreads"
TOOL_FAILED = "ToolFailed"
TOOL_UNAVAILABLE = "ToolUnavailable"
UNSUPPORTED_PYTHON = "UnsupportedPython"

# The ids of warnings.
ANOTHER_PYTHON = "AnotherPython"
CAPTURE_LIMIT = "CaptureLimit"
CAPTURE_UNREADABLE = "CaptureUnreadable"
FILE_GREW = "FileGrew"
GREENLETS = "Greenlets"
LAST_WORDS = "LastWords"
MANY_THREADS = "ManyThreads"
NOT_PYTHON = "NotPython"
PARENT_LEFT_OUT = "ParentLeftOut"
PROCESS_ENDED = "ProcessEnded"
PROCESS_EXITED = "ProcessExited"
PROCESS_REPLACED = "ProcessReplaced"
PROGRAMS_UNREAD = "ProgramsUnread"
REHEARSED_ELSE = "RehearsedElse"
STOP_DELAYED = "StopDelayed"
TRACKER_ENDED = "TrackerEnded"


class Operation(NamedTuple):
    """One of the questions.

    ``where`` is a function of a module of this package. ``needs`` are the bytes that it takes beyond what the
    agent has when it has looked at the memory that is left, ``words`` what needs them. ``leaves`` says whether
    it starts something that must be ended in good order where this process is killed.
    """

    where: str
    needs: int
    words: str
    leaves: bool


OPERATIONS: Dict[str, Operation] = {
    "probe": Operation(
        "target.run.probe", 1 << 20, "A look at the target", False
    ),
    "examine": Operation(
        "examine.run.examine", 2 << 20, "A look at the node", False
    ),
    "stop": Operation(
        "target.run.stop", 0 << 20, "The end", False
    ),
    "processes": Operation(
        "target.run.processes", 1 << 20, "A list of the processes", False
    ),
    "stack": Operation(
        "reader.run.stack", 4 << 20, "Reading stacks", False
    ),
    "tasks": Operation(
        "reader.run.tasks", 5 << 20, "Reading tasks", False
    ),
    "time": Operation(
        "timing.run.time", 5 << 20, "Measuring time", False
    ),
    "watch": Operation(
        "watch.run.watch", 5 << 20, "Watching processes", False
    ),
    "heap": Operation(
        "heap.run.heap", 16 << 20, "Reading the heap", False
    ),
    "pyspy": Operation(
        "pyspy.run.run", 10 << 20, "py-spy", True
    ),
    "memray": Operation(
        "memray.run.memray", 27 << 20, "memray", True
    ),
    "memrayRead": Operation(
        "memray.run.memray_read", 16 << 20, "Reading a capture", True
    ),
    "bpftrace": Operation(
        "bpftrace.run.run", 40 << 20, "bpftrace", True
    ),
    "get": Operation(
        "transfer.get.get", 2 << 20, "Copying a file", False
    ),
    "held": Operation(
        "transfer.kept.held", 2 << 20, "Going on with a file", False
    ),
    "put": Operation(
        "transfer.put.put", 2 << 20, "Copying a file", True
    ),
}
