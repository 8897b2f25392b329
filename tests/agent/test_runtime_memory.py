"""The memory limit that the application lives with, in the layouts that container runtimes make."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from typing import Dict

from .driver import AGENT

sys.path.insert(0, str(AGENT))

from pydebug_agent.errors import AgentError  # noqa: E402
from pydebug_agent.memory import Memory, read_memory, require_room  # noqa: E402
from pydebug_agent.proc import Proc  # noqa: E402

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
        self.assertEqual(78 * MIB, self.read().room)

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
        self.assertEqual(0, self.read().room)

    def test_nothing_to_be_seen_is_no_failure(self) -> None:
        cases: Dict[str, str] = {"nothing mounted": "", "garbage": "x\n - \n\x00", "no files": self.V2.format(root="/")}
        for name, mounts in cases.items():
            with self.subTest(name):
                self.process("self", "0::/\n", mounts)
                self.assertEqual(Memory(None, None), self.read())

    def test_too_little_room_is_refused_with_the_numbers(self) -> None:
        self.process("1", "0::/\n", self.V2.format(root="/"))
        self.v2("proc/1/root/sys/fs/cgroup", str(128 * MIB), 115 * MIB)
        self.process("self", "0::/\n", "")
        require_room(self.proc, 4 * MIB, "A little")
        with self.assertRaises(AgentError) as caught:
            require_room(self.proc, 8 * MIB, "Holding py-spy in memory")
        self.assertEqual("MemoryLow", caught.exception.cause)
        self.assertEqual((128 * MIB, 115 * MIB), (caught.exception.detail["limit"], caught.exception.detail["used"]))


if __name__ == "__main__":
    unittest.main()
