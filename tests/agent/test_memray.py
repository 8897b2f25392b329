"""memray in processes that have none: tracked, reported, let go, and alive whatever ends meanwhile."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import unittest
import zlib
from pathlib import Path
from typing import Any, Dict, List

from . import pyspy
from .driver import Agent, modules
from .memray_support import (
    LEAKING,
    MACHINE,
    USER,
    Answer,
    Container,
    alive,
    ask,
    dump,
    frames_of,
    hashes,
    named,
    needs,
    settled,
)
from .reader_support import Python, ReaderTest, Running, cache, on_each_python, pythons, wait_until


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


class EachPython(Tracked):
    @on_each_python()
    def test_a_process_without_any_right_or_place_to_write(self, python: Python) -> None:
        """UID 10001, no capability, no_new_privs, a read-only root; the debug container has no more than a /tmp."""
        payloads = needs(python)
        target, debug = self.container(python, USER, read_only=True), self.container(python, USER)
        running = self.target(target, "idle")
        for _ in range(2):
            with debug.agent() as agent:
                answer = ask(agent, payloads, pids=[running.pid], seconds=1.5)
            result = self.check(answer, running)
            self.assertEqual("same", result["rehearsal"]["how"])
        self.assertEqual([], answer.asked, "the payload was sent twice")
        self.assertEqual([], debug.left())
        self.assertEqual([], glob.glob(f"{target.folder}/up/*"), "something was written in the target")
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1))

    @on_each_python()
    def test_a_debug_container_with_nowhere_to_write(self, python: Python) -> None:
        """Both have a read-only root and are UID 10001 without a right: payload and capture stay in memory."""
        payloads = needs(python)
        target, debug = self.container(python, USER, read_only=True), self.container(python, USER, read_only=True)
        running = self.target(target, "busy" if python.minor % 2 else "idle")
        for _ in range(2):
            with debug.agent() as agent:
                answer = ask(agent, payloads, pids=[running.pid], seconds=1.5, keepCapture=True)
            result = self.check(answer, running)
            self.assertEqual("memory", result["capture"]["place"])
        about = {"size": len(answer.content), "sha256": hashlib.sha256(answer.content).hexdigest()}
        with debug.agent() as agent:
            again = ask(agent, payloads, op="memrayRead", data=answer.content, capture=about).only("memrayRead")
        self.assertEqual(result["report"]["leaked"], again["report"]["leaked"])
        self.assert_loaded_once(running)
        self.assertEqual([], glob.glob(f"{debug.folder}/up/*") + glob.glob(f"{target.folder}/up/*"))
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1))

    @on_each_python()
    def test_a_busy_process_as_root(self, python: Python) -> None:
        payloads = needs(python)
        target = self.container(python)
        running = self.target(target, "busy")
        for _ in range(2):
            with Agent() as agent:
                answer = ask(agent, payloads, pids=[running.pid], seconds=2.0)
            result = self.check(answer, running)
            self.assertEqual("remote-debugging" if python.minor >= 14 else "thread", result["attach"]["how"])
        self.assert_loaded_once(running)
        before = running.cpu()
        self.assertTrue(settled(lambda: running.cpu() > before + 0.1))


    @on_each_python()
    def test_threads_have_their_names_whenever_they_began(self, python: Python) -> None:
        payloads = needs(python)
        running = self.target(self.container(python), source=_NAMED)
        with self.container(python).agent() as agent:
            report = ask(agent, payloads, pids=[running.pid], seconds=1.5).only()["report"]
        large = [entry for entry in report["leaked"] if entry["size"] > 65_000]
        names = {entry["thread"]: frames_of(report, entry)[0][0] for entry in large}
        self.assertEqual("work", names.get("began before"), dump(names))
        self.assertEqual("once", names.get("began meanwhile"), dump(names))
        self.assertIn("MainThread", names)


_NAMED = """
import threading, time
keep = []
def once():
    keep.append(bytearray(80_000))
def work():
    while True:
        keep.append(bytearray(70_000))
        time.sleep(0.1)
threading.Thread(target=work, name="began before", daemon=True).start()
print('"ready"', flush=True)
while True:
    time.sleep(0.2)
    thread = threading.Thread(target=once, name="began meanwhile")
    thread.start()
    thread.join()
    keep.append(bytearray(90_000))
