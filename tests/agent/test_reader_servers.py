"""Workers of uwsgi and gunicorn, forked and embedding, are read like any other Python."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any, List

from .reader_support import TARGETS, ReaderTest, cache, wait_until
from .test_reader_finding import inside

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.reader.stacks import read_stacks


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Servers(ReaderTest):
    def _serve(self, image: str) -> "tuple[int, int]":
        """Start an image's server with an application of ours; return its process and port."""
        root = Path(cache(), "images", image, "rootfs")
        if not root.is_dir():
            self.skipTest("no image %s: make the test images" % image)
        folder = root / "tmp" / ("pydebug-%d" % os.getpid())
        folder.mkdir()
        self.addCleanup(shutil.rmtree, str(folder))
        shutil.copy(str(TARGETS / "slow_wsgi.py"), str(folder / "wsgi.py"))
        port = free_port()
        words: List[str] = json.loads((root.parent / "config.json").read_text())["Cmd"]
        inner = "/" + str(folder.relative_to(root))
        words = [word.replace(":8080", ":%d" % port).replace("/srv", inner) for word in words]
        if words[0] == "uwsgi":
            words[0] = "/usr/bin/uwsgi"
        server = self.start_command([*inside(str(root)), *words], stderr=subprocess.DEVNULL)
        return server.pid, port

    def _workers(self, master: int) -> List[int]:
        proc = Proc()
        return [pid for pid in proc.pids() if _parent(proc, pid) == master]

    def _ask(self, port: int) -> None:
        def ask() -> None:
            try:
                urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=60).close()
            except OSError:
                pass

        wait_until(lambda: _listens(port), 30)
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()

    def _check(self, image: str) -> None:
        master, port = self._serve(image)
        wait_until(lambda: len(self._workers(master)) >= 2, 30)
        self._ask(port)
        # On its way into the wait a thread still runs.
        stacks = wait_until(lambda: [t for t in self._answering(master) if t["how"] == "idle"], 30)
        for thread in stacks:
            names = [frame["name"] for frame in thread["frames"]]
            self.assertEqual(names[:2], ["answer_late", "application"])
            self.assertIn(thread["tid"], Proc().threads(thread["pid"]))

    def _answering(self, master: int) -> List[Any]:
        """The threads of workers that are in the application. Every worker must be readable."""
        found: List[Any] = []
        for pid in self._workers(master):
            try:
                threads = read_stacks(pid)["threads"]
            except AgentError as error:
                if error.cause in ("PythonStarting", "ProcessGone"):
                    continue
                raise
            for thread in threads:
                if any(frame["name"] == "answer_late" for frame in thread["frames"]):
                    found.append(dict(thread, pid=pid))
        return found

    def test_gunicorn(self) -> None:
        self._check("gunicorn")

    def test_uwsgi(self) -> None:
        self._check("uwsgi")


def _parent(proc: Proc, pid: int) -> int:
    try:
        return proc.stat(pid).parent
    except (OSError, ValueError):
        return 0


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
