"""Folders, files of the application's container, and transfers that go on where they broke off."""

from __future__ import annotations

import hashlib
import os
import sys
import unittest
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

from .driver import Agent, Frame, failures, modules, results, wait_for
from .pod import IDLE, PodTest
from .test_runtime_files import END, TOKEN, FilesTest, causes, content, record


def files(frames: List[Frame]) -> Dict[str, bytes]:
    """Return what came for each file that came to its end."""
    found: Dict[str, bytes] = {}
    data = b""
    for got in frames:
        if got.kind == "G":
            data += got.payload
        elif got.kind == "R" and got.json["kind"] == "file":
            data = b""
        elif got.kind == "R" and got.json["kind"] == "fileEnd":
            assert hashlib.sha256(data).hexdigest() == got.json["sha256"]
            found[got.json["path"]] = data
    return found


def ask(op: str, **body: Any) -> List[Frame]:
    with Agent() as agent:
        frames = agent.ask(op, **body)
        assert agent.trailer_good, agent.stderr
        return frames


class Folders(FilesTest):
    def fill(self) -> None:
        for name in ("b/c/deep", "b/two", "a", "z.log", "empty"):
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            self.write(name, b"" if name == "empty" else name.encode() * 3)

    def test_all_regular_files_come_in_one_stream_with_their_times(self) -> None:
        self.fill()
        os.utime(self.path("a"), ns=(1, 1_500_000_000_123_456_789))
        frames = ask("get", path=self.place, recurse=True)
        found = files(frames)
        self.assertEqual({"a", "b/c/deep", "b/two", "empty", "z.log"}, set(found))
        self.assertEqual(b"b/twob/twob/two", found["b/two"])
        tree = results(frames, "tree")[0]
        self.assertEqual((5, sum(map(len, found.values())), 0), (tree["files"], tree["bytes"], tree["left"]))
        self.assertEqual(1_500_000_000_123_456_789, results(frames, "file")[0]["mtime"])
        self.assertGreaterEqual(results(frames, "end")[0]["cpu"], 0)

    def test_what_is_no_regular_file_is_named_and_the_rest_comes(self) -> None:
        self.fill()
        os.symlink("/etc/passwd", self.path("b/link"))
        os.symlink(self.place, self.path("round"))
        os.mkfifo(self.path("pipe"))
        os.close(os.open(os.path.join(self.place.encode(), b"not\xff utf8"), os.O_CREAT | os.O_WRONLY))
        frames = ask("get", path=self.place + "/", recurse=True)
        left = {entry["path"]: entry["why"] for entry in results(frames, "left")}
        self.assertEqual({"b/link": "link", "round": "link", "pipe": "device", "not\\udcff utf8": "name"}, left)
        self.assertEqual(4, results(frames, "tree")[0]["left"])
        self.assertEqual(5, len(files(frames)))

    def test_patterns_leave_out_by_name(self) -> None:
        self.fill()
        for pattern, kept in (
            ("*.LOG", {"a", "b/c/deep", "b/two", "empty"}),
            ("b", {"a", "empty", "z.log"}),
            ("[a-c]", {"empty", "z.log"}),
            ("?", {"empty", "z.log"}),
            ("*", set()),
            ("de*p", {"a", "b/two", "empty", "z.log"}),
        ):
            with self.subTest(pattern):
                self.assertEqual(kept, set(files(ask("get", path=self.place, recurse=True, exclude=[pattern]))))

    def test_a_pattern_takes_no_longer_than_its_length_times_the_names(self) -> None:
        from pydebug_agent.transfer.folder import matches

        self.assertFalse(matches("a" * 250, "a*" * 100 + "b"))
        self.assertTrue(matches("a[0].txt", "a`[0`].*"))
        self.assertTrue(matches("", "**"))
        self.assertTrue(matches("x]", "x]"))

    def test_a_folder_wants_a_word_for_it_and_a_view_of_the_kernel_is_none(self) -> None:
        self.assertEqual("directory", failures(ask("get", path=self.place))[0]["detail"]["what"])
        self.assertEqual(["FileNotRegular"], causes(ask("get", path="/proc", recurse=True)))

    def test_more_files_than_are_taken_are_refused_before_the_first(self) -> None:
        self.fill()
        sources = modules()
        few = sources["pydebug_agent.transfer.get"].replace("MOST_FILES = 100_000", "MOST_FILES = 4")
        sources["pydebug_agent.transfer.get"] = few
        with Agent(sources=sources) as agent:
            frames = agent.ask("get", path=self.place, recurse=True)
        self.assertEqual(["LimitExceeded"], causes(frames))
        self.assertEqual([], results(frames))


