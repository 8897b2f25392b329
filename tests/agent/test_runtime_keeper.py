"""The keeper: how long it holds the debug container open, and who may end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

from .driver import FLAGS, alive, failures, keeper, keeper_boot, python_versions, results, wait_for
from .pod import PodTest, as_user

import keeper as module

SOURCE = keeper()


def start(python: str = "/usr/bin/python3", source: str = SOURCE, **session: Any) -> "subprocess.Popen[bytes]":
    created = session.get("created", int(time.time()))
    more = session.get("more", "")
    mark = f'{{"v":1,"target":"web","created":{created},"spec":"0"{more}}}'
    environment = dict(os.environ, PYDEBUG_SESSION=mark, PYDEBUG_KEEPER=source)
    # Agents of other tests, at the same time, must not take it for the keeper of their container.
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else []
    return subprocess.Popen(
        [*apart, python, *FLAGS, "-c", keeper_boot()], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def ready(process: "subprocess.Popen[bytes]") -> None:
    def waits() -> bool:
        # SIGCHLD is the last signal that it ignores.
        with open(f"/proc/{process.pid}/status", "rb") as file:
            ignored = next((line.split()[1] for line in file if line.startswith(b"SigIgn")), b"0")
        return bool(int(ignored, 16) & 1 << (signal.SIGCHLD - 1)) or process.poll() is not None

    wait_for(waits)


def faster(idle: float, most: float) -> str:
    source = SOURCE.replace("IDLE = 3600.0", f"IDLE = {idle}").replace("MOST = 43200.0", f"MOST = {most}")
    assert source != SOURCE
    return source


class Keeper(unittest.TestCase):
    def close(self, process: "subprocess.Popen[bytes]") -> int:
        process.kill()
        code = process.wait()
        process.stderr.close()
        return code

    def test_it_holds_on_every_python_and_ends_when_told(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version):
                process = start(python)
                ready(process)
                for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
                    process.send_signal(number)
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(0.3)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(0, process.wait(30))
                self.close(process)

    def test_it_ends_some_time_after_the_last_use(self) -> None:
        begun = time.monotonic()
        process = start(source=faster(2.0, 60.0))
        ready(process)
        while time.monotonic() - begun < 4.0:
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            self.assertIsNone(process.poll())
        self.assertEqual(0, process.wait(30))
        self.close(process)

    def test_it_ends_in_any_case_after_its_longest_time(self) -> None:
        process = start(source=faster(60.0, 1.0))
        ready(process)
        self.assertEqual(0, process.wait(30))
        self.close(process)

    def test_its_mark_may_shorten_its_times_and_not_lengthen_them(self) -> None:
        for more in ('"idle":1', '"life":1', '"idle":9999999,"life":1', '"idle":1,"user":"x \\u0022idle\\u0022:99"'):
            with self.subTest(more):
                process = start(more="," + more)
                self.assertEqual(0, process.wait(30))
                self.close(process)
        for more in ('"idle":0', '"idle":"1"', '"life":-1', '"idle":99999'):
            with self.subTest(more):
                process = start(source=faster(1.5, 60.0), more="," + more)
                ready(process)
                self.assertIsNone(process.poll())
                self.assertEqual(0, process.wait(30))
                self.close(process)

    def test_a_restart_ends_at_once(self) -> None:
        process = start(created=int(time.time()) - 3700)
        self.assertNotEqual(0, process.wait(30))
        self.assertIn(b"restart", process.stderr.read())
        self.close(process)

    def test_a_session_that_says_nothing_is_held(self) -> None:
        for session in ("null", '"x"', "-"):
            with self.subTest(session):
                process = start(created=session)
                ready(process)
                self.assertIsNone(process.poll())
                self.close(process)

    def test_it_goes_before_the_application_when_memory_runs_out(self) -> None:
        process = start()
        ready(process)
        with open(f"/proc/{process.pid}/oom_score_adj", encoding="ascii") as file:
            self.assertEqual("1000", file.read().strip())
        self.close(process)


def status(pid: int, name: str) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(next((line.split()[1] for line in file if line.startswith(name + ":")), "0"))


class Words(unittest.TestCase):
    def test_the_command_is_short_and_the_kubelet_replaces_nothing_in_either(self) -> None:
        """An argument costs its length some twenty times over, before anything can be looked at."""
        self.assertLess(len(keeper_boot()), 320)
        self.assertNotIn("$", keeper_boot() + SOURCE)

    def test_the_look_comes_before_what_is_only_needed_later(self) -> None:
        before = SOURCE.partition('    check()\n')[0]
        self.assertLess(len(before), 4096)
        self.assertNotIn("PROGRAMS", before)


class Small(unittest.TestCase):
    """Where the pod's limit is known there is nothing to look at again: no interpreter is kept for waiting."""

    LIMIT = 96 << 20

    def start(self, python: str = sys.executable, source: str = SOURCE, more: str = "") -> "subprocess.Popen[bytes]":
        process = self.started(start(python, source, more=f',"limit":{self.LIMIT},"low":true{more}'))
        wait_for(lambda: process.poll() is not None or self.is_small(process.pid))
        return process

    def started(self, process: "subprocess.Popen[bytes]") -> "subprocess.Popen[bytes]":
        for step in (process.stderr.close, process.wait, process.kill):
            self.addCleanup(step)
        return process

    def is_small(self, pid: int) -> bool:
        # Its maps are made first of all that it does: in the end as much is mapped as may ever be in use.
        # What it gives back when the kernel ends it is there as well, with the tables of its maps.
        own, maps = (status(pid, name) << 10 for name in ("RssAnon", "RssFile"))
        return maps > self.LIMIT and module.RESERVE - 4096 <= own + maps // 512 < module.RESERVE * 2

    def test_on_every_python_it_has_a_few_pages_of_its_own_and_is_larger_than_the_application_may_become(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version):
                process = self.start(python)
                self.assertIsNone(process.poll())
                self.assertIn("memfd:pydebug-keeper", os.readlink(f"/proc/{process.pid}/exe"))
                self.assertNotIn(b"PYDEBUG_KEEPER", Path(f"/proc/{process.pid}/environ").read_bytes())
                with open(f"/proc/{process.pid}/oom_score_adj", encoding="ascii") as file:
                    self.assertEqual("1000", file.read().strip())
                for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGSTOP, signal.SIGCONT):
                    process.send_signal(number)
                with self.assertRaises(subprocess.TimeoutExpired):
                    process.wait(0.3)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(0, process.wait(30))

    def test_it_ends_some_time_after_the_last_use(self) -> None:
        process = self.start(source=faster(2.5, 60.0))
        begun = time.monotonic()
        while time.monotonic() - begun < 5.0:
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            self.assertIsNone(process.poll())
        self.assertEqual(0, process.wait(30))
        self.assertGreater(time.monotonic() - begun, 7.0)

    def test_it_ends_in_any_case_after_its_longest_time(self) -> None:
        process = self.start(source=faster(60.0, 3.0))
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.1)
        self.assertEqual(0, process.poll())

    def test_its_mark_may_shorten_its_times(self) -> None:
        for more in (',"idle":2', ',"life":2'):
            with self.subTest(more):
                self.assertEqual(0, self.start(more=more).wait(30))

    def test_where_it_may_not_be_run_the_interpreter_waits(self) -> None:
        for name, old, new in (
            ("a machine without a program", "posix.uname().machine", '"riscv64"'),
            ("an old interpreter", "posix.memfd_create", "posix.no_memfd_create"),
            ("a kernel that runs no such file", "posix.fchmod(opened[0], 0o100)", "posix.fchmod(opened[0], 0)"),
        ):
            with self.subTest(name):
                source = SOURCE.replace(old, new)
                self.assertNotEqual(SOURCE, source)
                process = self.started(start(source=source, more=f',"limit":{self.LIMIT},"low":true'))
                wait_for(lambda at=process.pid: status(at, "RssFile") << 10 > self.LIMIT)
                self.assertIn("python", os.readlink(f"/proc/{process.pid}/exe"))
                files = Path(f"/proc/{process.pid}/fd").iterdir()
                self.assertEqual([], [file for file in map(os.readlink, files) if "memfd:" in file])
                process.send_signal(signal.SIGUSR1)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(0, process.wait(30))


