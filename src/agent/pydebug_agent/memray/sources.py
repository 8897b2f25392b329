"""The text of modules that run elsewhere than here."""

from __future__ import annotations

import importlib
import sys
from typing import Any, Dict


def source_of(name: str) -> str:
    """Return the source of a module of this package."""
    full = f"{__package__}.{name}"
    # The program that starts the agent keeps the sources it was sent.
    sent: Any = getattr(sys.modules["__main__"], "m", None)
    if isinstance(sent, dict) and full in sent:
        return str(sent[full])
    loader: Any = importlib.import_module(full).__spec__.loader  # type: ignore[union-attr]
    return str(loader.get_source(full))


def program(name: str, function: str, settings: Dict[str, Any]) -> str:
    """Return a module's source with a call of one of its functions behind it."""
    return f"{source_of(name)}\n\n{function}({settings!r})\n"
