"""Looks at heaps, for tests: no pace, no channel."""

from __future__ import annotations

from typing import Any, Dict, Iterator
from contextlib import contextmanager

from .reader_support import AGENT  # makes the agent's modules importable

from pydebug_agent.heap.pages import Buffers
from pydebug_agent.heap.subject import Look, Subject
from pydebug_agent.heap.totals import Total, totals
from pydebug_agent.system.proc import Proc


@contextmanager
def subject_of(pid: int, complete: bool = False) -> Iterator[Subject]:
    """Attach to a process without any pace."""
    subject = Subject(Proc(), pid, Buffers(), lambda: None, complete)
    try:
        yield subject
    finally:
        subject.close()


def by_name(subject: Subject, look: Look) -> Dict[str, Total]:
    """Return the totals by the last part of the type's name; of two types with one name the larger."""
    found: Dict[str, Total] = {}
    for number, total in totals(subject, look).items():
        kind: Any = subject.kinds.all[number]
        name = subject.kinds.full_name(kind)[1]
        if name not in found or found[name].count < total.count:
            found[name] = total
    return found
