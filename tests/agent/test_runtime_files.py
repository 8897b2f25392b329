"""One file out of the debug container or into it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Any, List, Optional

from .driver import Agent, Frame, failures, modules, results, wait_for
from .pod import PodTest, as_user


TOKEN = "0123456789abcdef" * 2
END = bytes(4)


def record(path: str, data: bytes, offset: int = 0, size: Optional[int] = None, digest: bytes = b"") -> bytes:
    """Return a file as the client sends it, of which so much has come before."""
    size = len(data) if size is None else size
    head = json.dumps({"path": path, "size": size, "offset": offset, "mtime": 1_600_000_000_000_000_000}).encode()
    return len(head).to_bytes(4, "big") + head + data[offset:] + (digest or hashlib.sha256(data).digest())


def content(frames: List[Frame]) -> bytes:
    return b"".join(got.payload for got in frames if got.kind == "G")


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
                first, last, _ = results(frames)
                self.assertEqual(data, content(frames))
                expected = (size, 0o640, hashlib.sha256(data).hexdigest())
                self.assertEqual(expected, (first["size"], first["mode"], last["sha256"]))
                self.assertEqual(os.stat(path).st_mtime_ns, first["mtime"])

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
            self.path("target") + "/": "FileNotFound",
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
                spot = "        digest.update(chunk)\n"
                changed = sources["pydebug_agent.transfer.send"].replace(
                    spot, f"        path = {path!r}; {change}\n{spot}", 1)
                self.assertNotEqual(changed, sources["pydebug_agent.transfer.send"])
                sources["pydebug_agent.transfer.send"] = changed
                self.assertEqual(["FileChanged"], causes(self.get(path, sources=sources)))

    def test_a_log_that_grows_is_cut_and_told(self) -> None:
        path = self.write("log", b"x" * 100)
        sources = modules()
        spot = "        after = os.fstat(descriptor)\n"
        sources["pydebug_agent.transfer.get"] = sources["pydebug_agent.transfer.get"].replace(
            spot, f"        open(shown, 'ab').write(b'more')\n{spot}"
        )
        frames = self.get(path, sources=sources)
        self.assertEqual(b"x" * 100, content(frames))
        self.assertEqual(["FileGrew"], [got.json["id"] for got in frames if got.kind == "W"])

    def test_who_sends_stands_back_and_who_notices_that_the_client_is_gone_does_not(self) -> None:
        path = self.path("large")
        with open(path, "wb") as file:
            file.truncate(1 << 30)
        with Agent() as agent:
            agent.request("get", path=path)
            agent.until("G")
            place = Path(f"/proc/{agent.process.pid}/task")
            nice = [os.getpriority(os.PRIO_PROCESS, int(thread.name)) for thread in place.iterdir()]
        own = os.getpriority(os.PRIO_PROCESS, 0)
        self.assertGreaterEqual(len(nice), 3)
        self.assertEqual([own] * (len(nice) - 1) + [19], sorted(nice))

    def test_a_large_file_needs_little_memory(self) -> None:
        path = self.path("large")
        with open(path, "wb") as file:
            file.truncate(100 << 20)
        peak = [0]
        with Agent() as agent:
            # It stands back, so that a busy machine gives it little time.
            agent.request("get", path=path, deadline=1200.0)
            length = 0
            while True:
                got = agent.next(60)
                if got.kind == "G":
                    length += len(got.payload)
                    if length % (2 << 20) < len(got.payload):
                        agent.send("K")
                    if length % (10 << 20) < len(got.payload):
                        with open(f"/proc/{agent.process.pid}/status", encoding="ascii") as file:
                            peak[0] = max(
                                peak[0], *(int(line.split()[1]) for line in file if line.startswith("RssAnon")))
                if got.kind in ("T", ""):
                    break
            agent.send("A")
        self.assertEqual(100 << 20, length)
        self.assertGreater(peak[0], 0)
        self.assertLess(peak[0], 20 << 10)


class Put(FilesTest):
    def put(self, path: str, data: bytes, **changes: Any) -> List[Frame]:
        told = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "overwrite": False, **changes}
        body = {"path": path, "bytes": max(0, told["size"]), "token": TOKEN, "overwrite": told["overwrite"]}
        frames: List[Frame] = []
        writer: Optional[threading.Thread] = None
        with Agent() as agent:
            agent.request("put", **body)
            while True:
                got = agent.next(60)
                frames.append(got)
                if got.kind == "N":
                    stream = record("", data, size=told["size"], digest=bytes.fromhex(told["sha256"])) + END
                    writer = threading.Thread(target=self._send, args=(agent, stream), daemon=True)
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
        cases = {"FileChanged": [{"sha256": "0" * 64}, {"size": 2}], "BadRequest": [{"size": 100}, {"size": -1}]}
        for cause, changes in cases.items():
            for change in changes:
                with self.subTest(cause=cause, change=change):
                    self.assertEqual([cause], causes(self.put(self.path("file"), b"data", **change)))
                    self.assertEqual([], os.listdir(self.place))

    def test_a_failure_in_the_middle_of_a_long_upload_is_answered_at_once(self) -> None:
        begun = time.monotonic()
        frames = self.put(self.path("file"), bytes(40 << 20), size=1000)
        self.assertEqual(["FileChanged"], causes(frames))
        self.assertLess(time.monotonic() - begun, 25)

    def test_no_directory_and_no_space(self) -> None:
        self.assertEqual(["FileNotFound"], causes(self.put(self.path("missing/file"), b"x")))
        self.assertEqual(["DiskFull"], causes(self.put(self.path("file"), b"x", size=1 << 49)))


class Refused(PodTest):
    def test_full_disks_and_read_only_places_have_their_causes(self) -> None:
        pod = self.pod("sleep", "1000", setup="mount -t tmpfs -o size=64k tmpfs /tmp; mount -o remount,ro,bind /")
        for path, size, cause in (("/tmp/x", 100_000, "DiskFull"), ("/x", 10, "FileDenied")):
            with self.subTest(path), pod.agent() as agent:
                agent.request("put", path=path, bytes=size, token=TOKEN)
                frames = agent.finish()
                self.assertEqual([cause], causes(frames))

    def test_a_file_of_somebody_else_is_refused(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            with Agent("/usr/bin/python3", prefix=as_user(10001)) as agent:
                self.assertEqual(["FileDenied"], causes(agent.ask("get", path=file.name)))


class BelowTheTargetsRoot(PodTest):
    """A target whose links lead everywhere: out of its root, around, into other processes."""

    MADE = """
