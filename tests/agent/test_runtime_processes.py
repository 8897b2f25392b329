"""Which processes the agent takes for Pythons of the target, and what it says of them."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, Dict, List, Tuple

from .driver import failures, keeper, keeper_boot, python_versions, results, wait_for
from .pod import IDLE, Pod, PodTest
from .reader_support import cache

from pydebug_agent.system import elf_file
from pydebug_agent.target import roles

DEBIAN = "/usr/bin/python3"


def listed(pod: Pod, **options: Any) -> Dict[int, Dict[str, Any]]:
    with pod.agent(**options) as agent:
        frames = agent.ask("processes")
        return {entry["pid"]: entry for entry in results(frames, "process")}


class Found(PodTest):
    def test_every_minor_is_found_with_its_version(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version):
                found = listed(self.pod(python, "-c", IDLE))
                self.assertEqual([(1, version)], [(pid, entry["version"]) for pid, entry in found.items()])
                self.assertEqual("CPython", found[1]["implementation"])

    def test_what_it_says_of_a_process_is_true(self) -> None:
        code = "import threading, time\nfor _ in range(4): threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        code += "held = bytearray(50 << 20)\nuntil = time.process_time() + 0.3\n"
        code += "while time.process_time() < until: pass\nopen('/tmp/pydebug-test-ready', 'w').close()\n" + IDLE
        ready = "/tmp/pydebug-test-ready"
        before = time.time()
        pod = self.pod("/usr/bin/setpriv", "--reuid", "10001", DEBIAN, "-c", code, setup="mount -t tmpfs tmpfs /tmp")
        wait_for(lambda: os.path.exists(f"/proc/{pod.host_pid}/root{ready}"))
        entry = listed(pod)[1]
        self.assertEqual(10001, entry["uid"])
        self.assertEqual(5, entry["threads"])
        self.assertGreater(entry["rss"], 50 << 20)
        self.assertLess(entry["rss"], 100 << 20)
        self.assertGreaterEqual(entry["cpu"], 0.3)
        self.assertAlmostEqual(before, entry["started"], delta=5.0)
        self.assertEqual([DEBIAN, "-c", code], entry["command"])
        self.assertEqual("Single", entry["role"])
        self.assertEqual(0, entry["parent"])

    def test_any_interpreter_name_and_a_deleted_binary(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            renamed = os.path.join(place, "backend server")
            shutil.copy(os.path.realpath(DEBIAN), renamed)
            environment = dict(os.environ, PYTHONHOME="/usr")
            pod = self.pod(renamed, "-c", IDLE, environment=environment)
            self.assertEqual("3.11", listed(pod)[1]["version"][:4])
            os.unlink(renamed)
            entry = listed(pod)[1]
            self.assertEqual(("3.11", renamed), (entry["version"][:4], entry["executable"]))

    def test_a_program_that_the_dynamic_loader_runs(self) -> None:
        loader = next(iter(glob.glob("/lib64/ld-linux-*") + glob.glob("/lib/ld-linux-*")), None)
        if loader is None:
            self.skipTest("no dynamic loader of the GNU C library here")
        code = "def loop():\n    import time\n    while True: time.sleep(1)\nloop()"
        for options in ([], ["--argv0", "service"]):
            pod = self.pod(loader, *options, DEBIAN, "-I", "-S", "-c", code)
            entry = listed(pod)[1]
            self.assertEqual(("CPython", "3.11"), (entry["implementation"], entry["version"][:4]))
            self.assertEqual(os.path.realpath(DEBIAN), entry["executable"])
            with pod.agent() as agent:
                (result,) = results(agent.ask("stack"), "stack")
            self.assertEqual("loop", result["threads"][0]["frames"][0]["name"])

    def test_the_state_of_a_process(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE)
        self.assertEqual("sleeping", wait_for(lambda: listed(pod)[1]["state"]))
        os.kill(pod.host_pid, signal.SIGSTOP)
        wait_for(lambda: listed(pod)[1]["state"] == "stopped")
        os.kill(pod.host_pid, signal.SIGCONT)

    def test_the_tag_of_its_bytecode_tells_the_version_of_a_stripped_program(self) -> None:
        texts = b"\0 3.40.1\0cpython-%s\x003.11.2\x003.9.1\0"
        for tag, version in ((b"311", "3.11.2"), (b"39", "3.9.1"), (b"312", None)):
            data = texts % tag
            section = elf_file._Section(b".rodata", 1, 0, 0, len(data), 0, 0)
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.flush()
                read = elf_file._File(file.fileno(), elf_file.Budget())
                self.assertEqual(version, elf_file._search_version(read, [section], None))

    def test_a_venv_and_a_shell_above_it(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            subprocess.run([DEBIAN, "-m", "venv", "--without-pip", place], check=True)
            pod = self.pod("sh", "-c", f"{place}/bin/python -c '{IDLE}'; true")
            found = wait_for(lambda: listed(pod))
            self.assertEqual(1, len(found))
            (entry,) = found.values()
            self.assertEqual(1, entry["parent"])
            self.assertEqual(f"{place}/bin/python", entry["command"][0])

    def test_a_shell_asked_for_its_stacks_names_the_pythons_below(self) -> None:
        pod = self.pod("sh", "-c", f"{DEBIAN} -c '{IDLE}'; true")
        (below,) = wait_for(lambda: listed(pod))
        with pod.agent() as agent:
            frames = agent.ask("stack", pids=[1])
        (failure,) = failures(frames)
        self.assertEqual(("NoPython", [below]), (failure["cause"], failure["detail"]["below"]))
        self.assertIn("sh", failure["message"])
        self.assertIn(str(below), failure["message"])

    def test_no_python_at_all_is_a_failure_not_an_empty_list(self) -> None:
        pod = self.pod("sleep", "1000")
        with pod.agent() as agent:
            frames = agent.ask("processes")
        self.assertEqual(["NoPython"], [entry["cause"] for entry in failures(frames)])
        self.assertEqual(1, frames[-1].json["exit"])

    def _served(self, image: str) -> "Dict[int, Dict[str, Any]]":
        """Return what is listed of an image's server with two workers."""
        root = os.path.join(cache(), "images", image, "rootfs")
        if not os.path.isdir(root):
            self.skipTest(f"no image {image}: make the test images")
        with open(os.path.join(root, "..", "config.json"), encoding="utf-8") as file:
            words: List[str] = json.load(file)["Cmd"]
        words = [word.replace(":8080", ":0") for word in words]
        shared = "".join(f"mount --bind /{name} {root}/{name}; " for name in ("proc", "dev"))
        pod = self.pod("chroot", root, *words, setup=shared + f"mount -t tmpfs tmpfs {root}/tmp")
        return wait_for(lambda: three(listed(pod)))

    def test_a_program_that_embeds_libpython(self) -> None:
        found = self._served("uwsgi")
        self.assertEqual(["Master", "Worker", "Worker"], sorted(entry["role"] for entry in found.values()))
        self.assertEqual("Master", found[1]["role"])
        self.assertEqual({"3.13"}, {entry["version"][:4] for entry in found.values()})

    def test_gunicorn_and_its_workers(self) -> None:
        found = self._served("gunicorn")
        self.assertEqual("Master", found[1]["role"])
        self.assertEqual(2, sum(entry["role"] == "Worker" for entry in found.values()))

    def test_only_the_targets_container_counts_not_ours(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE)
        keeper = pod.kept()
        other = subprocess.Popen(
            ["nsenter", "--target", str(keeper), "--pid", "--mount", DEBIAN, "-c", IDLE], stdin=subprocess.DEVNULL
        )
        try:
            alone = lambda: sum("python" in name for name in pod.processes().values()) == 3
            wait_for(alone)
            found = listed(pod, beside=keeper)
            self.assertEqual([1], list(found))
            self.assertTrue(found[1]["container"])
            # The agent is buried by whoever started it.
            wait_for(alone)
            ours = [pid for pid, name in pod.processes().items() if "python" in name and pid != 1]
            with pod.agent(beside=keeper) as agent:
                frames = agent.ask("stack", pids=ours)
            self.assertEqual({"BadRequest"}, {entry["cause"] for entry in failures(frames)})
        finally:
            other.kill()
            other.wait()

    def test_a_pod_that_does_not_share_its_processes_is_told(self) -> None:
        variables = dict(os.environ, PYDEBUG_KEEPER=keeper())
        source = self.pod(DEBIAN, "-I", "-S", "-B", "-c", keeper_boot(), environment=variables)
        with source.agent() as agent:
            (found,) = results(agent.ask("probe"))
        self.assertEqual((0, False), (found["processes"], found["targetVisible"]))
        with source.agent() as agent:
            frames = agent.ask("stack")
        self.assertEqual(["TargetNotVisible"], [entry["cause"] for entry in failures(frames)])

    def test_the_probe_sees_the_target(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE)
        keeper = pod.kept()
        with pod.agent(beside=keeper) as agent:
            (found,) = results(agent.ask("probe"))
        self.assertEqual((1, True), (found["processes"], found["targetVisible"]))

    def test_hostile_names_do_no_harm(self) -> None:
        name = b"a) S 1 (\n\x1b[31m;\xe2\x80\xaex"
        code = f"open('/proc/self/comm','wb').write({name[:15]!r})\n" + IDLE
        arguments = [b"--x=\xff\xfe", b"new\nline", b"\x1b]0;t\x07", "\u202e;rm".encode()]
        pod = self.pod(DEBIAN, "-c", code, *map(os.fsdecode, arguments))
        entry = wait_for(lambda: [found for found in [listed(pod)[1]] if found["name"].startswith("a)")])[0]
        self.assertEqual("a) S 1 (\n\x1b[31m;", entry["name"])
        self.assertEqual(["--x=\\xff\\xfe", "new\nline", "\x1b]0;t\x07", "\u202e;rm"], entry["command"][3:])
        self.assertEqual((0, "Single"), (entry["parent"], entry["role"]))

    def test_a_huge_command_line_is_cut(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE, *["x" * 100_000] * 10)
        command = listed(pod)[1]["command"]
        self.assertLess(sum(map(len, command)), 20_000)
        self.assertTrue(command[-1].endswith("..."))

    def test_a_process_that_took_over_the_number_is_not_asked(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE)
        started = listed(pod)[1]["started"]
        with pod.agent() as agent:
            frames = agent.ask("stack", pids=[1, 4242], started={"1": started - 100})
        self.assertEqual(
            [("ProcessGone", 1), ("ProcessGone", 4242)], [(entry["cause"], entry["pid"]) for entry in failures(frames)]
        )

    def test_secrets_in_command_lines_do_not_leave(self) -> None:
        pod = self.pod(
            DEBIAN, "-c", IDLE, "--password", "hunter2", "--token=hunter2", "pg://a:hunter2@db/x", "apikey=hunter2"
        )
        with pod.agent() as agent:
            frames = agent.ask("processes")
        self.assertEqual(1, len(results(frames)))
        self.assertFalse(any(b"hunter2" in frame.payload for frame in frames))

    def test_environments_are_not_read(self) -> None:
        if shutil.which("strace") is None:
            self.skipTest("strace is missing")
        pod = self.pod(DEBIAN, "-c", IDLE)
        with tempfile.NamedTemporaryFile() as log:
            for operation in ("processes", "stack", "tasks", "time", "heap"):
                more = {"seconds": 0.5} if operation == "time" else {}
                with pod.agent(wrap=["strace", "-f", "-A", "-e", "trace=file", "-o", log.name]) as agent:
                    self.assertEqual("T", agent.ask(operation, **more)[-1].kind, operation)
            trace = log.read().decode()
        self.assertIn("/proc/1/cmdline", trace)
        self.assertNotIn("environ", re.sub(r"execve\(.*", "", trace))


