"""Payloads of memray, targets to be tracked, and debug containers beside them, for tests."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import zlib
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

from . import pyspy
from .driver import Agent, Frame
from .reader_support import Python, ReaderTest, Running, cache, pythons

ROOT = Path(__file__).resolve().parents[2]
MACHINE = os.uname().machine
USER = 10001
# What a container's root may, and what it may in a debug container of profile General.
_RIGHTS = (
    "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,+sys_chroot,"
    "+mknod,+audit_write,+setfcap"
)
ORDINARY = ["setpriv", f"--bounding-set={_RIGHTS}", "--inh-caps=-all"]
GENERAL = [
    "setpriv", "--bounding-set=-all,+chown,+dac_override,+kill,+setgid,+setuid,+sys_chroot,+sys_ptrace",
    "--inh-caps=-all",
]
_MADE = Path(tempfile.gettempdir()) / f"pydebug-test-payloads-{os.getuid()}"
_WHEELS = (*os.environ.get("PIP_FIND_LINKS", "").split(), str(ROOT.parent / "shared/wheelhouse"))

LEAKING = """
import sys, threading, time
keep = []
def remember(size):
    keep.append(bytearray(size))
def handle():
    remember(100_000)
    return bytes(300_000)
def hot_loop():
    if sum([i * i for i in range(1000)]) != 332833500:
        print('"wrong"', flush=True)
print('"ready"', flush=True)
while True:
    handle()
    if sys.argv[1] == "busy":
        for _ in range(200):
            hot_loop()
    else:
        time.sleep(0.05)
"""


def payloads() -> Dict[str, bytes]:
    """Return the payloads by their kinds, packed: those that were built, else made of wheels that lie nearby."""
    built = sorted(ROOT.glob(f"out/module/PyDebug/bin/payload/memray/{MACHINE}/*.tar.zlib"))
    if not any(path.name.startswith("runtime") for path in built):
        built = _made()
    return {path.name.split(".")[0]: path.read_bytes() for path in built}


def _made() -> List[Path]:
    maker = ROOT / "src/payload/lean/make.py"
    stamp = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(maker.parent.rglob("*.py")))).hexdigest()[:16]
    folder = _MADE / stamp
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for place in _WHEELS:
        for wheel in sorted(glob.glob(f"{place}/memray-1.20.0-cp*-cp*{MACHINE}.whl")):
            out = folder / f"{os.path.basename(wheel).split('-')[2]}.tar.zlib"
            if not out.exists():
                _make(out, "memray", wheel, MACHINE)
    runtime = folder / "runtime.tar.zlib"
    suite = cache() + "/suites/bullseye/root/usr"
    if not runtime.exists() and os.path.isdir(suite):
        with tempfile.TemporaryDirectory() as source:
            for name in ("libstdc++.so.6", "libgcc_s.so.1"):
                (found,) = sorted(glob.glob(f"{suite}/lib/*/{name}"))
                shutil.copyfile(found, f"{source}/{name}")
            shutil.copyfile(f"{suite}/share/doc/gcc-10-base/copyright", f"{source}/LICENSE")
            _make(runtime, "runtime", MACHINE, source)
    return sorted(folder.glob("*.tar.zlib"))


def _make(out: Path, *arguments: str) -> None:
    temporary = out.with_suffix(f".{os.getpid()}")
    command = [sys.executable, "-B", str(ROOT / "src/payload/lean/make.py"), *arguments, str(temporary)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    temporary.rename(out)


def hashes(of: Dict[str, bytes]) -> Dict[str, Dict[str, str]]:
    """Return what a request says of payloads."""
    return {MACHINE: {kind: hashlib.sha256(zlib.decompress(data)).hexdigest() for kind, data in of.items()}}


class Answer:
    """All frames of an answer, sorted."""

    def __init__(self, frames: List[Frame]) -> None:
        self.frames = frames
        self.results = [frame.json for frame in frames if frame.kind == "R"]
        self.failures = [frame.json for frame in frames if frame.kind == "E"]
        self.warnings = [frame.json["id"] for frame in frames if frame.kind == "W"]
        self.progress = [frame.json for frame in frames if frame.kind == "P"]
        self.asked = [frame.json["name"] for frame in frames if frame.kind == "N"]
        self.content = b"".join(frame.payload for frame in frames if frame.kind == "G")

    def only(self, kind: str = "memray") -> Dict[str, Any]:
        """Return the one result of a kind; say why there is none."""
        found = [result for result in self.results if result["kind"] == kind]
        assert len(found) == 1 and not self.failures, (self.failures, [result["kind"] for result in self.results])
        return found[0]

    @property
    def causes(self) -> List[str]:
        """The causes of what failed."""
        return [failure["cause"] for failure in self.failures]


def ask(
    agent: Agent,
    of: Dict[str, bytes],
    op: str = "memray",
    data: bytes = b"",
    meanwhile: Optional[Callable[[Dict[str, Any]], None]] = None,
    **parameters: Any,
) -> Answer:
    """Send a request, hand over what the agent asks for, and return the answer. ``meanwhile`` hears of progress."""
    parameters.setdefault("deadline", 240.0)
    parameters.setdefault("sha256", hashes(of))
    agent.request(op, **parameters)
    frames: List[Frame] = []
    while True:
        got = _next(agent)
        frames.append(got)
        if got.kind == "N":
            name = got.json["name"]
            pyspy.give(agent, data if name == "capture" else of.get(name[len("memray-") :], b""))
        if got.kind == "P" and meanwhile is not None:
            meanwhile(got.json)
        if got.kind in ("T", ""):
            break
    if frames[-1].kind == "T":
        agent.send("A")
    agent.process.wait(60)
    return Answer(frames)


def _next(agent: Agent) -> Frame:
    """Return the next frame; the agent hears from us meanwhile."""
    for _ in range(30):
        try:
            return agent.next(10)
        except queue.Empty:
            agent.send("K")
    raise TimeoutError("the agent said nothing")


def named(report: Dict[str, Any], function: str, kind: str = "leaked") -> int:
    """Return the bytes allocated by a function itself."""
    return sum(
        entry["size"]
        for entry in report[kind]
        if entry["frames"] and report["frames"][entry["frames"][0]][0] == function
    )


class Container:
    """A root filesystem of its own over an image's, in which processes are started as a container's would be."""

    def __init__(
        self, python: Python, user: int = 0, read_only: bool = False, rights: Sequence[str] = tuple(GENERAL)
    ) -> None:
        self.python = python
        self.folder = tempfile.mkdtemp(prefix="pydebug-test-", dir="/var/tmp")
        os.chmod(self.folder, 0o755)
        for name in ("up", "work", "root"):
            os.mkdir(f"{self.folder}/{name}")
        self.root = f"{self.folder}/root"
        mount = (
            f"mount -t overlay overlay -o lowerdir={python.root},upperdir={self.folder}/up,workdir={self.folder}/work "
            f"{self.root} && mount -t proc proc {self.root}/proc && mkdir -p {self.root}/dev && "
            f"mount --bind /dev {self.root}/dev"
        )
        if read_only:
            mount += f" && mount -o remount,ro,bind {self.root}"
        change = [f"--userspec={user}:{user}", "--groups="] if user else []
        bound = ["setpriv", "--no-new-privs"] if user else rights
        enter = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
        self.prefix = [*enter, *bound, "chroot", *change, self.root]

    def close(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *arguments: str) -> List[str]:
        """Return the command that runs the image's Python in it."""
        return [*self.prefix, self.python.command[-1], *arguments]

    def agent(self, **options: Any) -> Agent:
        """Start an agent in it."""
        return Agent(self.python.command[-1], prefix=self.prefix, **options)

    def left(self) -> List[str]:
        """Return the files and folders of ours that are still there, but for the tools that are kept."""
        found = glob.glob(f"{self.folder}/up/**/.pydebug*", recursive=True)
        # Tools are kept in one of these.
        return [path for path in found if os.path.basename(path) not in (".pydebug-0", f".pydebug-{USER}")]


