"""Whether a process uses greenlets: those that are suspended are on no thread's stack."""

from __future__ import annotations

import os
from typing import Iterable, Optional

from ..system.proc import Mapping, Proc


def kind(proc: Proc, pid: int, mappings: Optional[Iterable[Mapping]] = None) -> Optional[str]:
    """Return the package that makes greenlets in a process, gevent or greenlet itself; None where none is loaded.

    ``mappings`` are those of the process where they have been read already.
    """
    if mappings is None:
        try:
            mappings = proc.maps(pid)
        except OSError:
            return None
    found = {_package(mapping.path) for mapping in mappings if mapping.path.startswith("/")}
    if "greenlet" not in found:
        return None
    return "gevent" if "gevent" in found else "greenlet"


def note(kind: str) -> str:
    """Say what the stacks of such a process do not show."""
    by = "" if kind == "greenlet" else f" of {kind}"
    return f"It uses greenlets{by}: each thread's stack is of the one that runs there now; the others wait unseen."


def _package(path: str) -> str:
    """The package of an extension module by its file: .../greenlet/_greenlet.cpython-311-x86_64-linux-gnu.so."""
    folder, name = os.path.split(path)
    if ".so" not in name:
        return ""
    if name.startswith(("_greenlet.", "greenlet.")):
        return "greenlet"
    return "gevent" if "/gevent/" in folder + "/" else ""