class Size(unittest.TestCase):
    """The kernel ends the largest of those that have the same points."""

    FILES = {
        "/proc/1/statm": b"248 140 140 1 0 50 0", "/proc/1/oom_score_adj": b"-998",
        "/proc/7/statm": b"90000 32000 2000 1 0 60000 0", "/proc/7/oom_score_adj": b"999",
        "/proc/9/statm": b"90000 40000 40000 1 0 600 0", "/proc/9/oom_score_adj": b"1000",
        "/proc/9/cmdline": b'python3\0-c\0"""pydebug-keeper',
    }

    def largest(self, **files: bytes) -> Any:
        known = {**self.FILES, **{f"/proc/7/{name}": content for name, content in files.items()}}
        with mock.patch.object(module, "read", lambda path: known.get(path, b"")):
            with mock.patch.object(module.posix, "listdir", lambda path: ["1", "7", "9", "self"]):
                maps: List[Any] = []
                with mock.patch.object(module, "code", lambda: (1 << 20, b"/nowhere", 0)):
                    try:
                        module.grow(maps)
                    except FileNotFoundError:
                        maps.append("would")
                return module.largest(), maps

    def test_the_application_counts_and_neither_pause_nor_what_is_ours(self) -> None:
        self.assertEqual(((32000 * 4096, 999), ["would"]), self.largest())

    def test_where_the_application_is_spared_it_stays_small(self) -> None:
        self.assertEqual(((32000 * 4096, -997), []), self.largest(oom_score_adj=b"-997"))


