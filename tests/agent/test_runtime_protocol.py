"""The agent's protocol, spoken to a real agent through boot.py."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import time
import unittest

from .driver import FLAGS, Agent, boot, failures, frame, modules, python_versions, results, start_up, wait_for
from .pod import IDLE, PodTest


class Protocol(unittest.TestCase):
    def test_boot_fits_in_the_url(self) -> None:
        self.assertLess(len(boot()), 400)

    def test_every_python_says_hello_first_and_a_true_trailer_last(self) -> None:
        for version, python in python_versions().items():
            with self.subTest(version=version), Agent(python) as agent:
                frames = agent.ask("probe")
                self.assertEqual(["H", "R", "T"], [got.kind for got in frames], agent.stderr)
                self.assertTrue(agent.trailer_good)
                self.assertEqual(version, frames[0].json["python"])
                self.assertEqual(agent.process.pid, frames[0].json["pid"])
                self.assertEqual(0, agent.process.returncode)

    def test_it_waits_for_the_acknowledgement(self) -> None:
        with Agent() as agent:
            agent.request("probe")
            self.assertEqual("T", agent.until("T").kind)
            with self.assertRaises(subprocess.TimeoutExpired):
                agent.process.wait(1.0)
            agent.send("A")
            self.assertEqual(0, agent.process.wait(30))

    def test_end_of_stdin_after_the_trailer_is_an_end_too(self) -> None:
        with Agent() as agent:
            agent.request("probe")
            agent.until("T")
            agent.process.stdin.close()
            self.assertEqual(0, agent.process.wait(30))

    def test_end_of_stdin_before_a_request_ends_it(self) -> None:
        with Agent() as agent:
            self.assertEqual("H", agent.next().kind)
            agent.process.stdin.close()
            self.assertNotEqual(0, agent.process.wait(30))

    def test_bad_requests_get_a_cause_and_a_trailer(self) -> None:
        cases = {
            "unknown operation": frame("Q", b'{"v":1,"op":"format-disk"}'),
            "other version": frame("Q", b'{"v":2,"op":"probe"}'),
            "no JSON": frame("Q", b"\xff\xfe{"),
            "no object": frame("Q", b"[1]"),
            "deeply nested": frame("Q", b"[" * 100000),
            "no operation": frame("Q", b'{"v":1}'),
            "data first": frame("D", b"x"),
            "deadline": frame("Q", b'{"v":1,"op":"probe","deadline":-1}'),
            "pids": frame("Q", b'{"v":1,"op":"stack","pids":["1; rm"]}'),
        }
        for name, request in cases.items():
            with self.subTest(name), Agent() as agent:
                agent.write(request)
                frames = agent.finish()
                self.assertEqual(["BadRequest"], [entry["cause"] for entry in failures(frames)], agent.stderr)
                self.assertEqual(2, frames[-1].json["exit"])
                self.assertTrue(agent.trailer_good)

    def test_a_frame_that_claims_to_be_huge_ends_the_agent(self) -> None:
        with Agent() as agent:
            agent.next()
            agent.write(struct.pack(">IB", 0xFFFFFFFF, ord("Q")))
            self.assertNotEqual(0, agent.process.wait(30))

    def test_sigterm_cancels(self) -> None:
        with Agent() as agent:
            self.assertEqual("H", agent.next().kind)
            agent.process.send_signal(signal.SIGTERM)
            frames = agent.finish()
            self.assertEqual("Cancelled", failures(frames)[0]["cause"])
            self.assertEqual(130, frames[-1].json["exit"])

    def test_it_offers_itself_to_the_oom_killer(self) -> None:
        with Agent() as agent:
            agent.next()
            with open(f"/proc/{agent.process.pid}/oom_score_adj", encoding="ascii") as file:
                self.assertEqual("1000", file.read().strip())

    def test_start_up_code_of_the_image_does_not_run(self) -> None:
        import tempfile

        with tempfile.TemporaryDirectory() as place:
            for name in ("sitecustomize.py", "usercustomize.py", "json.py", "zlib.py", "pydebug_agent.py"):
                with open(os.path.join(place, name), "w", encoding="utf-8") as file:
                    file.write("import os; os.write(2, b'image code ran')\n")
            environment = dict(os.environ, PYTHONPATH=place, PYTHONSTARTUP=os.path.join(place, "json.py"))
            with Agent(environment=environment, cwd=place) as agent:
                frames = agent.ask("probe")
                self.assertEqual("T", frames[-1].kind)
                self.assertNotIn("image code ran", agent.stderr)

    def test_a_print_does_not_break_the_frames(self) -> None:
        sources = modules()
        sources["pydebug_agent.target.run"] += "\nprint('noise', flush=True)\n"
        with Agent(sources=sources) as agent:
            self.assertEqual(["H", "R", "T"], [got.kind for got in agent.ask("probe")])
            self.assertTrue(agent.trailer_good)
            wait_for(lambda: "noise" in agent.stderr)

    def test_an_agent_that_cannot_start_says_why_on_stderr(self) -> None:
        run = subprocess.run(
            ["/usr/bin/python3", *FLAGS, "-c", boot()], input=start_up({"x": ""}), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.assertEqual((1, b""), (run.returncode, run.stdout))
        self.assertIn("pydebug_agent", run.stderr.decode().splitlines()[-1])

    def test_a_name_with_half_a_surrogate_pair_is_still_json(self) -> None:
        sources = modules()
        sources["pydebug_agent.target.run"] += (
            "\ndef probe(request):\n    request.result({'kind': 'x', 'name': 'a\\ud800b'})\n"
        )
        with Agent(sources=sources) as agent:
            frames = agent.ask("probe")
            payload = next(got.payload for got in frames if got.kind == "R")
            self.assertNotIn(b"\\ud800", payload)
            json.loads(payload.decode("utf-8", "strict"))

    def test_heartbeats_come_and_silence_of_the_client_ends_it(self) -> None:
        sources = modules()
        channel = sources["pydebug_agent.protocol.channel"]
        channel = channel.replace("HEARTBEAT_SECONDS = 3.0", "HEARTBEAT_SECONDS = 0.2")
        sources["pydebug_agent.protocol.channel"] = channel.replace("SILENCE_SECONDS = 25.0", "SILENCE_SECONDS = 2.0")
        with Agent(sources=sources) as agent:
            start = time.monotonic()
            agent.request("probe")
            agent.until("T")
            agent.process.wait(60)
            self.assertGreater(time.monotonic() - start, 1.9)
            self.assertNotEqual(0, agent.process.returncode)


    def test_a_client_that_spoke_while_the_agent_did_not_run_was_not_silent(self) -> None:
        sources = modules()
        channel = sources["pydebug_agent.protocol.channel"]
        sources["pydebug_agent.protocol.channel"] = channel.replace("SILENCE_SECONDS = 25.0", "SILENCE_SECONDS = 1.0")
        sources["pydebug_agent.target.run"] += "\ndef probe(request):\n    request.channel.receive(60.0)\n"
        with Agent(sources=sources) as agent:
            agent.request("probe")
            agent.until("H")
            for _ in range(8):
                agent.send("K")
                agent.process.send_signal(signal.SIGSTOP)
                until = time.monotonic() + 1.5
                while time.monotonic() < until:
                    time.sleep(0.1)
                    agent.send("K")
                agent.process.send_signal(signal.SIGCONT)
                for _ in range(4):
                    time.sleep(0.05)
                    agent.send("K")
            agent.send("Z")
            self.assertEqual(0, agent.finish()[-1].json["exit"])


class WithoutCtypes(PodTest):
    def test_processes_are_listed_and_stacks_say_what_is_missing(self) -> None:
        sources = modules()
        blocked = "import sys\nsys.modules['_ctypes'] = None\n"
        sources["pydebug_agent"] = blocked + sources["pydebug_agent"].replace("from __future__", "# ")
        pod = self.pod("/usr/bin/python3", "-c", IDLE)
        with pod.agent(sources=sources) as agent:
            self.assertEqual([1], [entry["pid"] for entry in results(agent.ask("processes"))])
        with pod.agent(sources=sources) as agent:
            (failure,) = failures(agent.ask("stack"))
        self.assertEqual("NoCtypes", failure["cause"])
        self.assertIn("_ctypes", failure["message"])


if __name__ == "__main__":
    unittest.main()