import os, signal
os.makedirs("/tmp/app/inner"); os.chdir("/tmp/app")
open("/tmp/app/inner/file", "w").write("the target's")
os.symlink("/tmp/app/inner", "absolute"); os.symlink("inner/file", "name"); os.symlink("../../../../../mark", "up")
os.symlink("/", "top"); os.symlink("/proc/self/root", "magic"); os.symlink("loop", "loop"); os.mkfifo("pipe")
os.symlink("/tmp/here", "written"); open("/tmp/made", "w").close()
while True: signal.pause()
"""

    def setUp(self) -> None:
        # Each has a /mark of its own: that of the debug container must never come.
        of_target = "mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /mnt; echo target > /mnt/mark"
        self.target = self.pod("/usr/bin/python3", "-c", self.MADE, setup=of_target)
        self.keeper = self.target.kept(
            setup="mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /mnt; echo ours > /mnt/mark; mkdir /tmp/here; "
            "ln -s /proc/1/root/tmp /tmp/through"
        )
        wait_for(lambda: os.path.exists(f"/proc/{self.target.host_pid}/root/tmp/made"))

    def ask(self, op: str, **parameters: Any) -> List[Frame]:
        with self.target.agent(beside=self.keeper, sources=self.sources) as agent:
            agent.request(op, **parameters)
            if op == "put":
                agent.send("D", record("", b"x") + END)
                agent.send("Z")
            return agent.finish()

    sources: Optional[Any] = None

    def test_links_lead_where_the_target_sees_them_lead(self) -> None:
        for path, expected in (
            ("inner/file", b"the target's"),
            ("absolute/file", b"the target's"),
            ("name", b"the target's"),
            ("top/mnt/mark", b"target\n"),
            ("../../mnt/mark", b"target\n"),
            ("../../../../mnt/mark", b"target\n"),
        ):
            for base in ("/proc/1/root/tmp/app/", "//proc/./1//root/tmp/app/"):
                with self.subTest(path=base + path):
                    frames = self.ask("get", path=base + path)
                    self.assertEqual((expected, []), (content(frames), causes(frames)))

    def test_no_link_of_the_kernels_is_followed(self) -> None:
        for path, cause in (
            ("/proc/1/root/tmp/app/magic/mnt/mark", "FileNotRegular"),
            ("/proc/1/root/tmp/app/loop", "FileNotRegular"),
            ("/proc/1/root/tmp/app/pipe", "FileNotRegular"),
            ("/proc/1/root/tmp/app", "FileNotRegular"),
            ("/proc/1/root", "FileNotRegular"),
            ("/proc/1/root/tmp/app/up", "FileNotFound"),
            ("/proc/999999/root/mnt/mark", "FileNotFound"),
            ("/proc/1/cwd/inner/file", "FileDenied"),
            ("/proc/1/task/1/root/mnt/mark", "FileDenied"),
            ("/proc/self/root/mnt/mark", "FileDenied"),
            ("/tmp/through/app/inner/file", "FileDenied"),
            ("/proc/1/exe", "FileNotRegular"),
        ):
            with self.subTest(path=path):
                frames = self.ask("get", path=path)
                self.assertEqual(([cause], b""), (causes(frames), content(frames)))

    def test_nothing_is_written_there(self) -> None:
        for path, reason in (
            ("/proc/1/root/tmp/app/new", "target"),
            ("/proc/1/root/tmp/app/written/new", "target"),
            ("/proc/1/cwd/new", "link"),
            ("/tmp/through/new", "link"),
        ):
            with self.subTest(path=path):
                frames = self.ask("put", path=path, bytes=1, token=TOKEN)
                self.assertEqual(["FileDenied"], causes(frames))
                self.assertEqual(reason, failures(frames)[0]["detail"]["reason"])
        for folder in (f"/proc/{self.target.host_pid}/root/tmp/app", f"/proc/{self.keeper}/root/tmp/here"):
            self.assertNotIn("new", os.listdir(folder))
        frames = self.ask("put", path="/tmp/here/new", bytes=1, token=TOKEN)
        self.assertEqual([], causes(frames))

    def test_without_openat2_they_are_refused_for_that_reason(self) -> None:
        self.sources = modules()
        changed = self.sources["pydebug_agent.system.target_root"].replace("_OPENAT2 = 437", "_OPENAT2 = 100_000")
        self.assertNotEqual(changed, self.sources["pydebug_agent.system.target_root"])
        self.sources["pydebug_agent.system.target_root"] = changed
        for path, reason in (("/proc/1/root/tmp/app/inner/file", "openat2"), ("/tmp/through/app/inner/file", None)):
            with self.subTest(path=path):
                (failure,) = failures(self.ask("get", path=path))
                self.assertIn(failure["cause"], ("FileDenied", "FileNotFound"))
                self.assertEqual(reason, failure["detail"].get("reason"))
        # What is the debug container's own is copied all the same.
        self.assertEqual(b"ours\n", content(self.ask("get", path="/mnt/mark")))
        self.assertEqual([], causes(self.ask("put", path="/tmp/new", bytes=1, token=TOKEN)))


if __name__ == "__main__":
    unittest.main()