class Resumed(FilesTest):
    def cut(self, path: str, **body: Any) -> Tuple[Dict[str, Any], bytes]:
        """Return what is told of a file, and its bytes up to where the connection is cut."""
        with Agent() as agent:
            agent.request("get", path=path, **body)
            about = agent.until("R").json
            if about["kind"] == "tree":
                about = agent.until("R").json
            data = agent.until("G").payload
        return about, data

    def resume(self, about: Dict[str, Any], data: bytes, **changes: Any) -> Dict[str, Any]:
        told = {name: about[name] for name in ("path", "device", "inode", "size", "mtime")}
        return {**told, "offset": len(data), "sha256": hashlib.sha256(data).hexdigest(), **changes}

    def test_a_file_goes_on_where_it_broke_off(self) -> None:
        whole = os.urandom(3_000_000)
        path = self.write("file", whole)
        about, data = self.cut(path)
        for length in (0, 1, len(data), len(whole)):
            with self.subTest(length):
                frames = ask("get", path=path, resume=self.resume(about, whole[:length]))
                self.assertEqual(whole[length:], content(frames))
                self.assertEqual(hashlib.sha256(whole).hexdigest(), results(frames, "fileEnd")[0]["sha256"])

    def test_a_source_that_changed_in_between_is_noticed(self) -> None:
        whole = os.urandom(600_000)
        for name, change in {
            "another": lambda path: os.replace(self.write("other", whole), path),
            "touched": lambda path: os.utime(path, (1, 1)),
            "shorter": lambda path: os.truncate(path, 10),
        }.items():
            with self.subTest(name):
                path = self.write("file", whole)
                about, data = self.cut(path)
                change(path)
                frames = ask("get", path=path, resume=self.resume(about, data))
                self.assertEqual(["FileChanged"], causes(frames))
                self.assertEqual(b"", content(frames))

    def test_other_bytes_than_those_that_had_come_are_noticed(self) -> None:
        path = self.write("file", os.urandom(600_000))
        about, data = self.cut(path)
        frames = ask("get", path=path, resume=self.resume(about, b"x" * len(data)))
        self.assertEqual((["FileChanged"], b""), (causes(frames), content(frames)))

    def test_a_log_that_grew_in_between_comes_as_far_as_it_was_announced(self) -> None:
        whole = os.urandom(600_000)
        path = self.write("log", whole)
        about, data = self.cut(path)
        with open(path, "ab") as file:
            file.write(b"more")
        frames = ask("get", path=path, resume=self.resume(about, data))
        self.assertEqual(whole[len(data) :], content(frames))
        self.assertEqual(["FileGrew"], [got.json["id"] for got in frames if got.kind == "W"])

    def test_a_folder_goes_on_behind_the_last_file_that_came(self) -> None:
        for name in ("a", "b/one", "b/two", "c"):
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            self.write(name, name.encode() * 100_000)
        frames = ask("get", path=self.place, recurse=True, resume={"after": "a"})
        self.assertEqual({"b/one", "b/two", "c"}, set(files(frames)))
        about, data = self.cut(self.place, recurse=True, resume={"after": "b/one"})
        self.assertEqual("b/two", about["path"])
        resume = {"after": "b/one", **self.resume(about, data)}
        frames = ask("get", path=self.place, recurse=True, resume=resume)
        self.assertEqual(["b/two", "c"], [entry["path"] for entry in results(frames, "fileEnd")])
        self.assertEqual(b"b/two" * 100_000 + b"c" * 100_000, data + content(frames))
        os.utime(self.path("b/two"), (1, 1))
        frames = ask("get", path=self.place, recurse=True, resume=resume)
        self.assertEqual([("b/two", "changed")], [(each["path"], each["why"]) for each in results(frames, "left")])
        self.assertEqual(["c"], list(files(frames)))


