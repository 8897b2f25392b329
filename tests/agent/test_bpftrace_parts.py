"""What bpftrace needs, which threads it is to see, and the parts of a program."""

from __future__ import annotations

import os
import sys
import tempfile
import types
import unittest
from pathlib import Path
from typing import Any, Dict, List, Optional, Set, Tuple
from unittest import mock

AGENT = Path(__file__).resolve().parents[2] / "src" / "agent"
sys.path.insert(0, str(AGENT)) if str(AGENT) not in sys.path else None

from pydebug_agent.bpftrace import cost, needs, points, run, scope
from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc


class Needs(unittest.TestCase):
    """Each missing thing is named, and nothing else."""

    def require(self, have: List[str], probes: List[str], version: Any = (0, 23), **other: Any) -> Optional[str]:
        facts = {"userns": False, "lockdown": None, "types": "/proc/self/stat", "tracing": ("/proc",), "mount": None,
            **other}
        with mock.patch.object(needs, "capabilities", lambda _: have), \
                mock.patch.object(needs, "in_user_namespace", lambda _: facts["userns"]), \
                mock.patch.object(needs, "lockdown", lambda: facts["lockdown"]), \
                mock.patch.object(needs, "_TYPES", facts["types"]), \
                mock.patch.object(needs, "_TRACING", facts["tracing"]), \
                mock.patch.object(needs, "_mount", lambda _: facts["mount"]):
            return needs.require(Proc(), probes, version)

    def refusal(self, *arguments: Any, **facts: Any) -> AgentError:
        with self.assertRaises(AgentError) as caught:
            self.require(*arguments, **facts)
        self.assertEqual("bpftrace", caught.exception.detail["tool"])
        return caught.exception

    def test_capabilities_by_probe_and_version(self) -> None:
        few = ["BPF", "PERFMON"]
        for have, probes, version, missing in (
            (["BPF"], ["profile"], (0, 23), "PERFMON"),
            ([], ["profile"], (0, 23), "BPF PERFMON"),
            (few, ["profile"], (0, 17), "SYS_ADMIN"),
            (few, ["profile", "uprobe"], (0, 23), "SYS_ADMIN"),
            (few, ["usdt"], (0, 27), "SYS_ADMIN"),
        ):
            with self.subTest(have=have, probes=probes, version=version):
                error = self.refusal(have, probes, version)
                self.assertEqual(("NoCapability", missing), (error.cause, error.detail["missing"]))
        self.assertIsNone(self.require(few, ["profile"], tracing=("/nowhere",), mount="no"))
        self.assertIsNone(self.require(["SYS_ADMIN"], ["uprobe"], (0, 17), tracing=("/nowhere",), mount="no"))

    def test_the_kernel_and_the_pod(self) -> None:
        admin = ["SYS_ADMIN"]
        self.assertEqual("userns", self.refusal(admin, [], userns=True).detail["found"])
        self.assertEqual("Lockdown", self.refusal(admin, [], lockdown="confidentiality").cause)
        self.assertIsNone(self.require(admin, [], lockdown="integrity", tracing=("/nowhere",), mount="no"))
        self.assertEqual("NoBtf", self.refusal(admin, [], types="/nowhere").cause)

    def test_tracefs_is_mounted_where_it_is_needed(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "events"))
            self.assertEqual(directory, self.require(["SYS_ADMIN"], ["tracepoint"], tracing=("/nowhere", directory)))
        self.assertEqual("/nowhere", self.require(["SYS_ADMIN"], ["tracepoint"], tracing=("/nowhere",), mount=None))
        error = self.refusal(["BPF", "PERFMON"], ["tracepoint"], tracing=("/nowhere",), mount="not permitted")
        self.assertEqual(("NoTracefs", "SYS_ADMIN"), (error.cause, error.detail["missing"]))
        self.assertIn("not permitted", error.message)
        # New versions read it for whatever they attach.
        error = self.refusal(["BPF", "PERFMON"], ["profile"], (0, 27), tracing=("/nowhere",), mount="not permitted")
        self.assertIn("This version of bpftrace needs it", error.message)

    def test_an_image_without_it_is_told(self) -> None:
        with mock.patch.object(needs, "_DIRECTORIES", ("/nowhere",)), self.assertRaises(AgentError) as caught:
            needs.find()
        self.assertEqual("ToolUnavailable", caught.exception.cause)


