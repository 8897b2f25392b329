"""Which processes the agent takes for Pythons of the target, and what it says of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, Dict, List

from .driver import failures, python_versions, results, wait_for
from .pod import IDLE, Pod, PodTest

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

    def test_a_program_that_embeds_libpython(self) -> None:
        if shutil.which("uwsgi") is None:
            self.skipTest("uwsgi is missing (packages uwsgi, uwsgi-plugin-python3)")
        with tempfile.TemporaryDirectory() as place:
            with open(os.path.join(place, "app.py"), "w", encoding="utf-8") as file:
                file.write("def application(environment, start):\n    start('200 OK', [])\n    return [b'x']\n")
            pod = self.pod(
                "uwsgi", "--plugin", "python3", "--http-socket", "127.0.0.1:0", "--master", "--processes", "2",
                "--chdir", place, "--module", "app", "--need-app",
            )
            found = wait_for(lambda: three(listed(pod)))
            self.assertEqual(["Master", "Worker", "Worker"], sorted(entry["role"] for entry in found.values()))
            self.assertEqual("Master", found[1]["role"])
            self.assertEqual({"3.11"}, {entry["version"][:4] for entry in found.values()})

    def test_gunicorn_and_its_workers(self) -> None:
        if shutil.which("gunicorn") is None:
            self.skipTest("gunicorn is missing (package gunicorn)")
        with tempfile.TemporaryDirectory() as place:
            with open(os.path.join(place, "app.py"), "w", encoding="utf-8") as file:
                file.write("def application(environment, start):\n    start('200 OK', [])\n    return [b'x']\n")
            pod = self.pod(
                DEBIAN, shutil.which("gunicorn") or "", "--chdir", place, "--bind", "127.0.0.1:0", "--workers", "2",
                "--log-level", "critical", "app",
            )
            found = wait_for(lambda: three(listed(pod)))
            self.assertEqual("Master", found[1]["role"])
            self.assertEqual(2, sum(entry["role"] == "Worker" for entry in found.values()))

    def test_only_the_targets_container_counts_not_ours(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE)
        keeper = pod.kept()
        other = subprocess.Popen(
            ["nsenter", "--target", str(keeper), "--pid", "--mount", DEBIAN, "-c", IDLE], stdin=subprocess.DEVNULL
        )
        try:
            alone = lambda: sum("python" in name for name in pod.processes().values()) == 3  # noqa: E731
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
        source = self.pod(DEBIAN, "-I", "-S", "-B", "-c", keeper_source())
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
            with pod.agent(wrap=["strace", "-f", "-e", "trace=file", "-o", log.name]) as agent:
                agent.ask("processes")
            trace = log.read().decode()
        self.assertIn("/proc/1/cmdline", trace)
        self.assertNotIn("environ", re.sub(r"execve\(.*", "", trace))


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
        self.assertEqual(["Master", "Single", "Worker"], self.roles(code, 3))

    def test_a_program_that_another_python_starts_is_no_worker(self) -> None:
        code = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {IDLE!r}])\n" + IDLE
        self.assertEqual(["Single", "Single"], self.roles(code, 2))

    def test_a_reloader_runs_its_own_program_again(self) -> None:
        code = "import os, subprocess, sys\nif 'CHILD' not in os.environ:\n"
        code += "    subprocess.Popen([sys.executable] + sys.argv, env=dict(os.environ, CHILD='1'))\n" + IDLE
        self.assertEqual(["Master", "Worker"], self.roles(code, 2, "runserver"))


def keeper_source() -> str:
    from .driver import AGENT

    return (AGENT / "keeper.py").read_text()


def three(found: Dict[int, Dict[str, Any]]) -> Dict[int, Dict[str, Any]]:
    return found if len(found) == 3 else {}


if __name__ == "__main__":
    unittest.main()
