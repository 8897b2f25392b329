"""The memory limit that the application lives with, in the layouts that container runtimes make."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import threading
import unittest
import unittest.mock
from typing import Dict, List

from .driver import AGENT, Agent, Frame, failures, results

sys.path.insert(0, str(AGENT))

from pydebug_agent.memray.needs import needs_of
from pydebug_agent.memray.options import Options as MemrayOptions
from pydebug_agent.pyspy import options
from pydebug_agent.protocol.channel import Channel
from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.memory_limit import MARGIN, Memory, memory_for_us, read_memory, require_headroom
from pydebug_agent.system.proc import Proc
from pydebug_agent.target.request import Request
from pydebug_agent.timing import run as timing

MIB = 1 << 20


class Layouts(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        self.proc = Proc(os.path.join(self.root, "proc"))

    def write(self, path: str, text: str) -> None:
        full = os.path.join(self.root, path.lstrip("/"))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="ascii") as file:
            file.write(text)

    def process(self, pid: str, cgroup: str, mounts: str) -> None:
        self.write(f"proc/{pid}/cgroup", cgroup)
        self.write(f"proc/{pid}/mountinfo", mounts)

    def v2(self, directory: str, limit: str, used: int, inactive: int = 0) -> None:
        self.write(f"{directory}/memory.max", f"{limit}\n")
        self.write(f"{directory}/memory.current", f"{used}\n")
        self.write(f"{directory}/memory.stat", f"anon 1\nfile 2\ninactive_file {inactive}\n")

    def v1(self, directory: str, limit: int, used: int, hierarchical: int = 0, inactive: int = 0) -> None:
        self.write(f"{directory}/memory.limit_in_bytes", f"{limit}\n")
        self.write(f"{directory}/memory.usage_in_bytes", f"{used}\n")
        stat = f"hierarchical_memory_limit {hierarchical or limit}\ntotal_inactive_file {inactive}\n"
        self.write(f"{directory}/memory.stat", stat)

    def read(self) -> Memory:
        return read_memory(self.proc, self.root)

    V2 = "29 24 0:26 {root} /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n"
    V1 = "35 30 0:31 {root} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    NONE = 9223372036854771712

    def test_version_2_in_a_namespace(self) -> None:
        self.process("self", "0::/\n", self.V2.format(root="/"))
        self.v2("sys/fs/cgroup", str(128 * MIB), 61 * MIB, inactive=11 * MIB)
        self.assertEqual(Memory(128 * MIB, 50 * MIB), self.read())
        self.assertEqual(78 * MIB, self.read().headroom)

    def test_version_2_without_a_limit(self) -> None:
        self.process("self", "0::/\n", self.V2.format(root="/"))
        self.v2("sys/fs/cgroup", "max", 61 * MIB)
        self.assertEqual(Memory(None, 61 * MIB), self.read())

    def test_version_2_nested_below_a_pod_takes_the_tightest(self) -> None:
        self.process("self", "0::/kubepods/pod1/c1\n", self.V2.format(root="/"))
        self.v2("sys/fs/cgroup/kubepods/pod1/c1", "max", 10 * MIB)
        self.v2("sys/fs/cgroup/kubepods/pod1", str(128 * MIB), 100 * MIB)
        self.v2("sys/fs/cgroup/kubepods", str(1024 * MIB), 300 * MIB)
        self.assertEqual(Memory(128 * MIB, 100 * MIB), self.read())

    def test_version_2_seen_from_a_nested_namespace(self) -> None:
        self.process("self", "0::/../../other\n", self.V2.format(root="/../.."))
        self.v2("sys/fs/cgroup", str(64 * MIB), 1 * MIB)
        self.assertEqual(64 * MIB, self.read().limit)

    def test_version_1_bound_into_the_container(self) -> None:
        path = "/kubepods/burstable/pod1/c1"
        self.process("self", f"12:memory:{path}\n1:name=systemd:{path}\n0::/\n", self.V1.format(root=path))
        self.v1("sys/fs/cgroup/memory", self.NONE, 9 * MIB, hierarchical=128 * MIB, inactive=1 * MIB)
        self.assertEqual(Memory(128 * MIB, 8 * MIB), self.read())

    def test_version_1_without_a_limit(self) -> None:
        self.process("self", "12:memory:/x\n", self.V1.format(root="/x"))
        self.v1("sys/fs/cgroup/memory", self.NONE, 9 * MIB)
        self.assertEqual(Memory(None, 9 * MIB), self.read())

    def test_version_1_with_other_controllers_beside_and_the_whole_tree_in_sight(self) -> None:
        self.process("self", "4:cpu,memory:/a/b\n", self.V1.format(root="/").replace("rw,memory", "rw,cpu,memory"))
        self.v1("sys/fs/cgroup/memory/a/b", self.NONE, 9 * MIB)
        self.v1("sys/fs/cgroup/memory/a", 256 * MIB, 200 * MIB)
        self.assertEqual(Memory(256 * MIB, 200 * MIB), self.read())

    def test_the_targets_limit_counts_where_ours_has_none(self) -> None:
        self.process("self", "0::/\n", self.V2.format(root="/"))
        self.v2("sys/fs/cgroup", "max", 9 * MIB)
        self.process("1", "0::/../c2\n", self.V2.format(root="/../c2"))
        self.v2("proc/1/root/sys/fs/cgroup", str(128 * MIB), 120 * MIB)
        # What our container uses counts against the pod's limit, which is no more than the target's.
        self.assertEqual(Memory(128 * MIB, 120 * MIB, 9 * MIB), self.read())
        self.assertEqual(0, self.read().headroom)

    def test_no_link_below_the_targets_root_leads_out_of_it(self) -> None:
        # /proc/1/root itself is such a link, which the kernel keeps.
        self.process("self", "0::/\n", self.V2.format(root="/"))
        self.process("1", "0::/../c2\n", self.V2.format(root="/../c2"))
        self.v2("elsewhere", str(128 * MIB), 120 * MIB)
        self.v2("root-of-1/sys/fs/cgroup", str(64 * MIB), 60 * MIB)
        os.symlink(os.path.join(self.root, "root-of-1"), os.path.join(self.root, "proc/1/root"))
        self.assertEqual(Memory(64 * MIB, 60 * MIB), read_memory(self.proc, self.root))
        place = os.path.join(self.root, "root-of-1/sys/fs/cgroup")
        for name in os.listdir(place):
            os.remove(os.path.join(place, name))
        for name in ("memory.max", "memory.current", "memory.stat"):
            os.symlink(os.path.join(self.root, "elsewhere", name), os.path.join(place, name))
        self.assertEqual(Memory(None, None), self.read())
        for name in os.listdir(place):
            os.remove(os.path.join(place, name))
            # What it waits for at the end of a pipe never comes.
            os.mkfifo(os.path.join(place, name))
        self.assertEqual(Memory(None, None), self.read())
        os.rename(place, place + "-old")
        os.symlink(os.path.join(self.root, "elsewhere"), place)
        self.assertEqual(Memory(None, None), self.read())

    def test_nothing_to_be_seen_is_no_failure(self) -> None:
        cases: Dict[str, str] = {"nothing mounted": "", "garbage": "x\n - \n\x00", "no files": self.V2.format(root="/")}
        for name, mounts in cases.items():
            with self.subTest(name):
                self.process("self", "0::/\n", mounts)
                self.assertEqual(Memory(None, None), self.read())

    def beside(self, limit: str, used: int, ours: int = 0, pod: str = "") -> None:
        """A container of ours beside the target's, each in a namespace of control groups of its own."""
        self.process("self", "0::/\n", self.V2.format(root="/"))
        self.v2("sys/fs/cgroup", "max", ours)
        self.process("1", "0::/../c2\n", self.V2.format(root="/../c2"))
        self.v2("proc/1/root/sys/fs/cgroup", limit, used)
        environment = dict(os.environ)
        if pod:
            environment["PYDEBUG_SESSION"] = f'{{"v":1,"limit":{pod},"beside":0}}'
        patch = unittest.mock.patch.dict(os.environ, environment, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def test_too_little_room_is_refused_with_the_numbers(self) -> None:
        self.beside(str(128 * MIB), 120 * MIB)
        require_headroom(self.proc, 4 * MIB, "A little")
        with self.assertRaises(AgentError) as caught:
            require_headroom(self.proc, 8 * MIB, "Holding py-spy in memory")
        self.assertEqual("MemoryLow", caught.exception.cause)
        detail = caught.exception.detail
        self.assertEqual(
            (128 * MIB, 120 * MIB, 8 * MIB, 9 * MIB),
            tuple(detail[name] for name in ("limit", "used", "headroom", "needed")),
        )
        self.assertEqual(
            "Holding py-spy in memory needs 9.0 MiB of memory, and 8.0 MiB are left under the pod's "
            "limit of 128.0 MiB.",
            caught.exception.message,
        )

    def test_page_cache_that_no_program_has_mapped_is_room(self) -> None:
        self.beside(str(128 * MIB), 120 * MIB)
        self.write(
            "proc/1/root/sys/fs/cgroup/memory.stat",
            f"inactive_file {30 * MIB}\nactive_file {50 * MIB}\nfile_mapped {12 * MIB}\nshmem {2 * MIB}\n"
            f"file_dirty {3 * MIB}\nfile_writeback {1 * MIB}\n",
        )
        # 80 less the 10 that are mapped and no shared memory, and the 4 that must be written first.
        self.assertEqual((8 + 66) * MIB, memory_for_us(self.proc, self.root).headroom)

    def test_the_targets_own_limit_is_not_ours_where_the_pod_has_none(self) -> None:
        self.beside(str(128 * MIB), 127 * MIB, pod="0")
        self.assertEqual(None, memory_for_us(self.proc, self.root).limit)
        self.assertEqual(1 * MIB, read_memory(self.proc, self.root).headroom)

    def test_of_several_containers_the_targets_own_room_is_there_for_certain(self) -> None:
        self.beside(str(100 * MIB), 80 * MIB, 5 * MIB, pod=str(300 * MIB))
        self.assertEqual(15 * MIB, memory_for_us(self.proc, self.root).headroom)

    def test_a_limit_of_the_pod_alone_is_told_by_the_session(self) -> None:
        self.beside("max", 80 * MIB, 5 * MIB, pod=str(100 * MIB))
        self.assertEqual(15 * MIB, memory_for_us(self.proc, self.root).headroom)

    def test_version_1_shows_the_pods_limit_and_its_containers_use(self) -> None:
        for name, path, used in (("self", "/kubepods/pod1/c1", 5), ("1", "/kubepods/pod1/c2", 100)):
            self.process(name, f"4:memory:{path}\n", self.V1.format(root=path))
            place = "sys/fs/cgroup/memory" if name == "self" else "proc/1/root/sys/fs/cgroup/memory"
            self.v1(place, self.NONE if name == "self" else 128 * MIB, used * MIB, hierarchical=128 * MIB)
        self.assertEqual(23 * MIB, memory_for_us(self.proc, self.root).headroom)

    def test_version_1_of_a_pod_without_a_limit_has_that_of_the_node(self) -> None:
        for name, path in (("self", "/kubepods/pod1/c1"), ("1", "/kubepods/pod1/c2")):
            self.process(name, f"4:memory:{path}\n", self.V1.format(root=path))
            place = "sys/fs/cgroup/memory" if name == "self" else "proc/1/root/sys/fs/cgroup/memory"
            self.v1(place, self.NONE if name == "self" else 64 * MIB, 60 * MIB, hierarchical=self.NONE)
        self.write("proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: 112640 kB\n")
        memory = memory_for_us(self.proc, self.root)
        self.assertEqual(("node", 10 * MIB), (memory.what, memory.headroom))

    def test_where_the_targets_group_may_not_be_seen_its_processes_are_counted(self) -> None:
        path = "/kubepods/pod1/c1"
        self.process("self", f"4:memory:{path}\n", self.V1.format(root=path))
        self.v1("sys/fs/cgroup/memory", self.NONE, 5 * MIB, hierarchical=64 * MIB)
        self.process("1", "4:memory:/kubepods/pod1/c2\n", "")
        self.write("proc/1/statm", "90000 12800 2560 1 0 1 0\n")
        self.write("proc/7/statm", "90000 256 0 1 0 1 0\n")
        self.assertEqual((64 - 5 - 40 - 1) * MIB, memory_for_us(self.proc, self.root).headroom)

    def test_a_pod_that_shares_its_processes_is_counted_whole(self) -> None:
        self.beside("max", 1 * MIB, 5 * MIB, pod=str(100 * MIB))
        self.write("proc/1/comm", "pause\n")
        for pid, used in (("7", 40), ("9", 30)):
            self.process(pid, f"0::/../c{pid}\n", self.V2.format(root=f"/../c{pid}"))
            self.v2(f"proc/{pid}/root/sys/fs/cgroup", str(50 * MIB), used * MIB)
        self.assertEqual((100 - 5 - 1 - 70) * MIB, memory_for_us(self.proc, self.root).headroom)


class Refusals(unittest.TestCase):
    """What is refused, or ended, for want of memory says so with both numbers."""

    def request(self) -> "tuple[Request, int]":
        seen, sink = os.pipe()
        self.addCleanup(os.close, seen)
        self.addCleanup(os.close, sink)
        return Request({"op": "pyspy"}, Channel(io.BytesIO(), sink), Proc()), seen

    def test_recordings_that_do_not_fit_are_refused_one_by_one(self) -> None:
        request, seen = self.request()
        with unittest.mock.patch.object(options, "read_memory", lambda proc: Memory(128 * MIB, 94 * MIB)):
            self.assertEqual([7, 8], options.that_fit(request, [7, 8, 9]))
            said = os.read(seen, 1 << 16)
            failure = json.loads(said[5:])
            self.assertEqual(
                ("MemoryLow", 9, 44 * MIB), (failure["cause"], failure["pid"], failure["detail"]["needed"]))
            self.assertEqual(
                "A recording of process 9, beside 2 more, needs 44.0 MiB of memory, and 34.0 MiB are left under the "
                "pod's limit of 128.0 MiB.",
                failure["message"],
            )
            with unittest.mock.patch.object(options, "is_low_allowed", lambda: True):
                self.assertEqual([7, 8, 9], options.that_fit(request, [7, 8, 9]))

    def test_what_fails_while_a_question_is_being_ended_fails_for_that_reason(self) -> None:
        request, _ = self.request()
        other = AgentError("ToolUnavailable", "The agent is ending.")
        self.assertIs(other, request.explain(other, None))
        reason = AgentError("MemoryLow", "The application has grown meanwhile.")
        request.channel.end(reason)
        self.assertIs(reason, request.explain(other, None))
        self.assertIs(reason, request.explain(OSError("it ends"), 7))


    def test_nobody_speaks_but_the_one_who_ends_the_agent(self) -> None:
        """A tool that is ended with it would pass for one that failed, or had nothing to say."""
        request, seen = self.request()
        channel, reason = request.channel, AgentError("MemoryLow", "The application has grown meanwhile.")
        other = threading.Thread(target=lambda: channel.send_json("R", {"kind": "late"}), daemon=True)
        channel.at_loss(other.start)
        channel.at_loss(lambda: channel._acknowledged.set())
        with unittest.mock.patch("pydebug_agent.system.sibling.leave") as leave:
            channel._break_off(reason)
        leave.assert_called_once_with(1)
        other.join(0.2)
        said = os.read(seen, 1 << 16)
        self.assertTrue(other.is_alive())
        self.assertIn(b"MemoryLow", said)
        self.assertNotIn(b"late", said)


class Needs(unittest.TestCase):
    """What is asked for before anything is loaded is what the question itself asks for later."""

    def test_the_first_look_asks_for_all_of_it(self) -> None:
        operations = json.loads((AGENT.parent / "wire" / "wire.json").read_text())["operations"]
        plain = MemrayOptions(1.0, False, False, False, 1 << 20, False, 1, 1)
        later = {
            ("pyspy", "record"): options._MEMORY_FIRST + options._MEMORY_EACH,
            ("pyspy", "top"): options._MEMORY_FIRST + options._MEMORY_EACH,
            ("time", "kernel"): timing._KERNEL_NEEDS + MARGIN,
            ("time", "exact"): timing._KERNEL_NEEDS + MARGIN,
            ("memray", "native"): needs_of(plain._replace(native=True), False),
            ("memray", "pythonAllocators"): needs_of(plain._replace(python_allocators=True), False),
        }
        more = {(name, key) for name, entry in operations.items() for key in entry.get("more", ())}
        self.assertEqual(set(later), more)
        for (name, key), needs in later.items():
            self.assertEqual(needs, (operations[name]["more"][key] << 20) + MARGIN, (name, key))
        self.assertEqual(needs_of(plain, False), (operations["memray"]["mebibytes"] << 20) + MARGIN)


class ANodeThatIsShort(unittest.TestCase):
    """A pod without a limit has what the node has left, which is in this file."""

    def ask(self, available: int, op: str = "stack", **told: object) -> List[Frame]:
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(f"MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable: {available >> 10} kB\n")
            file.flush()
            script = 'mount --make-rprivate / && mount --bind "$1" /proc/meminfo && shift && exec "$@"'
            prefix = ["unshare", "--mount", "sh", "-c", script, "sh", file.name]
            with Agent(prefix=prefix, op=op, told=told) as agent:
                frames = agent.ask(op, pids=[os.getpid()])
                self.assertTrue(agent.trailer_good, agent.stderr)
                return frames

    @unittest.skipUnless(os.geteuid() == 0, "mounts need root")
    def test_a_question_is_refused_by_what_the_node_has_left(self) -> None:
        (failure,) = failures(self.ask(103 * MIB))
        detail = failure["detail"]
        self.assertEqual(("MemoryLow", "node", 3 * MIB), (failure["cause"], detail["where"], detail["headroom"]))
        self.assertEqual(
            "Reading stacks needs 5.0 MiB of memory, and 3.0 MiB are left on the node before it evicts pods.",
            failure["message"],
        )
        self.assertEqual("probe,examine,processes,get,held,put", detail["fits"])

    @unittest.skipUnless(os.geteuid() == 0, "mounts need root")
    def test_what_it_takes_as_it_is_asked_counts_before_it_begins(self) -> None:
        (failure,) = failures(self.ask(110 * MIB, "time", needs=14 * MIB))
        self.assertEqual((15 * MIB, 10 * MIB), (failure["detail"]["needed"], failure["detail"]["headroom"]))
        self.assertIn("memorySampler", failure["detail"]["fits"].split(","))

    @unittest.skipUnless(os.geteuid() == 0, "mounts need root")
    def test_with_eight_more_or_by_the_persons_will_it_is_answered(self) -> None:
        for frames in (self.ask(113 * MIB), self.ask(103 * MIB, low=1)):
            self.assertEqual([], failures(frames))
            self.assertNotEqual([], results(frames))


if __name__ == "__main__":
    unittest.main()
