"""memray in processes that have none: alive whatever ends meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import unittest
from typing import Any, Dict, List

from . import pyspy
from .driver import Agent, modules
from .memray_support import Tracked, alive, ask, hashes, named, needs, settled
from .reader_support import Running, cache, wait_until

from pydebug_agent.memray.scratch_files import IN_MEMORY


_HOLDS = """
import ctypes, sys, time
library, place, kept = ctypes.PyDLL(None), ctypes.create_string_buffer(1), []
print('"ready"', flush=True)
sys.stdin.readline()
library.read(0, place, 1)
print('"goes on"', flush=True)
while True:
    kept.append(bytearray(70_000))
    time.sleep(0.05)
"""


class Ends(Tracked):
    """Whatever ends in the middle."""

    def setUp(self) -> None:
        self.python = self.newest()
        self.payloads = needs(self.python)
        self.debug = self.container(self.python)
        self.place = self.container(self.python)

    def assert_tracked_no_more(self, running: Running) -> None:
        def settled_down() -> bool:
            return len(os.listdir(f"/proc/{running.pid}/task")) == 1

        self.assertTrue(settled(settled_down), "the tracker goes on")
        self.assertTrue(alive(running))
        with self.debug.agent() as agent:
            report = ask(agent, self.payloads, pids=[running.pid], seconds=1).only()["report"]
        self.assertGreater(named(report, "remember"), 0)
        self.assertEqual([], self.debug.left())

    def begin(self, running: Running, agent: Agent, phase: str) -> None:
        agent.request("memray", pids=[running.pid], seconds=60, sha256=hashes(self.payloads), deadline=200)
        while True:
            got = agent.next(60)
            if got.kind == "N":
                pyspy.give(agent, self.payloads[got.json["name"][len("memray-") :]])
            if got.kind == "P" and got.json["text"].endswith(phase):
                return
            self.assertNotIn(got.kind, ("E", "T", ""), got.payload)

    def test_a_request_that_is_cancelled(self) -> None:
        running = self.target(self.place, "idle")
        for phase in ("Rehearsing", " captured"):
            with self.subTest(phase=phase), self.debug.agent() as agent:
                self.begin(running, agent, phase)
                begun = time.monotonic()
                agent.send("C")
                causes = [frame.json["cause"] for frame in agent.finish() if frame.kind == "E"]
                self.assertEqual(["Cancelled"], causes)
                self.assertLess(time.monotonic() - begun, 10)
        self.assert_tracked_no_more(running)

    def test_a_client_that_goes(self) -> None:
        running = self.target(self.place, "idle")
        with self.debug.agent() as agent:
            self.begin(running, agent, " captured")
            agent.process.stdin.close()
            agent.process.wait(30)
        self.assertEqual([], self.debug.left())
        self.assert_tracked_no_more(running)

    def test_an_agent_that_is_killed_at_any_moment(self) -> None:
        running = self.target(self.place, "idle")
        for phase, delay in (
            ("Rehearsing", 0.1), ("Attaching", 0.0), ("Attaching", 0.02), ("Attaching", 0.05), (" captured", 0.1)
        ):
            with self.subTest(phase=phase, delay=delay), self.debug.agent() as agent:
                self.begin(running, agent, phase)
                time.sleep(delay)
                agent.process.send_signal(signal.SIGKILL)
                agent.process.wait()
            self.assertTrue(alive(running))
        self.assertEqual([], self.debug.left())
        # A thread that never got its work goes within seconds.
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1, 20))
        self.assert_tracked_no_more(running)

    def test_what_is_left_in_a_process_is_looked_at_before_it_is_said(self) -> None:
        """Held up by a thread that keeps the GIL, and after a report; what was begun goes once the GIL is free."""
        sources = modules()
        asked = "self._asked(self.target, self.files.capture), "
        soon = sources["pydebug_agent.memray.subject"].replace(asked + "_BEGIN_SECONDS", asked + "1.0")
        self.assertNotEqual(soon, sources["pydebug_agent.memray.subject"])
        sources["pydebug_agent.memray.subject"] = soon
        running = self.target(self.place, source=_HOLDS)

        def left() -> Dict[str, int]:
            with open(f"/proc/{running.pid}/maps", encoding="utf-8") as file:
                ours = [line for line in file if IN_MEMORY in line and ".so" in line]
            return {"mappings": len(ours), "threads": len(os.listdir(f"/proc/{running.pid}/task")) - 1}

        running.say("")
        with Agent(python=self.debug.command()[-1], prefix=self.debug.prefix, sources=sources) as agent:
            answer = ask(agent, self.payloads, pids=[running.pid], seconds=1)
        self.assertEqual(["MemrayNoAnswer"], answer.causes, answer.failures)
        (failure,) = answer.failures
        self.assertEqual(left(), {name: failure["detail"]["left"][name] for name in left()})
        self.assertEqual(left()["threads"] > 0, "thread of ours, until the GIL is free" in failure["message"], failure)
        running.say("")
        self.assertEqual("goes on", running.line(60))
        self.assertTrue(settled(lambda: left()["threads"] == 0, 60), "what was begun goes on")
        with self.debug.agent() as agent:
            result = ask(agent, self.payloads, pids=[running.pid], seconds=1).only()
        self.assertTrue(settled(lambda: left()["threads"] == 0, 60))
        self.assertGreater(left()["mappings"], 0)
        self.assertEqual(left()["mappings"], result["left"]["mappings"])

    def test_a_target_that_ends_leaves_what_it_did(self) -> None:
        for number, ended in ((signal.SIGKILL, "killed"), (signal.SIGTERM, "ended")):
            with self.subTest(ended=ended):
                running = self.target(self.place, "idle")

                def end(progress: Dict[str, Any]) -> None:
                    if progress["text"].endswith(" captured") and progress["done"] >= 1:
                        os.kill(running.pid, number)

                with self.debug.agent() as agent:
                    answer = ask(agent, self.payloads, pids=[running.pid], seconds=60, meanwhile=end)
                result = answer.only()
                self.assertEqual(("exited", ["ProcessExited"]), (result["ended"], answer.warnings))
                self.assertGreater(named(result["report"], "remember"), 300_000)
                self.assertEqual(-number, running.process.wait())

    def test_an_interpreter_that_ends_regularly_is_not_held_up(self) -> None:
        source = (
            "import sys, time\nprint('\"ready\"', flush=True)\nkeep = [bytes(100000)]\ntime.sleep(float(sys.argv[1]))\n"
            "keep.append(bytes(200000))\ntime.sleep(2)\nraise SystemExit(7)"
        )
        running = self.target(self.place, "4", source=source)
        with self.debug.agent() as agent:
            answer = ask(agent, self.payloads, pids=[running.pid], seconds=60)
        self.assertEqual(7, running.process.wait())
        self.assertEqual("exited", answer.only()["ended"])

    def test_a_tracker_that_ends_while_its_process_lives_on(self) -> None:
        source = """
