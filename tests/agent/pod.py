"""A pod in small: an application as PID 1 of a PID namespace, a keeper in a mount namespace of its own beside it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unittest
from typing import Any, Dict, List, Optional, Sequence

from .driver import FLAGS, Agent, keeper, keeper_boot, wait_for

# An application that never waits for children: an orphan that comes to it stays a zombie.
IDLE = "import signal\nwhile True: signal.pause()"


def why_not() -> Optional[str]:
    """Return why namespaces cannot be made here, None where they can."""
    if os.geteuid() != 0:
        return "PID namespaces need root"
    try:
        run = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "true"], stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        return "unshare is missing (package util-linux)"
    return None if run.returncode == 0 else f"unshare: {run.stderr.decode().strip()}"


class PodTest(unittest.TestCase):
    """Tests in a PID namespace; skipped loudly where none can be made."""

    @classmethod
    def setUpClass(cls) -> None:
        reason = why_not()
        if reason is not None:
            raise unittest.SkipTest(reason)

    def pod(self, *command: str, **options: Any) -> "Pod":
        made = Pod(command or (sys.executable, "-c", IDLE), **options)
        self.addCleanup(made.close)
        return made


class Pod:
    """An application in a PID namespace, as its PID 1."""

    def __init__(self, command: Sequence[str], setup: str = "", environment: Optional[Dict[str, str]] = None) -> None:
        script = f'mount -t proc proc /proc; {setup}\nexec "$@"'
        self._outer = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--kill-child", "sh", "-c", script, "sh", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self._keepers: List["subprocess.Popen[bytes]"] = []
        self.host_pid = int(wait_for(lambda: _children(self._outer.pid)))
        try:
            # Until then it is the shell that sets up its files.
            wait_for(lambda: script not in _arguments(self.host_pid))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        # With PID 1 goes all that is in its namespace; a change of user undoes --kill-child.
        try:
            os.kill(self.host_pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        for process in (*self._keepers, self._outer):
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()

    def keeper(
        self,
        python: str = "/usr/bin/python3",
        wrap: Sequence[str] = (),
        setup: str = "true",
        source: Optional[str] = None,
        session: Optional[str] = None,
    ) -> "subprocess.Popen[bytes]":
        """Start a keeper as the kubelet would: same processes, other files. ``wrap`` changes the user."""
        environment = dict(os.environ, PYDEBUG_KEEPER=source if source is not None else keeper())
        environment["PYDEBUG_SESSION"] = session or f'{{"v":1,"target":"web","created":{int(time.time())}}}'
        inner = f'mount --make-rprivate /; mount -t proc proc /proc; {setup}; exec "$@"'
        process = subprocess.Popen(
            [*self._enter(), "unshare", "--mount", "sh", "-c", inner, "sh", *wrap, python, *FLAGS, "-c", keeper_boot()],
            env=environment,
            stderr=subprocess.PIPE,
        )
        self._keepers.append(process)
        return process

    def kept(self, **options: Any) -> int:
        """Start a keeper, wait until it runs and return its PID on this machine."""
        return self.settled(self.keeper(**options))

    def settled(self, process: "subprocess.Popen[bytes]") -> int:
        """Wait until a keeper is ready and return its PID on this machine."""

        def ready() -> int:
            pid = self.keeper_of(process)
            # SIGCHLD is the last one it ignores.
            return pid if pid and _signals(pid, b"SigIgn") & 1 << (signal.SIGCHLD - 1) else 0

        return int(wait_for(ready))

    def keeper_of(self, process: "subprocess.Popen[bytes]") -> int:
        """Return the PID on this machine of a keeper that was started, ready or not, 0 where there is none yet."""
        for pid in _descendants(process.pid):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if b"\0-c\0" + b'"""pydebug-keeper' in file.read():
                        return pid
            except OSError:
                continue
        return 0

    def agent(
        self,
        python: str = "/usr/bin/python3",
        beside: Optional[int] = None,
        wrap: Sequence[str] = (),
        **options: Any,
    ) -> Agent:
        """Start an agent as exec does: its parent is outside the namespace, its orphans come to PID 1.

        ``beside`` is a keeper: the agent then sees its files.
        """
        return Agent(python, prefix=[*self._enter(beside), *wrap], **options)

    def run(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start something else inside, beside the application."""
        return subprocess.Popen([*self._enter(), *command], stdin=subprocess.DEVNULL)

    def kill_child(self) -> None:
        """Kill what a shell as PID 1 waits for."""
        os.kill(int(_children(self.host_pid)), signal.SIGKILL)

    def processes(self) -> Dict[int, str]:
        """Return what is in the namespace, zombies included: PID inside -> "state name"."""
        run = subprocess.run(
            [*self._enter(), "sh", "-c", "exec grep -H . /proc/[0-9]*/stat"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        found: Dict[int, str] = {}
        for line in run.stdout.decode(errors="replace").splitlines():
            place, _, content = line.partition(":")
            name = content[content.index("(") + 1 : content.rindex(")")]
            if name != "grep":
                found[int(place.split("/")[2])] = f"{content[content.rindex(')') + 2]} {name}"
        return found

    def _enter(self, beside: Optional[int] = None) -> List[str]:
        enter = ["nsenter", "--target", str(self.host_pid), "--pid"]
        if beside is not None:
            return [*enter, f"--mount=/proc/{beside}/ns/mnt"]
        return [*enter, "--mount"]


def as_user(uid: int) -> List[str]:
    """Return the words that run a command as a user without any privilege."""
    return [
        "setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--inh-caps=-all", "--bounding-set=-all",
        "--no-new-privs",
    ]


def _signals(pid: int, name: bytes) -> int:
    """Return a set of signals of a process's status, none where it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            found = [line.split()[1] for line in file if line.startswith(name)]
    except OSError:
        return 0
    return int(found[0], 16) if found else 0


def _children(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return file.read().split(" ")[0]
    except OSError:
        return ""


def _descendants(pid: int) -> List[int]:
    found: List[int] = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            for word in file.read().split():
                found += [int(word), *_descendants(int(word))]
    except OSError:
        pass
    return found


def _arguments(pid: int) -> List[str]:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().decode(errors="replace").split("\0")
