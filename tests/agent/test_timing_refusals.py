"""What the kernel refuses is told apart, and said with what would help."""

from __future__ import annotations

import errno
import os
import tempfile
import unittest
from typing import Any, Dict
from unittest import mock

from . import reader_support  # finds the agent

from pydebug_agent.system.errors import AgentError
from pydebug_agent.system.proc import Proc
from pydebug_agent.bpf import syscalls, btf, refusals
from pydebug_agent.timing import kernel_sampler
from pydebug_agent.bpf.asm import R0, R1, Assembler, Reg
from pydebug_agent.bpf.syscalls import Kernel, KernelRefusal

_BPF, _PERFMON, _PTRACE, _ADMIN = 1 << 39, 1 << 38, 1 << 19, 1 << 21


class FakeProc(Proc):
    def __init__(self, capabilities: int, seccomp: int = 0, uid_map: str = "0 0 4294967295") -> None:
        super().__init__()
        self._status = {"CapEff": "%016x" % capabilities, "Seccomp": str(seccomp)}
        self._uid_map = uid_map

    def status(self, *parts: object) -> Dict[str, str]:
        return self._status

    def text(self, *parts: object, limit: int = 1 << 24) -> str:
        return self._uid_map


def explain(proc: Proc, number: int, stage: str, lockdown: Any = None, log: str = "") -> AgentError:
    with mock.patch.object(refusals, "lockdown", lambda: lockdown):
        return refusals.refused(KernelRefusal(number, stage, log), proc)


class Causes(unittest.TestCase):
    def test_missing_capabilities_are_named(self) -> None:
        for capabilities, stage, missing in (
            (_PTRACE, "BPF_MAP_CREATE x", "no CAP_BPF and no CAP_PERFMON"),
            (_PTRACE | _PERFMON, "BPF_MAP_CREATE x", "no CAP_BPF ("),
            (_PTRACE | _BPF, "BPF_PROG_LOAD x", "no CAP_PERFMON ("),
            (_PTRACE | _BPF, "perf_event_open", "no CAP_PERFMON ("),
        ):
            error = explain(FakeProc(capabilities), errno.EPERM, stage)
            self.assertEqual(error.cause, "NoCapability")
            self.assertIn(missing, error.message)
            self.assertIn(stage + ": Operation not permitted", error.message)

    def test_in_a_user_namespace_no_capability_is_missed(self) -> None:
        for capabilities in (_PTRACE, _BPF | _PERFMON | _PTRACE):
            error = explain(FakeProc(capabilities, uid_map="0 100000 65536"), errno.EPERM, "BPF_MAP_CREATE x")
            self.assertEqual(("NoCapability", "userns"), (error.cause, error.detail["found"]))
            self.assertIn("do not count for BPF", error.message)
        self.assertNotIn("found", explain(FakeProc(_PTRACE), errno.EPERM, "x").detail)

    def test_seccomp_is_told_where_the_capabilities_are_there(self) -> None:
        for capabilities in (_BPF | _PERFMON, _ADMIN):
            for number in (errno.EPERM, errno.ENOSYS):
                error = explain(FakeProc(capabilities, seccomp=2), number, "BPF_MAP_CREATE x")
                self.assertEqual(error.cause, "Seccomp")
        self.assertEqual(explain(FakeProc(_PTRACE, seccomp=2), errno.EPERM, "x").cause, "NoCapability")

    def test_lockdown_user_namespaces_and_the_rest(self) -> None:
        able = FakeProc(_BPF | _PERFMON)
        error = explain(able, errno.EINVAL, "BPF_PROG_LOAD x", "confidentiality", "unknown func")
        self.assertEqual(error.cause, "Lockdown")
        self.assertEqual(explain(able, errno.EPERM, "x", "confidentiality").cause, "Lockdown")
        self.assertEqual(explain(able, errno.EINVAL, "x", "integrity").cause, "Kernel")
        nested = FakeProc(_BPF | _PERFMON, uid_map="0 100000 65536")
        error = explain(nested, errno.EPERM, "x")
        self.assertEqual(error.cause, "NoCapability")
        self.assertIn("user namespace", error.message)
        self.assertEqual(explain(able, errno.EMFILE, "perf_event_open").cause, "TooManyThreads")
        error = explain(able, errno.E2BIG, "BPF_PROG_LOAD x", None, "too many\ninstructions")
        self.assertEqual((error.cause, error.detail["log"]), ("Kernel", "too many\ninstructions"))
        self.assertEqual(error.detail["errno"], "E2BIG")

    def test_a_kernel_without_types_is_told(self) -> None:
        with mock.patch.object(btf.Btf.__init__, "__defaults__", ("/nowhere/vmlinux",)):
            sampler = kernel_sampler.KernelSampler()
            with self.assertRaises(AgentError) as raised:
                sampler.start()
        self.assertEqual(raised.exception.cause, "NoBtf")
        self.assertIn("/nowhere/vmlinux", raised.exception.message)

    def test_types_that_make_no_sense_are_told(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for content in (b"", b"\x9f\xeb\1\0\x18\0\0\0" + bytes(16), os.urandom(4096)):
                file.seek(0)
                file.truncate()
                file.write(content)
                file.flush()
                with mock.patch.object(btf.Btf.__init__, "__defaults__", (file.name,)):
                    with self.assertRaises(AgentError) as raised:
                        kernel_sampler.KernelSampler().start()
                self.assertIn(raised.exception.cause, ("NoBtf", "Kernel"))


class Loading(unittest.TestCase):
    def setUp(self) -> None:
        self.kernel = Kernel()
        self.addCleanup(self.kernel.close)

    def test_the_verifiers_words_are_kept(self) -> None:
        code = Assembler()
        code.load(R0, R1, 4096)
        code.end()
        try:
            self.kernel.program(code.code(), syscalls.PROGRAM_PERF_EVENT, "pydebug_wrong")
        except KernelRefusal as refusal:
            if refusal.errno == errno.EPERM:
                self.skipTest("no BPF here")
            self.assertIn("invalid bpf_context access", refusal.log)
            self.assertLessEqual(len(refusal.log.splitlines()), 12)
        else:
            self.fail("the program was taken")

    def test_a_label_too_many_or_too_few_is_an_error(self) -> None:
        code = Assembler()
        code.label("here")
        self.assertRaises(ValueError, code.label, "here")
        code.jump_if(R1, "==", Reg(R0), "nowhere")
        self.assertRaises(KeyError, code.code)
        self.assertRaises(ValueError, code.load, R0, R1, 1 << 15)


if __name__ == "__main__":
    unittest.main()