import os, socket, sys, time
print('"ready"', flush=True)
keep = [bytes(100000)]

def sockets():
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}").startswith("socket:"):
                found.append(int(number))
        except FileNotFoundError:
            # The tracker opens files too.
            continue
    return found

while not sockets():
    time.sleep(0.05)
# It has begun; let it come to its work.
time.sleep(float(sys.argv[1]))
for number in sockets():
    socket.socket(fileno=number).shutdown(socket.SHUT_RDWR)
time.sleep(600)
"""
        running = self.target(self.place, "5", source=source)
        with self.debug.agent() as agent:
            answer = ask(agent, self.payloads, pids=[running.pid], seconds=60)
        self.assertEqual(("tracker", ["TrackerEnded"]), (answer.only()["ended"], answer.warnings))
        self.assertTrue(alive(running))


class Servers(Tracked):
    """Workers of servers, while they answer requests."""

    def serve(self, image: str) -> None:
        payloads = needs(self.newest())
        root = f"{cache()}/images/{image}/rootfs"
        if not os.path.isdir(root):
            self.skipTest(f"the image {image} is missing")
        with open(f"{cache()}/images/{image}/config.json", encoding="utf-8") as file:
            command = json.load(file)["Cmd"]
        python = self.newest()._replace(root=root)
        place, debug = self.container(python), self.container(python)
        # A network of its own: the port may be taken.
        network = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
        server = self.start_command([*network, *place.prefix, *command], stderr=subprocess.DEVNULL)
        workers = wait_until(lambda: _workers(server.pid), 30)
        # As the containers of a pod, all share it.
        inside = ["nsenter", f"--net=/proc/{server.pid}/ns/net"]
        load = self.start_command([*inside, sys.executable, "-c", _LOAD])
        self.assertEqual("ready", load.line(60))
        for _ in range(2):
            with Agent(python.command[-1], prefix=[*inside, *debug.prefix]) as agent:
                answer = ask(agent, payloads, pids=workers, seconds=1.5)
            self.assertEqual([], answer.failures)
            self.assertEqual(sorted(workers), sorted(result["pid"] for result in answer.results))
        self.assertEqual("image" if image == "uwsgi" else "same", answer.results[0]["rehearsal"]["how"])
        load.say("enough")
        good, bad = load.line()
        self.assertGreater(good, 50)
        self.assertEqual(0, bad)
        self.assertEqual(workers, _workers(server.pid), "a worker was replaced")
        self.assertGreater(max(result["report"]["totals"]["allocations"] for result in answer.results), 0)

    def test_gunicorn(self) -> None:
        self.serve("gunicorn")

    def test_uwsgi(self) -> None:
        self.serve("uwsgi")


def _workers(pid: int) -> List[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        found = sorted(int(word) for word in file.read().split())
    return found if len(found) == 2 else []


_LOAD = """
import json, select, sys, time, urllib.request
address = "http://127.0.0.1:8080/"
for _ in range(600):
    try:
        urllib.request.urlopen(address, timeout=10).read()
        break
    except OSError:
        time.sleep(0.1)