class RolesByWords(unittest.TestCase):
    """Processes of libraries that are not there, by the command lines that they have."""

    def roles(self, *members: Tuple[int, int, str]) -> Dict[int, str]:
        made = [
            roles.Member(pid, parent, "/usr/bin/python3.13", tuple(command.split("|")), None)
            for pid, parent, command in members
        ]
        return roles.assign(made, {pid: parent for pid, parent, _ in members})

    def test_workers_of_joblib_and_celery(self) -> None:
        loky = "python3|-m|joblib.externals.loky.backend.popen_loky_posix|--process-name|LokyProcess-%d|--pipe|15"
        tracker = "python3|-c|from joblib.externals.loky.backend.resource_tracker import main; main(14)"
        found = self.roles((1, 0, "python3|/srv/app.py"), (8, 1, tracker), (9, 1, loky % 1), (10, 1, loky % 2))
        self.assertEqual({1: "Master", 8: "Helper", 9: "Worker", 10: "Worker"}, found)
        spawned = "python3|-c|from billiard.spawn import spawn_main; spawn_main(pipe_handle=9)|--billiard-fork"
        found = self.roles((1, 0, "python3|-m|celery"), (7, 1, spawned))
        self.assertEqual({1: "Master", 7: "Worker"}, found)

    def test_a_fork_server_without_workers_leaves_its_starter_alone(self) -> None:
        server = "python3|-c|from multiprocessing.forkserver import main; main(5, 6, ['__main__'])"
        self.assertEqual({1: "Single", 9: "Helper"}, self.roles((1, 0, "python3|/srv/app.py"), (9, 1, server)))
        found = self.roles((1, 0, "python3|/srv/app.py"), (9, 1, server), (12, 9, server))
        self.assertEqual({1: "Master", 9: "Helper", 12: "Worker"}, found)


