"""Stacks and asyncio tasks of a live CPython, read from outside."""