"""


class Reports(Tracked):
    def setUp(self) -> None:
        self.python = self.newest()
        self.payloads = needs(self.python)
        self.debug = self.container(self.python)
        self.place = self.container(self.python)

    def ask(self, running: Running, **parameters: Any) -> Answer:
        parameters.setdefault("seconds", 1.0)
        with self.debug.agent() as agent:
            answer = ask(agent, self.payloads, pids=[running.pid], **parameters)
            self.assertTrue(agent.trailer_good, agent.stderr)
        self.assertEqual([], self.debug.left())
        self.assertTrue(alive(running))
        return answer

    def test_a_capture_that_is_kept_makes_the_same_report_later(self) -> None:
        running = self.target(self.place, "busy")
        answer = self.ask(running, keepCapture=True)
        result = answer.only()
        end = answer.only("fileEnd")
        capture = answer.content
        self.assertEqual((hashlib.sha256(capture).hexdigest(), len(capture)), (end["sha256"], end["size"]))
        about = {"size": len(capture), "sha256": end["sha256"]}
        with self.debug.agent() as agent:
            again = ask(agent, self.payloads, op="memrayRead", data=capture, capture=about).only("memrayRead")
        result["report"]["metadata"].pop("command")
        self.assertEqual(result["report"], again["report"])
        for spoilt, reason in ((capture[:60], "reader"), (b"no capture at all" * 100, "reader")):
            with self.subTest(size=len(spoilt)), self.debug.agent() as agent:
                about = {"size": len(spoilt), "sha256": hashlib.sha256(spoilt).hexdigest()}
                failed = ask(agent, self.payloads, op="memrayRead", data=spoilt, capture=about)
                self.assertEqual(["CaptureInvalid"], failed.causes)
                self.assertEqual(reason, failed.failures[0]["detail"]["reason"])

    def test_without_a_whole_memray_there_is_no_picture_and_nothing_is_done(self) -> None:
        running = self.target(self.place, "busy")
        failed = self.ask(running, html=True)
        self.assertEqual(["ToolUnavailable"], failed.causes)
        self.assertEqual("memray", failed.failures[0]["detail"]["tool"])
        self.assertNotIn("memray", Path(f"/proc/{running.pid}/maps").read_text())

    def test_a_picture_that_fails_leaves_report_and_capture(self) -> None:
        running = self.target(self.place, "busy")
        name = "pydebug_agent.memray.draw"
        sources = modules()
        sources[name] = sources[name].replace("if good and said.strip() == version:", "if True:")
        with self.debug.agent(sources=sources) as agent:
            answer = ask(agent, self.payloads, pids=[running.pid], seconds=1.0, html=True, keepCapture=True)
        self.assertEqual(["ToolFailed"], answer.causes)
        self.assertIn("memray", answer.failures[0]["message"])
        report, file, end = answer.results
        self.assertEqual(("memray", "file", "fileEnd"), (report["kind"], file["kind"], end["kind"]))
        self.assertEqual(("capture", "capture"), (file["file"], end["file"]))
        self.assertEqual(hashlib.sha256(answer.content).hexdigest(), end["sha256"])
        self.assertGreater(report["report"]["totals"]["allocations"], 0)

    def test_every_mode(self) -> None:
        running = self.target(self.place, "idle")
        for mode in ("native", "pythonAllocators", "aggregate"):
            with self.subTest(mode=mode):
                result = self.ask(running, **{mode: True}).only()
                self.assertTrue(result["mode"][mode])
                report = result["report"]
                self.assertEqual(mode == "native", report["metadata"]["native"])
                self.assertEqual(mode == "pythonAllocators", report["metadata"]["tracePythonAllocators"])
                self.assertEqual("aggregated" if mode == "aggregate" else "all", report["metadata"]["format"])
                self.assertEqual(mode == "aggregate", report["totals"]["allocated"] is None)
                functions = [frame[0] for entry in report["leaked"] for frame in frames_of(report, entry)]
                self.assertIn("remember", functions)

    def test_a_capture_that_grows_too_large_ends_it_early(self) -> None:
        running = self.target(self.place, "busy")
        answer = self.ask(running, seconds=60, pythonAllocators=True, maximumBytes=2 << 20)
        result = answer.only()
        self.assertEqual(("limit", ["CaptureLimit"]), (result["ended"], answer.warnings))
        self.assertGreater(result["report"]["totals"]["allocations"], 1000)

    def test_a_rehearsal_alone_does_not_touch_the_target(self) -> None:
        running = self.target(self.place, "idle")
        answer = self.ask(running, rehearseOnly=True)
        check = answer.only("memrayCheck")
        self.assertEqual(("same", "cp313"), (check["rehearsal"]["how"], check["payload"]))
        with open(f"/proc/{running.pid}/maps", encoding="utf-8") as file:
            self.assertNotIn("_memray", file.read())

    def test_a_payload_that_kills_its_process_kills_none_but_the_rehearsal(self) -> None:
        """libdebuginfod without its symbol versions ends the process that loads it, in the loader of glibc 2.36."""
        running = self.target(self.place, "idle")
        spoilt = dict(self.payloads)
        spoilt["cp313"] = _spoilt(spoilt["cp313"])
        with self.debug.agent() as agent:
            answer = ask(agent, spoilt, pids=[running.pid], seconds=1)
        self.assertEqual(["MemrayRehearsal"], answer.causes)
        self.assertTrue(alive(running))

    def test_what_has_no_payload_is_refused(self) -> None:
        running = self.target(self.place, "idle")
        known = hashes(self.payloads)[MACHINE]
        for announced, reason in (
            ({MACHINE: {"cp39": known["cp39"]}}, "version"),
            ({"pdp11": known}, "machine"),
            ({MACHINE: {"cp313": known["cp313"]}}, "runtime"),
        ):
            with self.subTest(reason=reason):
                answer = self.ask(running, sha256=announced)
                self.assertEqual(["MemrayNoPayload"], answer.causes)
                self.assertEqual(reason, answer.failures[0]["detail"]["reason"])

    def test_two_reports_at_once_and_a_profiler_of_its_own(self) -> None:
        running = self.target(self.place, "idle")
        second: List[Answer] = []

        def meanwhile(progress: Dict[str, Any]) -> None:
            if progress["phase"] == "track" and not second:
                with Agent() as agent:
                    second.append(ask(agent, self.payloads, pids=[running.pid], seconds=1))

        with self.debug.agent() as agent:
            first = ask(agent, self.payloads, pids=[running.pid], seconds=8, meanwhile=meanwhile)
        first.only()
        self.assertEqual(["MemrayBusy"], second[0].causes)
        profiled = self.target(
            self.place,
            source="import threading, time\nthreading.setprofile(lambda *_: None)\nprint('\"ready\"')\ntime.sleep(999)",
        )
        answer = self.ask(profiled)
        self.assertEqual(("ProcessTraced", "profile"), (answer.causes[0], answer.failures[0]["detail"]["what"]))

    def test_several_processes_over_the_same_seconds_and_one_that_is_none(self) -> None:
        running = [self.target(self.place, "idle") for _ in range(2)]
        with self.debug.agent() as agent:
            pids = [*(each.pid for each in running), os.getpid() + 4_000_000]
            answer = ask(agent, self.payloads, pids=pids, seconds=1.5)
        self.assertEqual(["ProcessGone"], answer.causes)
        self.assertEqual([each.pid for each in running], [result["pid"] for result in answer.results])
        for result in answer.results:
            self.assertGreater(named(result["report"], "remember"), 300_000)



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
            if got.kind == "P" and got.json["phase"] == phase:
                return
            self.assertNotIn(got.kind, ("E", "T", ""), got.payload)

    def test_a_request_that_is_cancelled(self) -> None:
        running = self.target(self.place, "idle")
        for phase in ("rehearse", "track"):
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
            self.begin(running, agent, "track")
            agent.process.stdin.close()
            agent.process.wait(30)
        self.assertEqual([], self.debug.left())
        self.assert_tracked_no_more(running)

    def test_an_agent_that_is_killed_at_any_moment(self) -> None:
        running = self.target(self.place, "idle")
        for phase, delay in (("rehearse", 0.1), ("attach", 0.0), ("attach", 0.02), ("attach", 0.05), ("track", 0.1)):
            with self.subTest(phase=phase, delay=delay), self.debug.agent() as agent:
                self.begin(running, agent, phase)
                time.sleep(delay)
                agent.process.send_signal(signal.SIGKILL)
                agent.process.wait()
            self.assertTrue(alive(running))
        for folder in self.debug.left():
            # What a killed agent leaves is removed by the next one, once it is no longer young.
            os.utime(folder, (1, 1))
        # A thread that never got its work sleeps for a minute and a half at most.
        self.assertTrue(settled(lambda: len(os.listdir(f"/proc/{running.pid}/task")) == 1, 100))
        self.assert_tracked_no_more(running)

    def test_a_target_that_ends_leaves_what_it_did(self) -> None:
        for number, ended in ((signal.SIGKILL, "killed"), (signal.SIGTERM, "ended")):
            with self.subTest(ended=ended):
                running = self.target(self.place, "idle")

                def end(progress: Dict[str, Any]) -> None:
                    if progress["phase"] == "track" and progress["done"] >= 1:
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
time.sleep(float(sys.argv[1]))
for number in os.listdir("/proc/self/fd"):
    path = f"/proc/self/fd/{number}"
    try:
        is_socket = os.readlink(path).startswith("socket:")
    except FileNotFoundError:
        # The tracker opens files too.
        continue
    if is_socket:
        socket.socket(fileno=int(number)).shutdown(socket.SHUT_RDWR)
time.sleep(60)
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
        inside = ["nsenter", f"--net=/proc/{server.pid}/ns/net", sys.executable, "-c", _LOAD]
        load = self.start_command(inside)
        self.assertEqual("ready", load.line(60))
        for _ in range(2):
            with debug.agent() as agent:
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


class LastWords(unittest.TestCase):
    """What of a dying interpreter's words is shown: real ones, of 3.11 and 3.13."""

    def test_what_tells_is_kept(self) -> None:
        from pydebug_agent.memray.subject import _telling

        frames = "Current thread 0x00007ff0f72e1040 (most recent call first):\n  "
        started = (
            "Python path configuration:\n  PYTHONHOME = '/nowhere'\n  sys.path = [\n    '/nowhere/lib',\n  ]\n"
            "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding\n"
            "Python runtime state: core initialized\nModuleNotFoundError: No module named 'encodings'\n\n"
            + frames + "<no Python frame>\n"
        )  # fmt: skip
        failed = "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding"
        self.assertEqual(f"{failed}; ModuleNotFoundError: No module named 'encodings'", _telling(started))
        crashed = (
            f"Fatal Python error: Segmentation fault\n\n{frames}File \"reduce\", line 9 in group\n\n"
            "Extension modules: memray._memray (total: 1)\n"
        )
        self.assertEqual("Fatal Python error: Segmentation fault", _telling(crashed))
        self.assertEqual("OSError: no capture", _telling("Traceback\n  File \"x\"\nOSError: no capture\n\n"))
        self.assertEqual("", _telling("\n"))


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
            if progress["phase"] == "track" and progress["done"] >= 1:
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