class Scope(unittest.TestCase):
    flags: Tuple[str, ...] = ()

    def request(self, pids: Dict[int, str], ours: int = 0, started: Optional[Dict[str, float]] = None) -> Any:
        def link(pid: int, *_: str) -> str:
            if pid not in pids:
                raise FileNotFoundError(pid)
            return pids[pid]

        proc = types.SimpleNamespace(
            pids=lambda: sorted(pids), link=link, exists=lambda pid: pid in pids, started=lambda pid: 1000.0
        )
        containers = types.SimpleNamespace(in_target=lambda pid: pid != ours, is_ours=lambda pid: pid == ours)
        return types.SimpleNamespace(
            proc=proc,
            containers=containers,
            started=lambda: started or {},
            flag=lambda name: name in self.flags,
            tell_apart=lambda: None,
        )

    def test_the_targets_threads_are_those_in_its_mount_namespaces(self) -> None:
        request = self.request({1: "mnt:[11]", 5: "mnt:[22]", 9: "mnt:[99]"}, ours=9)
        with mock.patch.object(scope, "_offset_of_numbers", lambda: 144):
            words = scope.expressions(request, False, [])
            narrowed = scope.expressions(request, False, [5])
        inum = "curtask->nsproxy->mnt_ns->ns.inum"
        self.assertEqual(f"({inum} == 11 || {inum} == 22)", words["target"])
        self.assertIn("curtask->thread_pid + 144", words["tid"])
        self.assertIn("curtask->group_leader->thread_pid + 144", words["pid"])
        self.assertEqual(f"({words['target']} && ({words['pid']} == 5))", narrowed["target"])
        self.assertEqual(
            {"target": "1", "pid": "curtask->tgid", "tid": "curtask->pid"}, scope.expressions(request, True, [])
        )

    def test_a_thread_that_ends_fails_no_read(self) -> None:
        self.flags = ("checks",)
        with mock.patch.object(scope, "_offset_of_numbers", return_value=80):
            words = scope.expressions(self.request({1: "mnt:[5]"}), False, [])
        self.assertTrue(words["target"].startswith("((uint64)curtask->nsproxy != 0 && "), words["target"])

    def test_a_process_that_is_not_the_targets_is_refused(self) -> None:
        for pid, started, cause in ((7, {}, "ProcessGone"), (5, {"5": 900.0}, "ProcessGone"), (9, {}, "BadRequest")):
            request = self.request({1: "mnt:[11]", 5: "mnt:[11]", 9: "mnt:[99]"}, ours=9, started=started)
            with self.subTest(pid=pid), mock.patch.object(scope, "_offset_of_numbers", lambda: 144):
                with self.assertRaises(AgentError) as caught:
                    scope.expressions(request, False, [pid])
                self.assertEqual(cause, caught.exception.cause)

    def test_a_target_that_cannot_be_seen_is_told(self) -> None:
        with mock.patch.object(scope, "_offset_of_numbers", lambda: 144), self.assertRaises(AgentError) as caught:
            scope.expressions(self.request({9: "mnt:[99]"}, ours=9), False, [])
        self.assertEqual("TargetNotVisible", caught.exception.cause)

    def places(self, root: str, paths: List[str], names: Set[str], exe: str = "/bin/python3") -> Dict[str, str]:
        maps = [types.SimpleNamespace(path=path, permissions="r-xp") for path in paths]
        proc = types.SimpleNamespace(maps=lambda _: maps, path=lambda *_: f"{root}/root", link=lambda *_: exe)
        request: Any = types.SimpleNamespace(proc=proc)
        return scope.places(request, names, [7])

    def lay(self, *paths: str) -> str:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        for path in paths:
            os.makedirs(os.path.dirname(f"{place.name}/root{path}"), exist_ok=True)
            open(f"{place.name}/root{path}", "wb").close()
        return place.name

    def test_files_of_the_target_are_reached_through_its_root(self) -> None:
        root = self.lay("/usr/lib/libc.so.6", "/opt/libpython3.13.so.1.0", "/bin/python3")
        paths = ["/usr/lib/libc.so.6", "/opt/libpython3.13.so.1.0"]
        self.assertEqual(
            {"libc": f"{root}/root/usr/lib/libc.so.6", "python": f"{root}/root/opt/libpython3.13.so.1.0"},
            self.places(root, paths, {"libc", "python", "target"}),
        )
        self.assertEqual({"python": f"{root}/root/bin/python3"}, self.places(root, [], {"python"}))
        with self.assertRaises(AgentError):
            self.places(root, [], {"libc"})

    def test_a_files_name_never_becomes_a_program(self) -> None:
        program = "/tmp/x:f {} kprobe:vfs_read { @[kstack]=count(); } uprobe:/lib/x86_64-linux-gnu/libc.so.6"
        root = self.lay(program, "/lib/libc.so.6")
        self.assertEqual(
            {"libc": f"{root}/root/lib/libc.so.6"}, self.places(root, [program, "/lib/libc.so.6"], {"libc"}))
        for name in (program, "/tmp/a\n/libc.so.6", "/tmp/a b/libc.so.6", '/tmp/"/libc.so.6', "/tmp/*/libc.so.6",
            "/é/libc.so.6"):
            with self.subTest(name=name), self.assertRaises(AgentError) as raised:
                self.places(root, [name], {"libc"})
            self.assertEqual(("ToolFailed", "path"), (raised.exception.cause, raised.exception.detail["reason"]))
        with self.assertRaises(AgentError):
            self.places(root, [], {"python"}, exe="/tmp/python3 {}")

    def test_a_file_that_became_a_link_is_not_followed(self) -> None:
        root = self.lay("/lib/libc.so.6", "/other/libc.so.6")
        os.rename(f"{root}/root/lib", f"{root}/root/lib-old")
        os.symlink(f"{root}/root/other", f"{root}/root/lib")
        with self.assertRaises(AgentError) as raised:
            self.places(root, ["/lib/libc.so.6"], {"libc"})
        self.assertEqual("path", raised.exception.detail["reason"])


