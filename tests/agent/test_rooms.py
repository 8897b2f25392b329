"""The agent's rooms: which of them import which. No import goes up, and none in a circle."""

from __future__ import annotations

import ast
import re
import unittest
from pathlib import Path
from typing import Dict, Iterator, List, Set, Tuple

from .driver import modules

# From the ground up: each room with those below it that it uses. What starts the agent lies in the package itself.
ROOMS: Dict[str, str] = {
    "wire": "",
    "system": "wire",
    "protocol": "wire system",
    "target": "wire system protocol",
    "transfer": "wire system protocol target",
    "tools": "wire system target",
    "reader": "wire system target",
    "bpf": "wire system reader",
    "inject": "wire system reader",
    "timing": "wire system target reader bpf",
    "watch": "wire system target reader timing",
    "heap": "wire system protocol target reader",
    "examine": "system protocol target bpf inject",
    "pyspy": "wire system target transfer tools",
    "memray": "wire system protocol target transfer tools reader inject",
    "bpftrace": "wire system protocol target tools reader bpf",
    "": "wire system protocol target",
}
_PACKAGE = "pydebug_agent."


def _arrows() -> Dict[str, Set[str]]:
    """Return for each module of the agent those that it imports, wherever in it it does."""
    sources = {name[len(_PACKAGE) :]: text for name, text in modules().items() if name.startswith(_PACKAGE)}
    return {name: set(_imported(name, text, sources)) for name, text in sources.items()}


def _imported(name: str, text: str, sources: Dict[str, str]) -> Iterator[str]:
    is_package = any(other.startswith(name + ".") for other in sources)
    parts = [word for word in name.split(".") if word]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = parts[: len(parts) + is_package - node.level]
            whole = base + (node.module or "").split(".") if node.module else base
            for alias in node.names:
                inner = ".".join([*whole, alias.name])
                yield inner if inner in sources else ".".join(whole)


def _room(name: str) -> str:
    first, dot, _ = name.partition(".")
    return first if dot or first in ROOMS else ""


class Rooms(unittest.TestCase):
    def test_each_uses_only_those_below_it_that_it_is_said_to_use(self) -> None:
        found: Set[Tuple[str, str]] = set()
        for name, others in _arrows().items():
            for other in others:
                if _room(name) != _room(other):
                    found.add((_room(name), _room(other)))
                    self.assertIn(_room(other), ROOMS[_room(name)].split(), f"{name} imports {other}")
        said = {(room, below) for room, words in ROOMS.items() for below in words.split()}
        self.assertEqual(said, found, "an arrow that nothing takes any more")

    def test_the_list_goes_down_alone(self) -> None:
        order = list(ROOMS)
        for room, words in ROOMS.items():
            for below in words.split():
                self.assertLess(order.index(below), order.index(room), f"{room} uses {below}")

    def test_the_page_on_the_architecture_says_the_same(self) -> None:
        page = (Path(__file__).parents[2] / "docs/architecture.md").read_text(encoding="utf-8")
        rows = re.findall(r"^\| `(\w+)` \| .* \|(.*)\|$", page, re.MULTILINE)
        self.assertEqual(
            {room: set(words.split()) for room, words in ROOMS.items() if room},
            {room: set(words.replace(",", " ").split()) for room, words in rows},
        )

    def test_no_modules_import_each_other_in_a_circle(self) -> None:
        arrows = _arrows()
        done: Set[str] = set()

        def follow(name: str, way: List[str]) -> None:
            self.assertNotIn(name, way, " imports ".join([*way, name]))
            if name not in done:
                for other in sorted(arrows.get(name, ())):
                    follow(other, [*way, name])
                done.add(name)

        for name in arrows:
            follow(name, [])

    def test_threads_are_held_in_one_place(self) -> None:
        holding = {name for name, text in modules().items() if re.search(r"\bHolder\(", text)}
        self.assertEqual({"pydebug_agent.reader.one_stack"}, holding)
        fired = {name for name, text in modules().items() if re.search(r"\bmemory\.fire\(", text)}
        self.assertEqual({"pydebug_agent.reader.one_stack"}, fired)


if __name__ == "__main__":
    unittest.main()
