"""The text of modules that run elsewhere than here."""

from __future__ import annotations

import importlib
from typing import Any, Dict


def source_of(name: str) -> str:
    """Return the source of a module of this package."""
    module = importlib.import_module(f"{__package__}.{name}")
    loader: Any = module.__spec__.loader if module.__spec__ else None
    return str(loader.get_source(module.__name__))


def program(name: str, function: str, settings: Dict[str, Any]) -> str:
    """Return a module's source with a call of one of its functions behind it."""
    return f"{source_of(name)}\n\n{function}({settings!r})\n"
