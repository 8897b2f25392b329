"""A process may choose its name, its command line, its executable's name and what it maps: none of that hides it, hides
another, or becomes anything but text."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from typing import Dict, List

from .driver import failures, results, wait_for
from .pod import IDLE, PodTest

DEBIAN = "/usr/bin/python3"

# What a child of PID 1 pretends to be: code that runs in it, and further arguments.
DISGUISES: Dict[str, "tuple[str, List[str]]"] = {
    "a keeper": ('"""pydebug-keeper"""\n' + IDLE, []),
    "an agent": ("# pydebug_agent.main sys.meta_path\n" + IDLE, []),
    "a keeper in its arguments": (IDLE, ["-c", '"""pydebug-keeper']),
    "a pause": ("open('/proc/self/comm', 'w').write('pause')\n" + IDLE, []),
    "another line of stat": ("open('/proc/self/comm', 'w').write('x) Z 1 1 1 (')\n" + IDLE, []),
    "a kernel thread": ("open('/proc/self/comm', 'w').write('[kthreadd]')\n" + IDLE, []),
    "a line of maps": (
        "import mmap, os\n"
        "name = '/tmp/x\\n7f0000000000-7f0000001000 r-xp 00000000 00:00 0  libpython9.9.so (deleted)'\n"
        "os.makedirs(os.path.dirname(name), exist_ok=True)\n"
        "open(name, 'wb').write(bytes(4096))\n"
        "mapped = mmap.mmap(os.open(name, os.O_RDONLY), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)\n" + IDLE,
        [],
    ),
    "a program of bpftrace": (
        "import mmap, os\n"
        "name = '/tmp/libc.so.6:f {} kprobe:vfs_read { @[kstack] = count(); } uprobe:'\n"
        "open(name, 'wb').write(bytes(4096))\n"
        "mapped = mmap.mmap(os.open(name, os.O_RDONLY), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)\n" + IDLE,
        [],
    ),
    "letters that are none": (IDLE, [os.fsdecode(b"\xff\xfe"), "\u202e", "\x1b[2J", "\n"]),
    "a megabyte of arguments": (IDLE, ["*8"]),
    "somebody who has a tracer": (
        "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n" + IDLE,
        [],
    ),
}

PARENT = """
import os, signal, subprocess, sys, time
for code, *arguments in eval(sys.argv[1]):
    arguments = ["x" * 120_000] * 8 if arguments == ["*8"] else arguments
    subprocess.Popen([sys.executable, "-c", code, *arguments])
while True:
    signal.pause()
"""


class Disguised(PodTest):
    def test_every_process_is_seen_as_what_it_is(self) -> None:
        asked = repr([[code, *arguments] for code, arguments in DISGUISES.values()])
        pod = self.pod(DEBIAN, "-c", PARENT, asked)
        keeper = pod.kept()
        wait_for(lambda: len(pod.processes()) == len(DISGUISES) + 2)
        time.sleep(1.0)
        began = time.monotonic()
        with pod.agent(beside=keeper) as agent:
            found = results(agent.ask("processes"))
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(len(DISGUISES) + 1, len(found), [entry["command"][:3] for entry in found])
        self.assertEqual({True}, {entry["container"] for entry in found})
        self.assertEqual({"3.11"}, {entry["version"][:4] for entry in found})
        self.assertEqual({1}, {entry["parent"] for entry in found if entry["pid"] != 1})
        names = {entry["name"] for entry in found}
        self.assertLessEqual({"pause", "x) Z 1 1 1 (", "[kthreadd]"}, names)
        with pod.agent(beside=keeper) as agent:
            frames = agent.ask("stack")
        self.assertEqual([], failures(frames))
        self.assertEqual({entry["pid"] for entry in found}, {entry["pid"] for entry in results(frames)})

    def test_a_target_that_is_called_like_the_pods_own_process_is_the_target(self) -> None:
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        pause = shutil.copy(os.path.realpath(DEBIAN), os.path.join(folder, "pause"))
        pod = self.pod(pause, "-c", IDLE)
        keeper = pod.kept()
        with pod.agent(beside=keeper) as agent:
            (probe,) = results(agent.ask("probe"))
        self.assertTrue(probe["targetVisible"])
