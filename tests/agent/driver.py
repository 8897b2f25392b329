"""The client's side of the agent's protocol, for tests."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import queue
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

AGENT = Path(__file__).resolve().parents[2] / "src" / "agent"
sys.path.insert(0, str(AGENT))

from pydebug_agent.wire import OPERATIONS

FLAGS = ("-I", "-S", "-B")
_END = ("", b"")


class Frame(NamedTuple):
    """One frame as it came."""

    kind: str
    payload: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


def boot() -> str:
    """Return the program that the engine puts on the command line."""
    return (AGENT / "boot.py").read_text().strip()


def keeper_boot() -> str:
    """Return the command of a debug container, as the engine puts it in the pod's spec."""
    return (AGENT / "keeper_boot.py").read_text().strip()


def keeper() -> str:
    """Return its program, which is in the variable PYDEBUG_KEEPER."""
    return (AGENT / "keeper.py").read_text()


def modules() -> Dict[str, str]:
    """Return the agent's modules under the names that the engine gives them."""
    sources: Dict[str, str] = {"keeper": (AGENT / "keeper.py").read_text()}
    for path in sorted((AGENT / "pydebug_agent").rglob("*.py")):
        parts = list(path.relative_to(AGENT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        sources[".".join(parts)] = path.read_text()
    return sources


def needed(sources: Dict[str, str], *first: str) -> List[str]:
    """Return the modules that some import, wherever in them they do, and those that these import."""
    found: List[str] = []
    left = list(first)
    while left:
        name = left.pop()
        if name in sources and name not in found:
            found.append(name)
            is_package = any(other.startswith(name + ".") for other in sources)
            left += [name.rpartition(".")[0], *_imported(name, sources[name], is_package)]
    return sorted(found)


@functools.lru_cache(maxsize=None)
def _imported(name: str, source: str, is_package: bool) -> List[str]:
    found: List[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = name.split(".")
            base = parts[: len(parts) + is_package - node.level] if node.level else []
            whole = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            found += [whole, *(f"{whole}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in (
            "program", "source_of"):
            # The text of a module that is run elsewhere.
            if node.args and isinstance(node.args[0], ast.Constant):
                found.append(f"{name.rpartition('.')[0]}.{node.args[0].value}")
    return ["pydebug_agent.typing" if other == "typing" else other for other in found]


@functools.lru_cache(maxsize=None)
def block(content: bytes) -> bytes:
    """Return one block of what the boot program reads."""
    packed = zlib.compress(content)
    return struct.pack(">I", len(packed)) + packed


def packed_modules(sources: Dict[str, str], names: Sequence[str]) -> bytes:
    """Return modules as the loader takes them."""
    texts = {name: sources[name].encode() for name in names}
    return b"".join(b"%s %d\n%s" % (name.encode(), len(text), text) for name, text in texts.items())


def start_up(
    sources: Optional[Dict[str, str]] = None,
    op: Optional[str] = None,
    kept: Optional[Dict[str, Any]] = None,
    **told: object,
) -> bytes:
    """Return the first bytes the agent reads: all modules, or those that one operation needs, as the engine sends them.

    ``told`` is what the agent must know before it reads the request, ``kept`` what one before it said that it kept.
    """
    sources = sources if sources is not None else modules()
    first = needed(sources, "pydebug_agent.entry")
    rest = sorted(sources)
    if op is not None:
        where = OPERATIONS[op].where.rpartition(".")[0]
        rest = needed(sources, "pydebug_agent.main", f"pydebug_agent.{where}")
    kept = kept or {}
    first, rest = ([name for name in names if name not in kept.get("modules", ())] for names in (first, rest))
    header = "".join(f"{name} {value}\n" for name, value in {"op": op or "", **told}.items())
    if kept:
        header += "code {size} {sha256} {magic} {path}\n".format(**kept)
    return b"".join(
        (
            block((AGENT / "loader.py").read_bytes()),
            block(header.encode()),
            block(packed_modules(sources, first)),
            block(packed_modules(sources, [name for name in rest if name not in first])),
        )
    )


def frame(kind: str, payload: bytes = b"") -> bytes:
    """Return one frame as bytes."""
    return struct.pack(">IB", len(payload), ord(kind)) + payload


# How often an agent that is waited for hears that somebody is there, as from a client.
KEEP_ALIVE_SECONDS = 5.0


class Agent:
    """An agent process and the conversation with it; checks the trailer of every answer."""

    def __init__(
        self,
        python: str = sys.executable,
        prefix: Sequence[str] = (),
        environment: Optional[Dict[str, str]] = None,
        sources: Optional[Dict[str, str]] = None,
        op: Optional[str] = None,
        told: Optional[Dict[str, object]] = None,
        kept: Optional[Dict[str, Any]] = None,
        **options: Any,
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, python, *FLAGS, "-c", boot()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            **options,
        )
        self._frames: "queue.Queue[Tuple[str, bytes]]" = queue.Queue()
        self._errors: List[bytes] = []
        self._raw = hashlib.sha256()
        self._length = 0
        self.trailer_good: Optional[bool] = None
        for work in (self._read_out, self._read_errors):
            threading.Thread(target=work, daemon=True).start()
        self.write(start_up(sources, op, kept, **(told or {})))

    def __enter__(self) -> "Agent":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass

    def _keep_alive(self) -> None:
        try:
            self.send("K")
        except (OSError, ValueError):
            # It is gone, or its input was closed by the test.
            pass

    def write(self, data: bytes) -> None:
        self._spoke = time.monotonic()
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, kind: str, content: Any = b"") -> None:
        self.write(frame(kind, content if isinstance(content, bytes) else json.dumps(content).encode()))

    def request(self, op: str, **parameters: Any) -> None:
        self.send("Q", {"v": 1, "op": op, "deadline": 60.0, **parameters})

    def next(self, seconds: float = 30.0) -> Frame:
        """Return the next frame that is no heartbeat; kind "" at the end of the stream."""
        until = time.monotonic() + seconds
        while True:
            try:
                kind, payload = self._frames.get(timeout=max(0.01, min(KEEP_ALIVE_SECONDS, until - time.monotonic())))
            except queue.Empty:
                kind, payload = "B", b""
                if time.monotonic() >= until:
                    raise
            if time.monotonic() - self._spoke > KEEP_ALIVE_SECONDS:
                self._keep_alive()
            if kind != "B":
                return Frame(kind, payload)

    def until(self, kind: str, seconds: float = 30.0) -> Frame:
        """Return the next frame of a kind, dropping others."""
        end = time.monotonic() + seconds
        while True:
            got = self.next(max(0.01, end - time.monotonic()))
            if got.kind == kind or got.kind == "":
                return got

    def finish(self, seconds: float = 60.0, acknowledge: bool = True) -> List[Frame]:
        """Return all frames up to the trailer, acknowledge it and wait for the end."""
        frames: List[Frame] = []
        end = time.monotonic() + seconds
        while True:
            got = self.next(max(0.01, end - time.monotonic()))
            frames.append(got)
            if got.kind in ("T", ""):
                break
        if frames[-1].kind == "T" and acknowledge:
            self.send("A")
        self.process.wait(30)
        return frames

    def ask(self, op: str, **parameters: Any) -> List[Frame]:
        """Send a request and return the whole answer."""
        self.request(op, **parameters)
        return self.finish()

    @property
    def stderr(self) -> str:
        return b"".join(self._errors).decode(errors="replace")

    def _read_out(self) -> None:
        stream = self.process.stdout
        while True:
            try:
                header = stream.read(5)
                if len(header) < 5:
                    break
                length, code = struct.unpack(">IB", header)
                payload = stream.read(length)
            except ValueError:
                # Closed by the end of the conversation.
                break
            if chr(code) == "T":
                content = json.loads(payload)
                self.trailer_good = (
                    content["length"] == self._length and content["sha256"] == self._raw.hexdigest()
                )
            # A file has a hash of its own.
            self._raw.update(header if chr(code) == "G" else header + payload)
            self._length += 5 + length
            self._frames.put((chr(code), payload))
        self._frames.put(_END)

    def _read_errors(self) -> None:
        for line in self.process.stderr:
            self._errors.append(line)


def results(frames: Sequence[Frame], kind: Optional[str] = None) -> List[Dict[str, Any]]:
    """Return the R frames' contents, those of one kind if it is given."""
    found = [entry.json for entry in frames if entry.kind == "R"]
    return [entry for entry in found if kind is None or entry["kind"] == kind]


def failures(frames: Sequence[Frame]) -> List[Dict[str, Any]]:
    """Return the E frames' contents."""
    return [entry.json for entry in frames if entry.kind == "E"]


def wait_for(condition: Callable[[], Any], seconds: float = 30.0) -> Any:
    """Poll until the condition holds and return its value; raise when it never does."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError(f"nothing came of it within {seconds} s")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rsplit(b")", 1)[1].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def python_versions() -> Dict[str, str]:
    """Return the interpreters to test on: this one, those in PYDEBUG_PYTHONS (a path list) and pyenv's."""
    found: Dict[str, str] = {}
    places = [path for path in os.environ.get("PYDEBUG_PYTHONS", "").split(os.pathsep) if path]
    places += [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3"))]
    places += ["/usr/bin/python3", sys.executable]
    for place in places:
        if not os.access(place, os.X_OK):
            continue
        run = subprocess.run(
            [place, "-ISc", "import sys; print('.'.join(map(str, sys.version_info[:3])))"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        version = run.stdout.decode().strip()
        if run.returncode == 0 and tuple(map(int, version.split(".")[:2])) >= (3, 8):
            found.setdefault(version, place)
    return found