class Headroom(unittest.TestCase):
    """What is left before the first exec, by the groups of the two containers."""

    V1 = (
        b"total_inactive_file 3\ntotal_active_file 9\ntotal_mapped_file 4\n"
        b"total_shmem 1\ntotal_dirty 2\ntotal_writeback 1\n"
    )
    V2 = b"inactive_file 3\nactive_file 9\nfile_mapped 4\nshmem 1\nfile_dirty 2\nfile_writeback 1\n"

    def left(self, mark: bytes, files: Dict[str, bytes]) -> Any:
        known = {name.encode(): content for name, content in files.items()}
        with mock.patch.object(module, "read", lambda path: known.get(path, b"")):
            with mock.patch.dict(module.posix.environ, {b"PYDEBUG_SESSION": mark}):
                return module.remaining()

    def test_both_containers_count_and_what_can_be_taken_back_does_not(self) -> None:
        for name, statistics, folder in (
            ("memory.usage_in_bytes", self.V1, "/sys/fs/cgroup/memory/"),
            ("memory.current", self.V2, "/sys/fs/cgroup/"),
        ):
            with self.subTest(name=name):
                files = {
                    folder + name: b"20\n", folder + "memory.stat": statistics,
                    "/proc/1/root" + folder + name: b"50\n", "/proc/1/root" + folder + "memory.stat": b"",
                }
                # Of 12 of page cache 3 are mapped, 2 not written yet, and 1 on its way.
                self.assertEqual(100 - (20 - 6) - 50, self.left(b'{"limit":100}', files))
                self.assertEqual(0, self.left(b'{"limit":60}', files))
                self.assertIsNone(self.left(b'{"limit":0}', files), "no limit")
                self.assertIsNone(self.left(b'{"limit":49}', files), "the node's own files")
                self.assertIsNone(self.left(b'{"limit":60,"low":1}', files), "asked for all the same")
                self.assertIsNone(
                    self.left(b'{"limit":100}', dict(list(files.items())[:2])), "the target's are not seen")

    def test_where_too_little_is_left_it_ends_and_says_how_much(self) -> None:
        short = SOURCE.replace("        headroom = remaining()\n", "        headroom = 3 << 20\n")
        self.assertNotEqual(SOURCE, short)
        process = start(source=short)
        said = process.communicate(timeout=60)[1]
        self.assertEqual(
            (module.SHORT, b"pydebug-keeper: 3145728 bytes of memory are left"), (process.returncode, said))