class Parts(unittest.TestCase):
    def test_names_give_way_to_what_they_stand_for(self) -> None:
        words = {"target": "T", "pid": "P"}
        self.assertEqual("k:f /T/ { @[P] = 1; }", run._joined(["k:f /", "target", "/ { @[", "pid", "] = 1; }"], words))
        with self.assertRaises(AgentError):
            run._joined(["a", "nope", "b"], words)

    def test_what_is_no_list_of_texts_is_refused(self) -> None:
        for value in ("text", [1], ["a"] * 5, ["x" * (1 << 20), "y"]):
            request: Any = types.SimpleNamespace(body={"parts": value})
            with self.subTest(value=str(value)[:20]), self.assertRaises(AgentError):
                run._texts(request, "parts", 4)
        self.assertEqual([], run._texts(types.SimpleNamespace(body={}), "parts", 4))

    def test_points_without_wildcards_are_one_probe_each_and_cost_no_look(self) -> None:
        request: Any = types.SimpleNamespace(body={"points": ["BEGIN", "t:a:b", "iter:x*"]})
        found = points.count(None, None, request, {})
        self.assertEqual([("BEGIN", 1), ("t:a:b", 1), ("iter:x*", None)], [(e["point"], e["count"]) for e in found])
        with self.assertRaises(AgentError):
            points.count(None, None, types.SimpleNamespace(body={"points": [1]}), {})

    def test_lines_of_arguments_are_no_probes(self) -> None:
        self.assertEqual(2, points._lines([b"tracepoint:a:b", b"    int x", b"", b"tracepoint:a:c"]))


class Cost(unittest.TestCase):
    def test_a_program_that_is_let_go_of_keeps_what_it_cost(self) -> None:
        programs = {3: (9, 1000, 5), 4: (8, 2000, 7)}
        text = "prog_type:\t5\nprog_id:\t%d\nrun_time_ns:\t%d\nrun_cnt:\t%d\n"

        with mock.patch.object(cost, "Kernel"):
            statistics = cost.Statistics()
        with mock.patch.object(cost, "held", lambda _: [(key, text % programs[key]) for key in sorted(programs)]):
            statistics.read(1)
            programs.pop(4)
            programs[3] = (9, 3000, 6)
            statistics.read(1)
        self.assertEqual([{"seconds": 2e-6, "runs": 7}, {"seconds": 3e-6, "runs": 6}], statistics.cost)

    def test_where_the_kernel_does_not_count_there_is_none(self) -> None:
        with mock.patch.object(cost, "Kernel", side_effect=ImportError):
            statistics = cost.Statistics()
        statistics.read(os.getpid())
        self.assertIsNone(statistics.cost)


if __name__ == "__main__":
    unittest.main()
