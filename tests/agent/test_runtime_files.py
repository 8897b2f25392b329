"""One file out of the debug container or into it."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
import time
import unittest
from typing import Any, List, Optional

from .driver import Agent, Frame, failures, modules, results
from .pod import PodTest, as_user


def content(frames: List[Frame]) -> bytes:
    return b"".join(got.payload for got in frames if got.kind == "F")


def causes(frames: List[Frame]) -> List[str]:
    return [entry["cause"] for entry in failures(frames)]


class FilesTest(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name

    def path(self, name: str) -> str:
        return os.path.join(self.place, name)

    def write(self, name: str, data: bytes) -> str:
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def read(self, path: str) -> bytes:
        with open(path, "rb") as file:
            return file.read()


class Get(FilesTest):
    def get(self, path: str, **options: Any) -> List[Frame]:
        with Agent(**options) as agent:
            frames = agent.ask("get", path=path)
            self.assertTrue(agent.trailer_good, agent.stderr)
            return frames

    def test_the_bytes_and_their_hash(self) -> None:
        for size in (0, 1, 262144, 5_000_001):
            with self.subTest(size=size):
                data = os.urandom(size)
                path = self.write("a file", data)
                os.chmod(path, 0o640)
                frames = self.get(path)
                first, last = results(frames)
                self.assertEqual(data, content(frames))
                expected = (size, 0o640, hashlib.sha256(data).hexdigest())
                self.assertEqual(expected, (first["size"], first["mode"], last["sha256"]))
                self.assertAlmostEqual(os.stat(path).st_mtime, first["mtime"], delta=0.001)

    def test_names_are_names(self) -> None:
        for name in ("profile[0].json", "a;rm -rf x", "new\nline", "\x1b[31m", "\u202etxt", "$(id)", "*", "ümläut"):
            with self.subTest(name=name):
                self.write(name.replace("*", "decoy"), b"other")
                self.assertEqual(name.encode(), content(self.get(self.write(name, name.encode()))))

    def test_the_locale_does_not_change_a_name(self) -> None:
        path = self.write("ümläut", b"x")
        self.assertEqual(b"x", content(self.get(path, environment={"LC_ALL": "C", "PATH": os.environ["PATH"]})))

    def test_what_is_no_regular_file(self) -> None:
        os.mkfifo(self.path("pipe"))
        os.symlink(self.write("target", b"x"), self.path("link"))
        cases = {
            self.path("pipe"): "FileNotRegular",
            self.path("link"): "FileNotRegular",
            self.place: "FileNotRegular",
            self.place + "/": "FileNotRegular",
            self.path(".."): "FileNotRegular",
            "/dev/zero": "FileNotRegular",
            "/proc/self/environ": "FileNotRegular",
            self.path("missing"): "FileNotFound",
            self.path("target") + "/x": "FileNotFound",
            self.path("x" * 300): "FileNotFound",
            "relative": "BadRequest",
            self.path("nul\0"): "BadRequest",
            "": "BadRequest",
        }
        for path, cause in cases.items():
            with self.subTest(path=path):
                frames = self.get(path)
                self.assertEqual([cause], causes(frames))
                self.assertEqual(b"", content(frames))

    def test_a_file_that_shrinks_or_is_written_to_meanwhile_fails(self) -> None:
        for name, change in (("shrinks", "os.truncate(path, 10)"), ("is written", "os.utime(path, (1, 1))")):
            with self.subTest(name):
                path = self.write("file", os.urandom(1_000_000))
                sources = modules()
                spot = "            digest.update(chunk)\n            request.channel.send(\"F\", chunk)\n"
                changed = sources["pydebug_agent.files"].replace(spot, f"            {change}\n{spot}", 1)
                self.assertNotEqual(changed, sources["pydebug_agent.files"])
                sources["pydebug_agent.files"] = changed
                self.assertEqual(["FileChanged"], causes(self.get(path, sources=sources)))

    def test_a_log_that_grows_is_cut_and_told(self) -> None:
        path = self.write("log", b"x" * 100)
        sources = modules()
        spot = "        after = os.fstat(descriptor)\n"
        sources["pydebug_agent.files"] = sources["pydebug_agent.files"].replace(
            spot, f"        open(path, 'ab').write(b'more')\n{spot}"
        )
        frames = self.get(path, sources=sources)
        self.assertEqual(b"x" * 100, content(frames))
        self.assertEqual(["FileGrew"], [got.json["id"] for got in frames if got.kind == "W"])

    def test_a_large_file_needs_little_memory(self) -> None:
        path = self.path("large")
        with open(path, "wb") as file:
            file.truncate(300 << 20)
        peak = [0]
        with Agent() as agent:
            agent.request("get", path=path)
            length = 0
            while True:
                got = agent.next(60)
                if got.kind == "F":
                    length += len(got.payload)
                    if length % (50 << 20) < len(got.payload):
                        with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
                            peak[0] = max(peak[0], *(int(line.split()[1]) for line in file if line.startswith("VmHWM")))
                if got.kind in ("T", ""):
                    break
            agent.send("A")
        self.assertEqual(300 << 20, length)
        self.assertGreater(peak[0], 0)
        self.assertLess(peak[0], 40 << 10)


class Put(FilesTest):
    def put(self, path: str, data: bytes, **changes: Any) -> List[Frame]:
        body = {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "overwrite": False}
        body.update(changes)
        frames: List[Frame] = []
        writer: Optional[threading.Thread] = None
        with Agent() as agent:
            agent.request("put", **body)
            while True:
                got = agent.next(60)
                frames.append(got)
                if got.kind == "N":
                    writer = threading.Thread(target=self._send, args=(agent, data), daemon=True)
                    writer.start()
                if got.kind in ("T", ""):
                    break
            # The client reads on only when it has sent all of it.
            if writer is not None:
                writer.join(60)
            self._send_quietly(agent, "A")
            agent.process.wait(40)
        return frames

    def _send_quietly(self, agent: Agent, kind: str) -> None:
        try:
            agent.send(kind)
        except OSError:
            pass

    def _send(self, agent: Agent, data: bytes) -> None:
        try:
            for start in range(0, len(data), 32768):
                agent.send("D", data[start : start + 32768])
            agent.send("Z")
        except OSError:
            pass

    def test_the_bytes_arrive_for_the_owner_alone(self) -> None:
        for size in (0, 3, 5_000_001):
            with self.subTest(size=size):
                data = os.urandom(size)
                path = self.path(f"file {size}")
                frames = self.put(path, data)
                self.assertEqual([], causes(frames))
                self.assertEqual(data, self.read(path))
                self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
        self.assertEqual(3, len(os.listdir(self.place)))

    def test_what_exists_stays_unless_told_otherwise(self) -> None:
        path = self.write("file", b"old")
        self.assertEqual(["FileExists"], causes(self.put(path, b"new")))
        self.assertEqual(b"old", self.read(path))
        self.assertEqual([], causes(self.put(path, b"new", overwrite=True)))
        self.assertEqual(b"new", self.read(path))
        self.assertEqual(["file"], os.listdir(self.place))

    def test_links_are_not_followed_and_directories_not_replaced(self) -> None:
        victim = self.write("victim", b"old")
        os.symlink(victim, self.path("link"))
        os.mkdir(self.path("directory"))
        for name in ("link", "directory"):
            for overwrite, cause in ((True, "FileNotRegular"), (False, "FileExists")):
                with self.subTest(name=name, overwrite=overwrite):
                    self.assertEqual([cause], causes(self.put(self.path(name), b"new", overwrite=overwrite)))
        self.assertEqual(b"old", self.read(victim))

    def test_damaged_short_and_long_content_leave_nothing(self) -> None:
        cases = {"FileChanged": [{"sha256": "0" * 64}, {"size": 10}], "BadRequest": [{"size": 2}, {"size": -1}]}
        for cause, changes in cases.items():
            for change in changes:
                with self.subTest(cause=cause, change=change):
                    self.assertEqual([cause], causes(self.put(self.path("file"), b"data", **change)))
                    self.assertEqual([], os.listdir(self.place))

    def test_a_failure_in_the_middle_of_a_long_upload_is_answered_at_once(self) -> None:
        begun = time.monotonic()
        frames = self.put(self.path("file"), bytes(40 << 20), size=1000)
        self.assertEqual(["BadRequest"], causes(frames))
        self.assertLess(time.monotonic() - begun, 25)

    def test_a_client_that_goes_in_the_middle_leaves_no_file_under_the_name(self) -> None:
        with Agent() as agent:
            agent.request("put", path=self.path("file"), size=100, sha256="0" * 64)
            agent.until("N")
            agent.send("D", b"x" * 50)
            agent.process.stdin.close()
            agent.process.wait(30)
        self.assertEqual([], os.listdir(self.place))

    def test_no_directory_and_no_space(self) -> None:
        self.assertEqual(["FileNotFound"], causes(self.put(self.path("missing/file"), b"x")))
        self.assertEqual(["DiskFull"], causes(self.put(self.path("file"), b"x", size=1 << 49)))


class Refused(PodTest):
    def test_full_disks_and_read_only_places_have_their_causes(self) -> None:
        pod = self.pod("sleep", "1000", setup="mount -t tmpfs -o size=64k tmpfs /tmp; mount -o remount,ro,bind /")
        for path, size, cause in (("/tmp/x", 100_000, "DiskFull"), ("/x", 10, "FileDenied")):
            with self.subTest(path), pod.agent() as agent:
                agent.request("put", path=path, size=size, sha256="0" * 64)
                frames = agent.finish()
                self.assertEqual([cause], causes(frames))

    def test_a_file_of_somebody_else_is_refused(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            with Agent("/usr/bin/python3", prefix=as_user(10001)) as agent:
                self.assertEqual(["FileDenied"], causes(agent.ask("get", path=file.name)))


if __name__ == "__main__":
    unittest.main()