class NearTheLimit(unittest.TestCase):
    def test_what_grows_fast_is_stopped_earlier(self) -> None:
        from pydebug_agent.memray.run import Nearing

        def rest(growth: int) -> int:
            """Return how much is left when it says so, of 100 MiB that shrink by so much a second."""
            nearing = Nearing()
            for look in range(10_000):
                room = max(0, (100 << 20) - int(growth * look / 10))
                if nearing.is_near(room, 50 + look / 10):
                    return room
            return -1

        self.assertEqual(-1, rest(0))
        self.assertAlmostEqual(6 << 20, rest(300_000), delta=100_000)
        self.assertAlmostEqual(30 << 20, rest(10 << 20), delta=2 << 20)
        self.assertFalse(Nearing().is_near(None, 1.0))


class Pause(Tracked):
    def test_other_threads_are_held_up_for_milliseconds(self) -> None:
        """The best of several attaches, each to a new process: what is measured must not be this machine's load."""
        python = self.newest()
        payloads = needs(python)
        debug, place = self.container(python), self.container(python)
        longest: List[float] = []
        for _ in range(4):
            running = self.target(place, source=_TICKING)
            with debug.agent() as agent:
                result = ask(agent, payloads, pids=[running.pid], seconds=1).only()
            running.say("?")
            longest.append(running.line())
            self.assertLess(result["pause"]["held"], 1_000_000)
            running.end()
        # The ticker itself sleeps for 5 ms.
        self.assertLess(min(longest), 0.015 + 0.005, f"gaps of {longest} s")


_TICKING = """
import sys, threading, time
worst = [0.0]
def tick():
    last = time.perf_counter()
    while True:
        time.sleep(0.005)
        now = time.perf_counter()
        worst[0] = max(worst[0], now - last)
        last = now
threading.Thread(target=tick, daemon=True).start()
print('"ready"', flush=True)
sys.stdin.readline()
print(worst[0], flush=True)
sys.stdin.read()
"""


def _spoilt(packed: bytes) -> bytes:
    """Return a payload whose libdebuginfod is not the one that was linked with."""
    import io

    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(zlib.decompress(packed))) as archive, tarfile.open(
        fileobj=out, mode="w", format=tarfile.USTAR_FORMAT
    ) as changed:
        for entry in archive:
            file = archive.extractfile(entry)
            content = file.read() if file is not None else b""
            if "libdebuginfod" in entry.name:
                content = content.replace(b"ELFUTILS_0.178", b"ELFUTILS_9.999")
            changed.addfile(entry, io.BytesIO(content))
    return zlib.compress(out.getvalue())


if __name__ == "__main__":
    unittest.main()
