"""What py-spy says, in numbers and causes."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from .access import ptrace_denied
from .errors import (
    DISK_FULL,
    NO_PYTHON,
    PROCESS_GONE,
    PYTHON_STARTING,
    TOOL_FAILED,
    AgentError,
)
from .proc import Proc, text_of

EXITED = "Stopped sampling because process exited"

_COUNTS = re.compile(r"Samples: (\d+) Errors: (\d+)")
_BEHIND = re.compile(r"([0-9.]+)s behind in sampling")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
# Said of every good recording.
_USUAL = re.compile(r"Sampling process \d|Stopped sampling because Control-C|Wrote speedscope|Visit https:")
_DENIED = re.compile(r"Permission denied|Operation not permitted|\(os error (?:1|13)\)", re.IGNORECASE)
_GONE = re.compile(r"No such process|\(os error 3\)")
_NO_PYTHON = re.compile(r"Failed to (?:find|get) python version|Failed to find (?:a )?python")
_MOST_LINES = 40
_LONGEST_LINE = 400
_YOUNG_SECONDS = 5.0


def clean(raw: bytes) -> List[str]:
    """Return py-spy's lines without its prefix, its Rust backtraces and its advice to use sudo."""
    lines: List[str] = []
    for line in text_of(raw).replace("\r", "\n").split("\n"):
        if line.startswith("Stack backtrace:"):
            break
        line = _CONTROL.sub("", line)
        if "sudo" in line:
            line = line.split(":")[0]
        if line.startswith("py-spy>"):
            line = line[len("py-spy>") :]
        line = line.strip()[:_LONGEST_LINE]
        # It tells about being behind over and over.
        if line and (not lines or lines[-1] != line):
            lines.append(line)
    return lines if len(lines) <= _MOST_LINES else lines[: _MOST_LINES // 2] + lines[-_MOST_LINES // 2 :]


def unusual(lines: List[str]) -> List[str]:
    """Return the lines that say more than that all went well."""
    return [line for line in lines if _USUAL.match(line) is None]


def counts(lines: List[str]) -> Tuple[Optional[int], Optional[int]]:
    """Return how many samples were taken and how many failed."""
    for line in reversed(lines):
        match = _COUNTS.search(line)
        if match is not None:
            return int(match.group(1)), int(match.group(2))
    return None, None


def behind(lines: List[str]) -> Optional[float]:
    """Return by how many seconds the sampling fell behind at most, None where it did not."""
    found = [float(match.group(1)) for match in map(_BEHIND.search, lines) if match is not None]
    return max(found) if found else None


def failure(pid: int, code: Optional[int], lines: List[str], proc: Proc, age: Optional[float]) -> AgentError:
    """Return the failure behind a py-spy that gave nothing; ``age`` is that of the process in seconds."""
    text = "\n".join(lines)
    detail = {"exit": code, "messages": lines}
    if not proc.exists(pid) or _GONE.search(text):
        return AgentError(PROCESS_GONE, f"Process {pid} is gone.", pid, detail)
    if _DENIED.search(text):
        error = ptrace_denied(pid, proc)
        error.detail.update(detail)
        return error
    if "No space left on device" in text:
        return AgentError(DISK_FULL, "The debug container's disk is full: py-spy could not write.", pid, detail)
    if _NO_PYTHON.search(text):
        if age is not None and age < _YOUNG_SECONDS:
            return AgentError(PYTHON_STARTING, f"The Python of process {pid} is still starting.", pid, detail)
        return AgentError(NO_PYTHON, f"py-spy finds no Python in process {pid}.", pid, detail)
    if "UNW_" in text:
        return AgentError(
            TOOL_FAILED, f"py-spy cannot follow the native frames of process {pid}; without them it can.", pid, detail
        )
    if code is not None and code < 0:
        return AgentError(TOOL_FAILED, f"py-spy was ended by signal {-code} at process {pid}.", pid, detail)
    said = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "nothing")
    return AgentError(TOOL_FAILED, f"py-spy failed at process {pid}: {said}", pid, detail)