print('"ready"', flush=True)
good = bad = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    try:
        urllib.request.urlopen(address, timeout=10).read()
        good += 1
    except OSError:
        bad += 1
print(json.dumps([good, bad]), flush=True)
"""


class FullDisk(Tracked):
    def test_a_disk_that_fills_ends_it_early_and_nobody_comes_to_harm(self) -> None:
        python = self.newest()
        payloads = needs(python)
        place, debug = self.container(python), self.container(python)
        image = f"{debug.folder}/disk"
        made = subprocess.run(f"truncate -s 100M {image} && mkfs.ext4 -q -m 0 {image}", shell=True)
        if made.returncode != 0:
            self.skipTest("a disk cannot be made here: mkfs.ext4")
        script = debug.prefix.index("-c") + 1
        mount = f" && mount -o loop {image} {debug.root}/tmp && chmod 1777 {debug.root}/tmp && exec "
        debug.prefix[script] = debug.prefix[script].replace(" && exec ", mount)
        running = self.target(place, "idle")

        def fill(progress: Dict[str, Any]) -> None:
            if progress["text"].endswith(" captured") and progress["done"] >= 1:
                folder = f"/proc/{agent.process.pid}/root/tmp"
                free = os.statvfs(folder)
                with open(f"{folder}/filler", "ab") as file:
                    os.posix_fallocate(file.fileno(), 0, max(1, free.f_bavail * free.f_frsize - (12 << 20)))

        with debug.agent() as agent:
            answer = ask(agent, payloads, pids=[running.pid], seconds=60, meanwhile=fill)
        result = answer.only()
        self.assertEqual(("limit", ["CaptureLimit"]), (result["ended"], answer.warnings))
        self.assertLess(result["seconds"], 20)
        self.assertGreater(named(result["report"], "remember"), 300_000)
        with debug.agent() as agent:
            answer = ask(agent, payloads, pids=[running.pid], seconds=1)
        self.assertEqual(["DiskFull"], answer.causes)
        self.assertTrue(alive(running))


if __name__ == "__main__":
    unittest.main()
