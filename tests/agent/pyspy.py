"""py-spy for tests: the real one where there is one, and a stand-in that does what a test tells it."""

from __future__ import annotations

import hashlib
import os
import time
import zipfile
import zlib
from pathlib import Path
from typing import Any, List, Optional

from .driver import Agent, Frame

_MACHINE = os.uname().machine
_ROOT = Path(__file__).resolve().parents[2]
_PLACES = (*os.environ.get("PIP_FIND_LINKS", "").split(), str(_ROOT.parent / "shared/wheelhouse"))


def real() -> Optional[bytes]:
    """Return py-spy's binary: PYDEBUG_PYSPY (the binary or its wheel), a built payload, or a wheel found nearby."""
    named = os.environ.get("PYDEBUG_PYSPY")
    if named:
        return _read(Path(named))
    candidates = sorted(_ROOT.glob(f"out/module/PyDebug/bin/payload/**/*py-spy*{_MACHINE}*"))
    for place in _PLACES:
        if Path(place).is_dir():
            candidates += sorted(Path(place).glob(f"py_spy-*{_MACHINE}*.whl"))
    for path in candidates:
        binary = _read(path)
        if binary is not None:
            return binary
    return None


def _read(path: Path) -> Optional[bytes]:
    data = path.read_bytes()
    if data[:2] == b"PK":
        with zipfile.ZipFile(path) as wheel:
            name = next(entry for entry in wheel.namelist() if entry.endswith("/scripts/py-spy"))
            data = wheel.read(name)
    elif data[:2] == b"\x1f\x8b" or data[:1] == b"\x78":
        data = zlib.decompress(data, 47)
    return data if data[:4] == b"\x7fELF" else None


def stand_in(body: str, version: str = "py-spy 0.4.3") -> bytes:
    """Return a program that answers --version and else runs ``body`` with $mode, $pid and $output set."""
    return f"""#!/bin/sh
[ "$1" = --version ] && {{ echo "{version}"; exit 0; }}
mode=$1; shift
while [ $# -gt 0 ]; do
  case "$1" in --pid) pid=$2;; --output) output=$2;; esac
  shift
done
{body}
""".encode()


def ask(
    agent: Agent, binary: bytes, pack: bool = False, digest: Optional[str] = None, **parameters: Any
) -> List[Frame]:
    """Send a "pyspy" request, hand over the binary if asked, and return the whole answer."""
    begin(agent, binary, digest, **parameters)
    return answer(agent, binary, pack)


def begin(agent: Agent, binary: bytes, digest: Optional[str] = None, **parameters: Any) -> None:
    """Send a "pyspy" request."""
    parameters.setdefault("mode", "dump")
    agent.request("pyspy", sha256={_MACHINE: digest or hashlib.sha256(binary).hexdigest()}, **parameters)


def answer(agent: Agent, binary: bytes, pack: bool = False, seconds: float = 120.0) -> List[Frame]:
    """Return the answer up to its trailer, acknowledged."""
    frames: List[Frame] = []
    until = time.monotonic() + seconds
    while True:
        got = agent.next(max(0.01, until - time.monotonic()))
        frames.append(got)
        if got.kind == "N":
            give(agent, zlib.compress(binary) if pack else binary)
        if got.kind in ("T", ""):
            break
    if frames[-1].kind == "T":
        agent.send("A")
    agent.process.wait(30)
    return frames


def give(agent: Agent, data: bytes) -> None:
    """Send a payload as the client does."""
    for start in range(0, len(data), 32768):
        agent.send("D", data[start : start + 32768])
    agent.send("Z")


def content(frames: List[Frame]) -> bytes:
    """Return the file chunks of an answer."""
    return b"".join(got.payload for got in frames if got.kind == "G")
