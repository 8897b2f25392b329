"""The keeper: how long it holds the debug container open, and who may end it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import unittest
from typing import Any

from .driver import AGENT, FLAGS, alive, failures, python_versions, results, wait_for
from .pod import PodTest, as_user

SOURCE = (AGENT / "keeper.py").read_text()


def start(python: str = "/usr/bin/python3", source: str = SOURCE, **session: Any) -> "subprocess.Popen[bytes]":
    created = session.get("created", int(time.time()))
    environment = dict(os.environ, PYDEBUG_SESSION=f'{{"v":1,"target":"web","created":{created},"spec":"0"}}')
    return subprocess.Popen(
        [python, *FLAGS, "-c", source], env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
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
                self.assertEqual(0, process.wait(5))
                self.close(process)

    def test_it_ends_some_time_after_the_last_use(self) -> None:
        begun = time.monotonic()
        process = start(source=faster(1.0, 60.0))
        ready(process)
        while time.monotonic() - begun < 3.0:
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            self.assertIsNone(process.poll())
        self.assertEqual(0, process.wait(5))
        self.close(process)

    def test_it_ends_in_any_case_after_its_longest_time(self) -> None:
        process = start(source=faster(60.0, 1.0))
        ready(process)
        self.assertEqual(0, process.wait(5))
        self.close(process)

    def test_a_restart_ends_at_once(self) -> None:
        process = start(created=int(time.time()) - 3700)
        self.assertNotEqual(0, process.wait(10))
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


class InPod(PodTest):
    def test_each_agent_tells_the_keeper_beside_it(self) -> None:
        pod = self.pod()
        marked = SOURCE.replace(
            "            used = time.monotonic()\n",
            '            used = time.monotonic()\n            os.write(2, b"used")\n',
        )
        self.assertNotEqual(SOURCE, marked)
        process = pod.keeper(source=marked)
        keeper = pod.settled(process)
        other = pod.kept()
        with pod.agent(beside=keeper) as agent:
            agent.ask("ping")
        os.kill(keeper, signal.SIGTERM)
        wait_for(lambda: not alive(keeper))
        self.assertEqual(b"used", process.stderr.read())
        self.assertTrue(alive(other))

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
                    self.assertEqual(0, agent.process.wait(5))
                wait_for(lambda: list(pod.processes()) == [1])

    def test_stop_ends_other_agents_first(self) -> None:
        pod = self.pod()
        keeper = pod.kept()
        with pod.agent(beside=keeper) as other, pod.agent(beside=keeper) as agent:
            self.assertEqual("H", other.next().kind)
            frames = agent.ask("stop")
            self.assertEqual((1, 1), (results(frames)[0]["agents"], results(frames)[0]["keepers"]))
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
