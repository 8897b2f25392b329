"""What the agent says of the node's kernel and of the processes that it could ask."""

from __future__ import annotations

import os

from .driver import results
from .pod import IDLE, PodTest, as_user

DEBIAN = "/usr/bin/python3"


class Examined(PodTest):
    def test_what_it_says_of_the_node_and_of_a_process_is_true(self) -> None:
        with self.pod(DEBIAN, "-c", IDLE).agent() as agent:
            (found,) = results(agent.ask("examine"), "examine")
        self.assertEqual((os.uname().release, os.uname().machine), (found["kernel"], found["machine"]))
        self.assertEqual(os.path.exists("/sys/kernel/btf/vmlinux"), found["btf"])
        self.assertIn("SYS_PTRACE", found["capabilities"])
        self.assertFalse(found["userNamespace"])
        (python,) = found["pythons"]
        self.assertEqual(
            (1, "CPython", "glibc", True), tuple(python[n] for n in ("pid", "implementation", "libc", "readable")))
        self.assertEqual(1, found["pythonCount"])

    def test_a_process_of_another_user_may_not_be_read_without_the_right(self) -> None:
        pod = self.pod(DEBIAN, "-c", IDLE)
        with pod.agent(wrap=as_user(10001)) as agent:
            (found,) = results(agent.ask("examine"), "examine")
        self.assertEqual([False], [python["readable"] for python in found["pythons"]])
