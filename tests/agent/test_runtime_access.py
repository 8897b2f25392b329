"""Why a process may not be read, told from made-up kernels that this machine cannot be, and from the real one."""

from __future__ import annotations

import os
import sys
import tempfile
import unittest
from typing import Optional

from .driver import AGENT, failures, wait_for
from .pod import IDLE, PodTest, as_user

sys.path.insert(0, str(AGENT))

from pydebug_agent.system.ptrace_access import ptrace_denied
from pydebug_agent.system.proc import Proc

PTRACE = 1 << 19


class MadeUp(unittest.TestCase):
    """A /proc of files, with an agent and the process 7."""

    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        self.own(uid=10001)
        self.target(uid=10001)

    def write(self, path: str, text: str) -> None:
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="ascii") as file:
            file.write(text)

    def own(self, uid: int, caps: int = 0, seccomp: int = 0) -> None:
        status = f"Name:\tpython3\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapPrm:\t{caps:016x}\nCapEff:\t{caps:016x}\n"
        self.write("self/status", f"{status}Seccomp:\t{seccomp}\n")
        self.write("self/uid_map", "         0          0 4294967295\n")

    def target(self, uid: int, caps: int = 0, owner: Optional[int] = None) -> None:
        self.write("7/status", f"Name:\tapp\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapPrm:\t{caps:016x}\n")
        self.write("7/uid_map", "         0          0 4294967295\n")
        if os.geteuid() == 0:
            # As the kernel does: the directory stays its user's.
            os.chown(os.path.join(self.root, "7"), uid, -1)
            os.chown(os.path.join(self.root, "7", "status"), uid if owner is None else owner, -1)

    def yama(self, scope: int) -> None:
        self.write("sys/kernel/yama/ptrace_scope", f"{scope}\n")

    def found(self, self_read: Optional[bool] = True) -> str:
        error = ptrace_denied(7, Proc(self.root), "Operation not permitted", lambda: self_read)
        self.assertEqual(("PtraceDenied", 7), (error.cause, error.pid))
        self.message = error.message
        self.detail = error.detail
        return str(error.detail["found"])

    def test_yama_wants_the_capability(self) -> None:
        for scope in (1, 2):
            with self.subTest(scope=scope):
                self.yama(scope)
                self.assertEqual("yama", self.found())
                self.assertEqual(scope, self.detail["ptraceScope"])
                self.assertIn(f"ptrace_scope {scope}", self.message)

    def test_yama_three_forbids_it_even_with_the_capability(self) -> None:
        self.own(uid=0, caps=PTRACE)
        self.yama(3)
        self.assertEqual("yama", self.found())

    def test_yama_zero_is_no_cause(self) -> None:
        self.yama(0)
        self.assertEqual("unknown", self.found())

    def test_another_user(self) -> None:
        self.target(uid=10002)
        self.yama(1)
        self.assertEqual("uid", self.found())
        self.assertIn("10002", self.message)

    def test_root_without_the_capability(self) -> None:
        self.own(uid=0)
        self.assertEqual("capability", self.found())

    def test_a_target_with_more_capabilities(self) -> None:
        self.target(uid=10001, caps=1 << 10)
        self.assertEqual("capability", self.found())

    @unittest.skipIf(os.geteuid() != 0, "to give a file away needs root")
    def test_a_target_that_must_not_be_dumped(self) -> None:
        self.target(uid=10001, owner=0)
        self.assertEqual("capability", self.found())
        self.assertIs(False, self.detail["dumpable"])

    def test_seccomp_that_forbids_even_the_own_memory(self) -> None:
        self.own(uid=0, caps=PTRACE, seccomp=2)
        self.yama(1)
        self.assertEqual("seccomp", self.found(self_read=False))

    def test_a_filter_that_lets_it_pass_is_not_accused(self) -> None:
        self.own(uid=10001, seccomp=2)
        self.yama(1)
        for answer in (True, None):
            with self.subTest(answer=answer):
                self.assertEqual("yama", self.found(self_read=answer))

    def test_another_user_namespace(self) -> None:
        self.own(uid=0, caps=PTRACE)
        self.write("7/uid_map", "0 100000 65536\n")
        self.assertEqual("userns", self.found())

    def test_a_security_module_is_named(self) -> None:
        self.own(uid=0, caps=PTRACE)
        self.write("7/attr/current", "cri-containerd.apparmor.d (enforce)\n")
        self.assertEqual("unknown", self.found())
        self.assertIn("cri-containerd", self.message)

    def test_a_process_that_has_gone_meanwhile(self) -> None:
        error = ptrace_denied(8, Proc(self.root), "", lambda: True)
        self.assertEqual("unknown", error.detail["found"])


class Real(PodTest):
    def test_what_the_kernel_refuses_is_explained(self) -> None:
        capability = ["setpriv", "--inh-caps=-all", "--bounding-set=-sys_ptrace"]
        cases = (
            ("another user", as_user(10002), as_user(10001), "uid"),
            ("root without the capability", as_user(10002), capability, "capability"),
            ("a target with capabilities", ["setpriv", "--no-new-privs"], capability, "capability"),
        )
        for name, target, agent, found in cases:
            with self.subTest(name):
                pod = self.pod(*target, "/usr/bin/python3", "-c", IDLE)
                keeper = pod.kept(wrap=agent)
                with pod.agent(beside=keeper, wrap=agent) as asked:
                    (failure,) = failures(asked.ask("stack", pids=[1]))
                self.assertEqual(("PtraceDenied", found), (failure["cause"], failure["detail"].get("found")))
                self.assertEqual(1, failure["pid"])

    def test_a_server_that_gave_up_its_user_is_explained(self) -> None:
        code = f"import os\nos.setgroups([]); os.setgid(10002); os.setuid(10002)\n{IDLE}"
        user = as_user(10002)
        pod = self.pod("/usr/bin/python3", "-c", code)
        keeper = pod.kept(wrap=user)
        wait_for(lambda: Proc().status(pod.host_pid)["Uid"].split()[0] == "10002")
        with pod.agent(beside=keeper, wrap=user) as asked:
            (failure,) = failures(asked.ask("stack", pids=[1]))
        self.assertEqual(("PtraceDenied", "capability"), (failure["cause"], failure["detail"]["found"]))
        self.assertIn("changed its user after it began", failure["message"])


if __name__ == "__main__":
    unittest.main()