class Stored(FilesTest):
    def store(self, stream: bytes, have: int = 0, **body: Any) -> List[Frame]:
        with Agent() as agent:
            agent.request("put", **{"path": self.path("in"), "token": TOKEN, "bytes": len(stream), **body})
            need = agent.until("N").json
            self.assertEqual(have, need["have"])
            agent.send("D", stream)
            agent.send("Z")
            return agent.finish()

    def test_a_folder_arrives_with_its_times(self) -> None:
        stream = record("a", b"1") + record("b/c", b"22") + record("b/d", b"") + END
        frames = self.store(stream, folder=True, files=3)
        self.assertEqual([], causes(frames))
        self.assertEqual(["a", "b/c", "b/d"], [each["path"] for each in results(frames, "fileEnd")])
        self.assertEqual(b"22", self.read(self.path("in/b/c")))
        self.assertEqual(1_600_000_000, os.stat(self.path("in/b/c")).st_mtime)
        self.assertEqual((0o600, 0o700), tuple(os.stat(self.path(p)).st_mode & 0o777 for p in ("in/a", "in/b")))

    def test_what_cannot_be_stored_is_named_and_the_rest_arrives(self) -> None:
        os.makedirs(self.path("in"))
        self.write("in/there", b"old")
        os.symlink("/tmp", self.path("in/out"))
        bad = record("bad", b"3", digest=bytes(32))
        stream = record("out/x", b"1") + record("there", b"2") + bad + record("z", b"4")
        frames = self.store(stream + END, folder=True, files=4)
        left = {each["path"]: each["why"] for each in results(frames, "left")}
        self.assertEqual({"out/x": "place", "there": "exists", "bad": "changed"}, left)
        self.assertEqual([b"old", b"4"], [self.read(self.path(p)) for p in ("in/there", "in/z")])
        self.assertEqual({"there", "out", "z"}, set(os.listdir(self.path("in"))))

    def test_no_name_leads_out_of_the_folder(self) -> None:
        for name in ("../x", "/tmp/x", "a//b", ".", "a/../../x", "", "nul\0"):
            with self.subTest(name):
                frames = self.store(record(name, b"1") + END, folder=True, files=1)
                self.assertEqual(["BadRequest"], causes(frames))
        self.assertEqual(["in"], os.listdir(self.place))

    def test_a_place_of_another_container_is_refused(self) -> None:
        frames = ask("put", path="/proc/self/x", token=TOKEN, bytes=1)
        self.assertIn(causes(frames), (["FileNotFound"], ["FileDenied"]))

    def test_an_upload_goes_on_where_it_broke_off(self) -> None:
        whole = os.urandom(500_000)
        for folder in (False, True):
            with self.subTest(folder=folder):
                name = "sub/file" if folder else ""
                end = self.path("in/sub/file") if folder else self.path("in-file")
                body = {"folder": True} if folder else {"path": end}
                with Agent() as lost:
                    lost.request("put", **{"path": self.path("in"), "token": TOKEN, "bytes": len(whole), **body})
                    lost.until("N")
                    part = record(name, whole)[: -len(whole) // 2]
                    lost.send("D", part)
                    begun = len(part) - (len(record(name, whole)) - 32 - len(whole))
                    place = os.path.dirname(end)
                    wait_for(lambda: begun in [each.stat().st_size for each in Path(place).glob(".pydebug-*")])
                    lost.process.stdin.close()
                    self.assertEqual([], [p for p in (end,) if os.path.exists(p)])
                    stream = record(name, whole, offset=begun) + END
                    frames = self.store(stream, have=begun, **{"try": 1, "resume": name, **body})
                    self.assertEqual([], causes(frames))
                    # Who waited sees that somebody came for it.
                    lost.process.wait(30)
                self.assertEqual(whole, self.read(end))
                self.assertEqual([os.path.basename(end)], os.listdir(os.path.dirname(end)) if folder else ["in-file"])

    def test_nothing_stays_of_what_the_client_does_not_come_back_for(self) -> None:
        sources = modules()
        spot = "_KEPT_SECONDS = 25.0"
        sources["pydebug_agent.transfer.put"] = sources["pydebug_agent.transfer.put"].replace(
            spot, "_KEPT_SECONDS = 0.5")
        with Agent(sources=sources) as agent:
            agent.request("put", path=self.path("in"), token=TOKEN, bytes=100)
            agent.until("N")
            agent.send("D", record("", bytes(100))[:-50])
            wait_for(lambda: os.listdir(self.place))
            agent.process.stdin.close()
            agent.process.wait(30)
        self.assertEqual([], os.listdir(self.place))


class Held(FilesTest):
    def setUp(self) -> None:
        super().setUp()
        self.whole = [os.urandom(length) for length in (2_000_000, 0, 300_000, 1_000_000)]
        self.at, self.told, self.data = 0, False, b""
        self.came: List[bytes] = []
        self.said: Dict[str, Any] = {}

    def sources(self, last: bool = True, rest: Sequence[int] = ()) -> Dict[str, str]:
        """Return the modules of an agent that sends files that it keeps."""
        paths = [self.write(f"capture{number}", each) for number, each in enumerate(self.whole)]
        sources = modules()
        sources["pydebug_agent.target.run"] += (
            "\n\ndef probe(request):\n"
            "    from ..transfer.kept import Kept, send_held\n"
            f"    sizes = {[len(each) for each in self.whole]}\n"
            f"    files = [Kept(os.open(path, os.O_RDWR), sizes[n], {{'kind': 'tool', 'pid': n}}, {{'pid': n}})\n"
            f"             for n, path in enumerate({paths!r})]\n"
            f"    send_held(request, files, {last}, rest={list(rest)})\n"
        )
        return sources

    def note(self, got: Frame) -> None:
        """Take a frame as the client does."""
        if got.kind == "G":
            self.data += got.payload
        if got.kind != "R":
            return
        if got.json["kind"] == "held":
            self.said = got.json
            if self.said["at"] > self.at:
                self.at, self.told, self.data = self.said["at"], False, b""
            self.assertEqual((self.at, len(self.data)), (self.said["at"], self.said["offset"]))
        elif got.json["kind"] == "tool":
            self.assertEqual((self.at, False), (got.json["pid"], self.told))
            self.told = True
        elif got.json["kind"] == "fileEnd":
            self.assertEqual((self.at, True), (got.json["pid"], self.told))
            self.assertEqual(hashlib.sha256(self.data).hexdigest(), got.json["sha256"])
            self.came.append(self.data)
            self.at, self.told, self.data = self.at + 1, False, b""

    def question(self, **changes: Any) -> Dict[str, Any]:
        told = {name: self.said[name] for name in ("name", "word")}
        hashed = hashlib.sha256(self.data).hexdigest()
        return {**told, "at": self.at, "told": self.told, "offset": len(self.data), "sha256": hashed, **changes}

    def take(self, agent: Agent, until: Callable[[], bool]) -> None:
        while not until():
            self.note(agent.next())
        agent.process.stdin.close()

    def test_files_that_only_the_agent_has_go_on_in_others(self) -> None:
        agents = [Agent(sources=self.sources(rest=(8, 9)))]
        agents[0].request("probe")
        # In the first one twice, right behind its end, before a byte of the third one came, and in the last one.
        cuts: List[Callable[[], bool]] = [
            lambda: len(self.data) > 0,
            lambda: len(self.data) > 1_000_000,
            lambda: self.at == 1,
            lambda: self.at == 2 and self.told,
            lambda: self.at == 3 and len(self.data) > 0,
        ]
        try:
            for cut in cuts:
                self.take(agents[-1], cut)
                agents.append(Agent())
                agents[-1].request("held", **self.question())
            for got in agents[-1].finish():
                self.note(got)
            self.assertEqual(self.whole, self.came)
            self.assertEqual((True, [8, 9]), (self.said["last"], self.said["rest"]))
            # Who has handed them over has nothing to wait for.
            for agent in agents:
                agent.process.wait(20)
        finally:
            for agent in agents:
                agent.__exit__()
        self.assertEqual(["FileNotFound"], causes(ask("held", **self.question())))

    def test_only_the_word_opens_it_and_only_for_what_there_is(self) -> None:
        with Agent(sources=self.sources(last=False)) as lost:
            lost.request("probe")
            self.take(lost, lambda: len(self.data) > 0)
            self.assertEqual(["FileNotFound"], causes(ask("held", **self.question(word="0" * 32))))
            self.assertEqual(["BadRequest"], causes(ask("held", **self.question(at=4, offset=1))))
        self.assertFalse(self.said["last"])

    def test_one_that_fails_is_told_and_the_others_come(self) -> None:
        with Agent(sources=self.sources()) as lost:
            lost.request("probe")
            self.take(lost, lambda: len(self.data) > 0)
            os.truncate(self.path("capture0"), 10)
            with Agent() as agent:
                agent.request("held", **self.question())
                frames = agent.finish()
            for got in frames:
                self.note(got)
        self.assertEqual(["FileChanged"], causes(frames))
        self.assertEqual(self.whole[1:], self.came)


class OfTheTarget(PodTest):
    def ask(self, pod: Any, beside: int, op: str, **body: Any) -> List[Frame]:
        with pod.agent(beside=beside) as agent:
            return agent.ask(op, **body)

    def test_its_paths_are_resolved_in_its_root_and_never_out_of_it(self) -> None:
        setup = "mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/app/..1 /mnt/own; echo theirs > /mnt/app/..1/key;"
        setup += "ln -s ..1 /mnt/app/..data; ln -s ..data/key /mnt/app/key; ln -s /mnt/app /mnt/link;"
        setup += "ln -s /../../../../mnt/app/key /mnt/up; ln -s /proc/1/root/mnt/app/key /mnt/magic"
        pod = self.pod(sys.executable, "-c", IDLE, setup=setup)
        own = "umount /mnt; mount -t tmpfs tmpfs /mnt; mkdir /mnt/app; echo ours > /mnt/app/key; "
        own += "ln -s /mnt/app /mnt/link"
        beside = pod.kept(setup=own)
        for path in ("/mnt/app/key", "/mnt/link/key", "/mnt/up"):
            for asked in ({"path": path, "target": True}, {"path": f"/proc/1/root{path}"}):
                with self.subTest(asked):
                    self.assertEqual(b"theirs\n", content(self.ask(pod, beside, "get", **asked)))
        self.assertEqual(b"ours\n", content(self.ask(pod, beside, "get", path="/mnt/link/key")))
        for path in ("/mnt/magic", "/proc/self/environ"):
            self.assertEqual(["FileNotRegular"], causes(self.ask(pod, beside, "get", path=path, target=True)))
        frames = self.ask(pod, beside, "get", path="/mnt/app/..data", target=True, recurse=True)
        self.assertEqual({"key": b"theirs\n"}, files(frames))
        frames = self.ask(pod, beside, "get", path="/mnt/own")
        self.assertIn("in the debug container; the application's container has it", failures(frames)[0]["message"])
        frames = self.ask(pod, beside, "get", path="/mnt/none", target=True)
        none = "in the application's container; the debug container has none either"
        self.assertIn(none, failures(frames)[0]["message"])


if __name__ == "__main__":
    unittest.main()