class Roles(PodTest):
    def roles(self, code: str, count: int, *arguments: str) -> List[str]:
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write(code)
            file.flush()
            pod = self.pod(sys.executable, file.name, *arguments)
            found = wait_for(lambda: [got for got in [listed(pod)] if len(got) == count])[0]
            return [found[pid]["role"] for pid in sorted(found)]

    def test_forked_children_are_workers_even_under_another_title(self) -> None:
        code = "import os\n[os.fork() or exec(\"import ctypes\\n\" + IDLE) for _ in range(2)]\n" + IDLE
        code = f"IDLE = {IDLE!r}\n" + code.replace("or exec", "== 0 and exec")
        self.assertEqual(["Master", "Worker", "Worker"], self.roles(code, 3))

    def test_spawned_children_are_workers_and_their_tracker_is_not(self) -> None:
        code = "import multiprocessing, signal\ndef work(event): signal.pause()\nif __name__ == '__main__':\n"
        code += "    context = multiprocessing.get_context('spawn')\n    event = context.Event()\n"
        code += "    context.Process(target=work, args=(event,)).start()\n    signal.pause()\n"
        self.assertEqual(["Master", "Helper", "Worker"], self.roles(code, 3))

    def test_what_a_fork_server_made_works_for_who_started_that(self) -> None:
        code = "import multiprocessing, signal\ndef work(): signal.pause()\nif __name__ == '__main__':\n"
        code += "    context = multiprocessing.get_context('forkserver')\n"
        code += "    for _ in range(2): context.Process(target=work).start()\n    signal.pause()\n"
        # The tracker and the server come before the workers.
        self.assertEqual(["Master", "Helper", "Helper", "Worker", "Worker"], self.roles(code, 5))

    def test_a_program_that_another_python_starts_is_no_worker(self) -> None:
        code = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {IDLE!r}])\n" + IDLE
        self.assertEqual(["Single", "Single"], self.roles(code, 2))

    def test_a_reloader_runs_its_own_program_again(self) -> None:
        code = "import os, subprocess, sys\nif 'CHILD' not in os.environ:\n"
        code += "    subprocess.Popen([sys.executable] + sys.argv, env=dict(os.environ, CHILD='1'))\n" + IDLE
        self.assertEqual(["Master", "Worker"], self.roles(code, 2, "runserver"))


def three(found: Dict[int, Dict[str, Any]]) -> Dict[int, Dict[str, Any]]:
    return found if len(found) == 3 else {}


if __name__ == "__main__":
    unittest.main()
