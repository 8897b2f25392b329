"""Stacks and asyncio tasks of a live CPython, read from outside."""

from __future__ import annotations

from .stacks import read_stacks

__all__ = ["read_stacks"]