def needs(python: Optional[Python] = None) -> Dict[str, bytes]:
    """Return the payloads; skip the test where what it needs is missing."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("containers need root")
    found = payloads()
    kind = f"cp3{python.minor}" if python is not None else "runtime"
    if kind not in found or "runtime" not in found:
        raise unittest.SkipTest(f"there is no payload {kind}: no wheel of memray was found (PIP_FIND_LINKS)")
    return found


def alive(running: Running) -> bool:
    """Say whether a target runs and is neither stopped nor traced."""
    with open(f"/proc/{running.pid}/status", encoding="ascii", errors="replace") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    return running.process.poll() is None and status["State"][0] in "RSD" and status["TracerPid"] == "0"


def settled(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until a condition holds; say whether it does."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def frames_of(report: Dict[str, Any], entry: Dict[str, Any]) -> Sequence[Any]:
    """Return the frames of one entry."""
    return [report["frames"][index] for index in entry["frames"]]


def dump(value: Any) -> str:
    """Return a value as text for a failed test."""
    return json.dumps(value)[:4000]


class Tracked(ReaderTest):
    """Starts targets in containers."""

    def container(self, python: Python, user: int = 0, read_only: bool = False) -> Container:
        made = Container(python, user, read_only)
        self.addCleanup(made.close)
        self.addCleanup(self.end_targets)
        return made

    def target(self, container: Container, *arguments: str, source: str = LEAKING) -> Running:
        running = self.start_command(container.command("-u", "-c", source, *arguments), container.python)
        self.assertEqual("ready", running.line())
        return running

    def newest(self) -> Python:
        """The Python that the tests use where one is enough."""
        found = [python for python in pythons() if python.minor == 13 and python.root]
        if not found:
            raise unittest.SkipTest("the image py313 is missing")
        return found[0]

    def assert_loaded_once(self, running: Running) -> None:
        """However often it was tracked: each copy would stay."""
        with open(f"/proc/{running.pid}/maps", encoding="utf-8") as file:
            found = {tuple(line.split()[3:5]) for line in file if "_memray." in line}
        self.assertEqual(1, len(found), found)

    def check(self, answer: Answer, running: Running) -> Dict[str, Any]:
        result = answer.only()
        report = result["report"]
        self.assertEqual("time", result["ended"], dump(result))
        # 100,000 bytes at a time; what the hot loop and the tracker itself use is little beside that. One of those that
        # are freed at once may be alive at the end.
        remembered = named(report, "remember")
        self.assertGreater(remembered, 300_000, dump(report))
        self.assertAlmostEqual(report["totals"]["leaked"], remembered, delta=420_000)
        self.assertGreaterEqual(report["totals"]["peak"], remembered)
        self.assertGreater(named(report, "remember", "peak"), 300_000)
        self.assertEqual(
            ["remember", "handle", "<module>"], [frame[0] for frame in frames_of(report, report["leaked"][0])]
        )
        self.assertNotIn("<pydebug>", [frame[1] for frame in report["frames"]])
        self.assertGreater(len(report["timeline"]), 5)
        self.assertGreater(report["timeline"][-1][1], 1 << 20)
        self.assertTrue(alive(running))
        return result
