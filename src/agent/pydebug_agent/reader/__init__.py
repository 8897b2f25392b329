"""Stacks and asyncio tasks of a live CPython, read from outside."""

from __future__ import annotations

from .stacks import read_stacks
from .tasks import read_tasks

__all__ = ["read_stacks", "read_tasks"]