class InPod(PodTest):
    def test_it_is_larger_than_the_application_may_become(self) -> None:
        """One that grows to the limit within a second is still the smaller when the next agent is only starting."""
        limit = 192 << 20
        pid = self.pod().kept(session=f'{{"v":1,"created":{int(time.time())},"limit":{limit},"beside":0}}')

        def resident() -> int:
            with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

        wait_for(lambda: resident() > limit)

    def test_each_agent_tells_the_keeper_beside_it(self) -> None:
        pod = self.pod()
        marked = SOURCE.replace(
            "            used = time.monotonic()\n",
            '            used = time.monotonic()\n            posix.write(2, b"used")\n',
        )
        self.assertNotEqual(SOURCE, marked)
        process = pod.keeper(source=marked)
        keeper = pod.settled(process)
        other = pod.kept()
        with pod.agent(beside=keeper) as agent:
            agent.ask("probe")
        os.kill(keeper, signal.SIGTERM)
        wait_for(lambda: not alive(keeper))
        self.assertEqual(b"used", process.stderr.read())
        self.assertTrue(alive(other))

    def test_one_that_is_still_starting_is_not_ended_by_it(self) -> None:
        pod = self.pod()
        # Where little CPU is left, an interpreter takes its time.
        starting = SOURCE.replace("import sys\n", "import sys\nimport time\n\ntime.sleep(4)\n", 1)
        self.assertNotEqual(SOURCE, starting)
        process = pod.keeper(source=starting)
        keeper = int(wait_for(lambda: pod.keeper_of(process)))
        with pod.agent(beside=keeper) as agent:
            agent.ask("probe")
        self.assertEqual(keeper, pod.settled(process))

    def test_stop_ends_the_keeper_once_the_client_knows(self) -> None:
        for user in (None, 10001):
            with self.subTest(user=user):
                wrap = as_user(user) if user else []
                pod = self.pod()
                keeper = pod.kept(wrap=wrap)
                with pod.agent(beside=keeper, wrap=wrap) as agent:
                    agent.request("stop")
                    self.assertEqual("T", agent.until("T").kind)
                    self.assertTrue(alive(keeper))
                    agent.send("A")
                    wait_for(lambda: not alive(keeper))
                    self.assertEqual(0, agent.process.wait(30))
                wait_for(lambda: list(pod.processes()) == [1])

    def test_stop_ends_other_agents_first(self) -> None:
        # One without rights may not look at the other, which hides from whoever is of its user.
        for user in (None, 10001):
            with self.subTest(user=user):
                wrap = as_user(user) if user else []
                pod = self.pod()
                keeper = pod.kept(wrap=wrap)
                with pod.agent(beside=keeper, wrap=wrap) as other, pod.agent(beside=keeper, wrap=wrap) as agent:
                    self.assertEqual("H", other.next().kind)
                    frames = agent.ask("stop")
                    self.assertEqual("stop", results(frames)[0]["kind"])
                    self.assertEqual("Cancelled", failures(other.finish())[0]["cause"])
                wait_for(lambda: list(pod.processes()) == [1])

    def test_stop_leaves_the_keepers_of_other_containers(self) -> None:
        pod = self.pod()
        keeper, other = pod.kept(), pod.kept()
        with pod.agent(beside=keeper) as agent:
            agent.ask("stop")
        wait_for(lambda: not alive(keeper))
        self.assertTrue(alive(other))


if __name__ == "__main__":
    unittest.main()
