"""What py-spy says, in numbers and causes."""

from __future__ import annotations

import os
from typing import List, Optional, Tuple

from .. import wire
from ..system.errors import AgentError
from ..system.proc import Proc, text_of
from ..system.ptrace_access import ptrace_denied
from ..tools.aftercare import stopped

EXITED = "Stopped sampling because process exited"

# Said of every good recording.
_USUAL = ("Sampling process ", "Stopped sampling because Control-C", "Wrote speedscope", "Visit https:")
_DENIED = ("permission denied", "operation not permitted", "(os error 1)", "(os error 13)")
_GONE = ("No such process", "(os error 3)")
_NO_PYTHON = (
    "Failed to find python version", "Failed to get python version", "Failed to find a python", "Failed to find python",
)
_MOST_LINES = 40
_LONGEST_LINE = 400
_YOUNG_SECONDS = 5.0


def clean(raw: bytes) -> List[str]:
    """Return py-spy's lines without its prefix, its Rust backtraces and its advice to use sudo."""
    lines: List[str] = []
    for line in text_of(raw).replace("\r", "\n").split("\n"):
        if line.startswith("Stack backtrace:"):
            break
        line = _plain(line)
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
    return [line for line in lines if not line.startswith(_USUAL)]


def counts(lines: List[str]) -> Tuple[Optional[int], Optional[int]]:
    """Return how many samples were taken and how many failed."""
    for line in reversed(lines):
        _, found, rest = line.partition("Samples: ")
        samples, between, errors = rest.partition(" Errors: ")
        errors = _leading(errors, "0123456789")
        if found and between and samples.isdigit() and errors:
            return int(samples), int(errors)
    return None, None


def behind(lines: List[str]) -> Optional[float]:
    """Return by how many seconds the sampling fell behind at most, None where it did not."""
    found: List[float] = []
    for line in lines:
        words, said, _ = line.partition("s behind in sampling")
        try:
            found += [float(words.rpartition(" ")[2])] if said else []
        except ValueError:
            continue
    return max(found) if found else None


def is_stopped(pid: int) -> AgentError:
    """Return the failure of a process that stands still whatever py-spy does."""
    return AgentError(
        wire.TOOL_FAILED,
        f"Process {pid} is stopped (SIGSTOP, or a debugger): py-spy cannot stop it for a read.",
        pid,
        {"reason": "stopped"},
    )


def failure(
    pid: int,
    code: Optional[int],
    lines: List[str],
    proc: Proc,
    age: Optional[float],
    known: Optional[str] = None,
) -> AgentError:
    """Return the failure behind a py-spy that gave nothing.

    ``age`` is that of the process in seconds, ``known`` the version of the Python that is in it for certain.
    """
    text = "\n".join(lines)
    detail = {"exit": code, "messages": lines}
    if not proc.exists(pid) or _has_any(text, _GONE):
        return AgentError(wire.PROCESS_GONE, f"Process {pid} is gone.", pid, detail)
    if _has_any(text.lower(), _DENIED):
        error = ptrace_denied(pid, proc)
        error.detail.update(detail)
        return error
    if "No space left on device" in text:
        return AgentError(wire.DISK_FULL, "The debug container's disk is full: py-spy could not write.", pid, detail)
    if _has_any(text, _NO_PYTHON):
        if age is not None and age < _YOUNG_SECONDS:
            return AgentError(wire.PYTHON_STARTING, f"The Python of process {pid} is still starting.", pid, detail)
        if known is not None:
            words = next((line for line in lines if line.startswith("Error:")), "Error").partition("Error: ")[2]
            return AgentError(
                wire.TOOL_FAILED,
                f"py-spy cannot read the Python {known} of process {pid}" + (f" ({words})." if words else "."),
                pid,
                {**detail, "reason": "unread"},
            )
        return AgentError(wire.NO_PYTHON, f"py-spy finds no Python in process {pid}.", pid, detail)
    if stopped(pid, proc):
        return is_stopped(pid)
    if "UNW_" in text:
        return AgentError(
            wire.TOOL_FAILED,
            f"py-spy cannot follow the native frames of process {pid}; without them it can.",
            pid,
            detail,
        )
    if code is not None and code < 0:
        return AgentError(wire.TOOL_FAILED, f"py-spy was ended by signal {-code} at process {pid}.", pid, detail)
    said = next((line for line in lines if line.startswith("Error:")), lines[-1] if lines else "nothing")
    return AgentError(wire.TOOL_FAILED, f"py-spy failed at process {pid}: {said}", pid, detail)


def _has_any(text: str, words: Tuple[str, ...]) -> bool:
    return any(word in text for word in words)


def _leading(text: str, letters: str) -> str:
    """Return the beginning of a text that is made of some letters."""
    return text[: len(text) - len(text.lstrip(letters))]


def _plain(line: str) -> str:
    """Return a line without control characters and the terminal's commands."""
    parts = line.split("\x1b[")
    for place in range(1, len(parts)):
        end = len(_leading(parts[place], "0123456789;?"))
        letter = parts[place][end : end + 1]
        parts[place] = parts[place][end + 1 :] if letter.isascii() and letter.isalpha() else "[" + parts[place]
    return "".join(letter for letter in "".join(parts) if letter == "\t" or " " <= letter != "\x7f")


def head(descriptor: int, most: int = 1 << 16) -> bytes:
    """Return what stands at both ends of a file, which is all of it where it is short."""
    if descriptor < 0:
        return b""
    size = os.fstat(descriptor).st_size
    if size <= most:
        return os.pread(descriptor, most, 0)
    return os.pread(descriptor, most // 2, 0) + b"\n" + os.pread(descriptor, most // 2, size - most // 2)
