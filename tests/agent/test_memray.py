"""memray in processes that have none: what is reported."""

from __future__ import annotations

import hashlib
import os
import tarfile
import unittest
import zlib
from typing import Any, Dict, List

from .memray_support import Tracked, MACHINE, Answer, alive, ask, frames_of, hashes, named, needs
from .reader_support import Running


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
            if progress["text"].endswith(" captured") and not second:
                with self.debug.agent() as agent:
                    second.append(ask(agent, self.payloads, pids=[running.pid], seconds=1))

        with self.debug.agent() as agent:
            first = ask(agent, self.payloads, pids=[running.pid], seconds=8, meanwhile=meanwhile)
        first.only()
        self.assertEqual(["MemrayBusy"], second[0].causes, second[0].failures)
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


class LastWords(unittest.TestCase):
    """What of a dying interpreter's words is shown: real ones, of 3.11 and 3.13."""

    def test_what_tells_is_kept(self) -> None:
        from pydebug_agent.memray.reading import telling

        frames = "Current thread 0x00007ff0f72e1040 (most recent call first):\n  "
        started = (
            "Python path configuration:\n  PYTHONHOME = '/nowhere'\n  sys.path = [\n    '/nowhere/lib',\n  ]\n"
            "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding\n"
            "Python runtime state: core initialized\nModuleNotFoundError: No module named 'encodings'\n\n"
            + frames + "<no Python frame>\n"
        )
        failed = "Fatal Python error: init_fs_encoding: failed to get the Python codec of the filesystem encoding"
        self.assertEqual(f"{failed}; ModuleNotFoundError: No module named 'encodings'", telling(started))
        crashed = (
            f"Fatal Python error: Segmentation fault\n\n{frames}File \"reduce\", line 9 in group\n\n"
            "Extension modules: memray._memray (total: 1)\n"
        )
        self.assertEqual("Fatal Python error: Segmentation fault", telling(crashed))
        self.assertEqual("OSError: no capture", telling("Traceback\n  File \"x\"\nOSError: no capture\n\n"))
        self.assertEqual("", telling("\n"))


class NearTheLimit(unittest.TestCase):
    def test_what_grows_fast_is_stopped_earlier(self) -> None:
        from pydebug_agent.memray.run import Nearing

        def rest(growth: int) -> int:
            """Return how much is left when it says so, of 100 MiB that shrink by so much a second."""
            nearing = Nearing()
            for look in range(10_000):
                headroom = max(0, (100 << 20) - int(growth * look / 10))
                if nearing.is_near(headroom, 50 + look / 10):
                    return headroom
            return -1

        self.assertEqual(-1, rest(0))
        # What it takes to read a capture, and what is used up meanwhile.
        self.assertAlmostEqual(14 << 20, rest(300_000), delta=1_000_000)
        self.assertAlmostEqual(44 << 20, rest(10 << 20), delta=2 << 20)
        self.assertFalse(Nearing().is_near(None, 1.0))


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
