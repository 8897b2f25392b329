"""How tools run, end and leave the target, with a stand-in for py-spy that does what each test needs."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
import unittest
from typing import Any, Dict, List, Sequence

from . import pyspy
from .driver import Agent, Frame, alive, failures, modules, python_versions, results, wait_for
from .pod import IDLE, Pod, PodTest, as_user

DEBIAN = "/usr/bin/python3"
HANG = "trap '' INT TERM; echo x > /tmp/started; while :; do sleep 1000; done"
SAMPLING = 'echo "py-spy> Sampling process 100 times a second for 62 seconds."\n'
RECORD = (
    "trap 'echo \"{}\" > $output; echo \"py-spy> Wrote speedscope file. Samples: 208 Errors: 3\"; exit 0' INT\n"
    + SAMPLING
    + "while :; do sleep 0.05; done"
)
TMPFS = "mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /var/tmp"


def warnings(frames: List[Frame]) -> Dict[str, str]:
    return {got.json["id"]: got.json["message"] for got in frames if got.kind == "W"}


class ToolTest(PodTest):
    def both(self, **options: Any) -> "tuple[Pod, int]":
        """Return a pod of one Python and the keeper in its debug container."""
        pod = self.pod(DEBIAN, "-c", IDLE)
        return pod, pod.kept(**options)

    def below_a_shell(self) -> "tuple[Pod, int, int]":
        """Return a pod, its keeper and its Python: not PID 1, which from inside cannot be stopped."""
        pod = self.pod("sh", "-c", f"{DEBIAN} -c '{IDLE}'; true")
        wait_for(lambda: [name for name in pod.processes().values() if name.endswith("python3")])
        (python,) = [pid for pid, name in pod.processes().items() if name.endswith("python3")]
        return pod, pod.kept(setup=TMPFS), python

    def assert_clean(self, pod: Pod) -> None:
        """Nothing of ours may be left, and no zombie below the application."""
        try:
            wait_for(lambda: sorted(pod.processes()) == [1, *self.keepers(pod)], 30)
        except AssertionError:
            self.fail(f"left over: {pod.processes()}")
        self.assertEqual("S", pod.processes()[1][0])

    def keepers(self, pod: Pod) -> List[int]:
        found = []
        for pid in pod.processes():
            run = subprocess.run(
                ["nsenter", "--target", str(pod.host_pid), "--pid", "--mount", "cat", f"/proc/{pid}/cmdline"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            if b"pydebug-keeper" in run.stdout:
                found.append(pid)
        return sorted(found)


class Ending(ToolTest):
    def started(self, pod: Pod, keeper: int, body: str, **parameters: Any) -> Agent:
        agent = pod.agent(beside=keeper)
        binary = pyspy.stand_in(body)
        pyspy.begin(agent, binary, **parameters)
        self.assertEqual("N", agent.until("N").kind)
        pyspy.give(agent, binary)
        wait_for(lambda: os.path.exists(f"/proc/{keeper}/root/tmp/started"))
        return agent

    def signal(self, pod: Pod, number: int, worker: bool = False, besides: Sequence[int] = ()) -> None:
        """Send a signal to the process that was started for the agent, or to the one that does its work."""
        others = {1, *self.keepers(pod), *besides}
        started, works = sorted(pid for pid, name in pod.processes().items() if "python" in name and pid not in others)
        enter = ["nsenter", "--target", str(pod.host_pid), "--pid", "--mount"]
        subprocess.run([*enter, "kill", f"-{number}", str(works if worker else started)], check=True)

    def test_end_of_stdin_ends_a_tool_that_ignores_it_and_its_children(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        # The child leaves the tool's group and loses its parent: it must not come to PID 1.
        body = "setsid sh -c 'sleep 1000 & sleep 1000' & " + HANG
        with self.started(pod, keeper, body) as agent:
            agent.process.stdin.close()
            self.assertNotEqual(0, agent.process.wait(30))
        self.assert_clean(pod)

    def test_silence_ends_it_too(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        sources = modules()
        channel = sources["pydebug_agent.protocol.channel"].replace("SILENCE_SECONDS = 25.0", "SILENCE_SECONDS = 15.0")
        self.assertNotEqual(channel, sources["pydebug_agent.protocol.channel"])
        sources["pydebug_agent.protocol.channel"] = channel
        binary = pyspy.stand_in(HANG)
        with pod.agent(beside=keeper, sources=sources) as agent:
            pyspy.begin(agent, binary)
            agent.until("N")
            pyspy.give(agent, binary)
            self.assertNotEqual(0, agent.process.wait(60))
        self.assert_clean(pod)

    def test_a_runtime_that_kills_what_it_started_leaves_nothing(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with self.started(pod, keeper, HANG):
            # Its stdin stays open: the death alone tells.
            self.signal(pod, signal.SIGKILL)
            self.assert_clean(pod)

    def test_a_target_left_stopped_is_continued_where_the_runtime_kills_what_it_started(self) -> None:
        pod, keeper, python = self.below_a_shell()
        with self.started(pod, keeper, "kill -STOP $pid; " + HANG):
            self.assertEqual("T", pod.processes()[python][0])
            self.signal(pod, signal.SIGKILL, besides=[python])
            wait_for(lambda: sorted(pod.processes()) == [1, python, *self.keepers(pod)])
        self.assertEqual("S", pod.processes()[python][0])

    def test_a_killed_agent_takes_its_tool_along(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with self.started(pod, keeper, "trap '' INT TERM; echo x > /tmp/started; exec sleep 1000") as agent:
            inside = [pid for pid, name in pod.processes().items() if name.endswith("sleep")]
            self.assertEqual(1, len(inside))
            self.signal(pod, signal.SIGKILL, worker=True)
            wait_for(lambda: pod.processes().get(inside[0], "Z")[0] == "Z")
            self.assertEqual(137, agent.process.wait(30))

    def test_cancel_ends_it_and_is_answered(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with self.started(pod, keeper, HANG) as agent:
            begun = time.monotonic()
            agent.send("C")
            frames = agent.finish()
            self.assertLess(time.monotonic() - begun, 20)
            self.assertEqual({"Cancelled"}, {entry["cause"] for entry in failures(frames)})
            self.assertEqual(130, frames[-1].json["exit"])
            self.assertTrue(agent.trailer_good)
        self.assert_clean(pod)

    def test_the_deadline_ends_it_and_is_answered(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with self.started(pod, keeper, HANG, deadline=25.0) as agent:
            frames = agent.finish()
            self.assertEqual({"Deadline"}, {entry["cause"] for entry in failures(frames)})
            self.assertEqual(124, frames[-1].json["exit"])
        self.assert_clean(pod)

    def test_sigterm_ends_it(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with self.started(pod, keeper, HANG) as agent:
            self.signal(pod, signal.SIGTERM)
            self.assertEqual("Cancelled", failures(agent.finish())[0]["cause"])
        self.assert_clean(pod)

    def test_a_good_run_leaves_nothing(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        binary = pyspy.stand_in("(sleep 1000 &) ; setsid sleep 1000 & echo '[]'")
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, binary)
            self.assertEqual(b"[]\n", pyspy.content(frames), failures(frames))
        self.assert_clean(pod)

    def test_a_target_left_stopped_is_continued_and_told(self) -> None:
        pod, keeper, python = self.below_a_shell()
        binary = pyspy.stand_in('kill -STOP $pid; echo "[]"')
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, binary)
            self.assertIn("TargetWasStopped", warnings(frames))
            self.assertTrue(results(frames, "tool")[0]["stopped"])
        self.assertEqual("S", pod.processes()[python][0])

    def test_a_target_left_stopped_by_a_tool_whose_client_went_is_continued(self) -> None:
        pod, keeper, python = self.below_a_shell()
        with self.started(pod, keeper, "kill -STOP $pid; " + HANG) as agent:
            self.assertEqual("T", pod.processes()[python][0])
            agent.process.stdin.close()
            agent.process.wait(30)
        self.assertEqual("S", pod.processes()[python][0])
        wait_for(lambda: sorted(pod.processes()) == [1, python, *self.keepers(pod)])

    def test_a_target_that_was_stopped_before_stays_so(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        os.kill(pod.host_pid, signal.SIGSTOP)
        wait_for(lambda: pod.processes()[1][0] == "T")
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in('echo "[]"'))
            self.assertEqual({}, warnings(frames))
        self.assertEqual("T", pod.processes()[1][0])


class Payload(ToolTest):
    def test_every_python_runs_it(self) -> None:
        pod, keeper = self.both(setup="mount -o remount,ro,bind /")
        for version, python in python_versions().items():
            with self.subTest(version=version), pod.agent(python, beside=keeper) as agent:
                frames = pyspy.ask(agent, pyspy.stand_in("echo '[]'"), pack=True)
                self.assertEqual(b"[]\n", pyspy.content(frames), failures(frames))
                self.assertEqual("", agent.stderr)
        self.assert_clean(pod)

    def test_it_is_sent_once_per_container(self) -> None:
        pod, keeper = self.both(setup="rm -rf /tmp/.pydebug-0")
        binary = pyspy.stand_in("echo '[]'", version=f"py-spy 0.{time.time_ns()}")
        asked = []
        for pack in (True, False):
            with pod.agent(beside=keeper) as agent:
                frames = pyspy.ask(agent, binary, pack=pack)
                self.assertEqual(b"[]\n", pyspy.content(frames), failures(frames))
                asked.append(sum(got.kind == "N" for got in frames))
        self.assertEqual([1, 0], asked)
        path = f"/tmp/.pydebug-0/py-spy-{hashlib.sha256(binary).hexdigest()[:16]}"
        with open(path, "ab") as file:
            file.write(b"tampered")
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, binary)
            self.assertEqual(1, sum(got.kind == "N" for got in frames))
        os.unlink(path)

    def test_a_wrong_hash_is_refused_and_nothing_runs(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in("echo '[]'; touch /tmp/ran"), digest="0" * 64)
        self.assertEqual(["ToolUnavailable"], [entry["cause"] for entry in failures(frames)])
        self.assertFalse(os.path.exists(f"/proc/{keeper}/root/tmp/ran"))

    def test_a_client_that_has_none_cancels(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            pyspy.begin(agent, b"x")
            agent.until("N")
            agent.send("C")
            self.assertEqual("Cancelled", failures(agent.finish())[0]["cause"])

    def test_a_machine_without_a_binary_is_told(self) -> None:
        pod, keeper = self.both()
        with pod.agent(beside=keeper) as agent:
            frames = agent.ask("pyspy", mode="dump", sha256={"riscv64": "0" * 64})
        self.assertEqual(["ToolUnavailable"], [entry["cause"] for entry in failures(frames)])

    def test_a_directory_of_somebody_elses_is_not_trusted(self) -> None:
        pod, keeper = self.both(
            setup="rm -rf /tmp/.pydebug-0; mkdir -m 777 /tmp/evil-pydebug; ln -s /tmp/evil-pydebug /tmp/.pydebug-0"
        )
        try:
            with pod.agent(beside=keeper) as agent:
                frames = pyspy.ask(agent, pyspy.stand_in("echo '[]'"))
            self.assertEqual(b"[]\n", pyspy.content(frames), failures(frames))
            self.assertEqual([], os.listdir("/tmp/evil-pydebug"))
        finally:
            os.unlink("/tmp/.pydebug-0")
            os.rmdir("/tmp/evil-pydebug")

    def test_a_read_only_container_runs_it_from_memory(self) -> None:
        # A user without rights may not read what it runs, so that a script will not do: the real py-spy has that test.
        pod = self.pod(*as_user(10001), DEBIAN, "-c", IDLE)
        wait_for(lambda: pod.processes()[1].endswith("python3"))
        # Where /tmp is a mount of its own, that one as well.
        keeper = pod.kept(setup="mount -o remount,ro,bind / && { mount -o remount,ro,bind /tmp 2>/dev/null || true; }")
        binary = pyspy.stand_in("echo x > /tmp/ro && exit 9; echo '[]'")
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, binary)
        self.assertEqual(b"[]\n", pyspy.content(frames), failures(frames))


class Recording(ToolTest):
    def test_it_ends_by_our_clock_and_keeps_the_numbers(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in(RECORD), mode="record", seconds=2.5, rate=100)
        (result,) = results(frames, "tool")
        self.assertEqual((208, 3, "clock", 0), (result["samples"], result["errors"], result["ended"], result["exit"]))
        self.assertAlmostEqual(2.5, result["seconds"], delta=1.0)
        self.assertEqual([], result["messages"])
        self.assertEqual(b"{}\n", pyspy.content(frames))
        self.assertEqual(hashlib.sha256(b"{}\n").hexdigest(), results(frames, "fileEnd")[0]["sha256"])
        self.assertGreaterEqual(sum(got.kind == "P" for got in frames), 2)

    def test_the_clock_starts_with_the_first_sample(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in("sleep 2\n" + RECORD), mode="record", seconds=1)
        self.assertEqual(b"{}\n", pyspy.content(frames), failures(frames))
        self.assertLess(results(frames, "tool")[0]["seconds"], 1.9)

    def test_a_target_that_ends_keeps_its_profile(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        body = SAMPLING + 'echo "{}" > $output; echo "py-spy> Stopped sampling because process exited"\n'
        body += 'echo "py-spy> Wrote speedscope file. Samples: 84 Errors: 0"'
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in(body), mode="record", seconds=30)
        (result,) = results(frames, "tool")
        self.assertEqual(("exited", 84), (result["ended"], result["samples"]))
        self.assertIn("ProcessExited", warnings(frames))
        self.assertEqual(b"{}\n", pyspy.content(frames))

    def test_top_is_many_short_recordings(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in(RECORD), mode="top", seconds=3, interval=0.5)
        found = results(frames, "tool")
        self.assertGreaterEqual(len(found), 2)
        self.assertEqual(list(range(len(found))), [entry["sequence"] for entry in found])

    def test_several_processes_share_the_same_seconds(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        other = pod.run(DEBIAN, "-c", IDLE)
        try:
            with pod.agent() as agent:
                wait_for(lambda: alive(other.pid))
            begun = time.monotonic()
            with pod.agent(beside=keeper) as agent:
                frames = pyspy.ask(agent, pyspy.stand_in(RECORD), mode="record", seconds=4)
            self.assertEqual(2, len(results(frames, "tool")), failures(frames))
            said = [got.json["text"] for got in frames if got.kind == "P"]
            self.assertIn("2 of 2 sampled", said)
            self.assertGreater(time.monotonic() - begun, 4)
        finally:
            other.kill()
            other.wait()

    def test_many_threads_lower_the_rate_and_are_told(self) -> None:
        code = "import threading, time\nfor _ in range(150): threading.Thread(target=time.sleep, args=(999,)).start()\n"
        pod = self.pod(DEBIAN, "-c", code + IDLE)
        keeper = pod.kept(setup=TMPFS)
        wait_for(lambda: len(os.listdir(f"/proc/{pod.host_pid}/task")) > 150)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in(RECORD), mode="record", seconds=0.5)
            self.assertEqual(21, results(frames, "tool")[0]["rate"])
            self.assertIn("ManyThreads", warnings(frames))


class Failing(ToolTest):
    def failure(self, body: str, **parameters: Any) -> Dict[str, Any]:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in(body), **parameters)
        (failure,) = failures(frames)
        return failure

    def test_what_it_says_becomes_a_cause(self) -> None:
        cases = {
            "Error: Permission denied (os error 13)": "PtraceDenied",
            "Permission Denied: Try running again with elevated permissions by going 'sudo env'": "PtraceDenied",
            "Error: No space left on device (os error 28)": "DiskFull",
            "Error: UNW_EINVAL": "ToolFailed",
            "Error: something new": "ToolFailed",
            "Error: No such process (os error 3)": "ProcessGone",
        }
        for said, cause in cases.items():
            with self.subTest(said):
                body = f'echo "{said}" >&2; echo >&2; echo "Stack backtrace:" >&2; echo "  0: rust" >&2; exit 1'
                failure = self.failure(body)
                self.assertEqual((cause, 1), (failure["cause"], failure["pid"]))
                text = str(failure)
                self.assertNotIn("sudo", text)
                self.assertNotIn("backtrace", text)
                self.assertNotIn("rust", text)

    def test_no_output_and_death_by_signal_are_failures(self) -> None:
        for body in ("exit 0", "kill -SEGV $$"):
            with self.subTest(body):
                self.assertEqual("ToolFailed", self.failure(body)["cause"])

    def test_options_that_are_not_passed_on(self) -> None:
        pod, keeper = self.both()
        for argument in ("--output=/etc/passwd", "-o", "--subprocesses", "--core", "--", "x", "--rate"):
            with self.subTest(argument), pod.agent(beside=keeper) as agent:
                frames = agent.ask("pyspy", mode="record", sha256={}, arguments=[argument])
                self.assertEqual(["BadRequest"], [entry["cause"] for entry in failures(frames)])

    def test_one_failing_process_leaves_the_others(self) -> None:
        pod, keeper = self.both(setup=TMPFS)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in("echo '[]'"), pids=[4242, 1])
        self.assertEqual([4242], [entry["pid"] for entry in failures(frames)])
        self.assertEqual([1], [entry["pid"] for entry in results(frames, "tool")])

    def test_a_tree_with_a_child_that_is_not_python(self) -> None:
        code = f"import os, subprocess\nsubprocess.Popen(['sleep', '1000'])\nos.fork()\n{IDLE}"
        pod = self.pod("sh", "-c", f'{DEBIAN} -c "{code}"; true')
        keeper = pod.kept(setup=TMPFS)
        wait_for(lambda: sum("python" in name for name in pod.processes().values()) == 3)
        with pod.agent(beside=keeper) as agent:
            frames = pyspy.ask(agent, pyspy.stand_in("echo '[]'"), pids=[1], subprocesses=True)
        self.assertEqual(2, len(results(frames, "tool")))
        self.assertEqual([], failures(frames))
        self.assertIn("sleep", warnings(frames)["NotPython"])


if __name__ == "__main__":
    unittest.main()
