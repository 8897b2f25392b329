"""What module and agent call the same: src/wire/wire.json, and nothing beside it, on either side."""

from __future__ import annotations

import ast
import json
import re
import unittest
from pathlib import Path
from typing import Any, Dict, Iterator, List, Set

from .driver import AGENT, modules

from pydebug_agent import wire

SOURCE = AGENT.parent
_PACKAGE = "pydebug_agent."
# They read JSON of others: tools' own output, files of profiles, manifests, and what the engine knows of a failure.
_NOT_THE_AGENTS = re.compile(
    r"/(?:PySpyDump|Speedscope\w+|BpftraceOutput|MemrayPayload|PayloadManifest"
    r"|Errors/\w+|Policy/\w+|Connection/\w+|Rest/\w+)\.cs$"
)
_READ = re.compile(
    r"(?:\.(?:Text|RawText|Integer|Long|Number|Time|Items|Texts|Flag|Part|Facts)\(\s*"
    r"|KubeJson\.\w+\(\s*(?:told|value|need|content), )\"(\w+)\""
)


def _shared() -> Dict[str, Any]:
    shared: Dict[str, Any] = json.loads((SOURCE / "wire/wire.json").read_text(encoding="utf-8"))
    return shared


def _constant(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).upper()


def _agents() -> Dict[str, ast.Module]:
    """Return the agent's modules without what the build makes."""
    return {
        name[len(_PACKAGE) :]: ast.parse(text)
        for name, text in modules().items()
        if name.startswith(_PACKAGE) and name != f"{_PACKAGE}wire"
    }


def _client() -> Dict[str, str]:
    """Return the sources of module and engine by their paths."""
    return {
        str(path): path.read_text(encoding="utf-8-sig")
        for project in ("PyDebug", "PyDebug.Engine")
        for path in sorted((SOURCE / project).rglob("*.cs"))
        if not {"obj", "bin"} & set(path.relative_to(SOURCE).parts)
    }


def _calls(tree: ast.AST, *methods: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in methods:
                yield node


def _keys(tree: ast.AST) -> Set[str]:
    """Return the names of what is put into dictionaries: literals, keywords, assigned items."""
    found: List[Any] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            found += node.keys
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            found.append(node.slice)
        elif isinstance(node, ast.keyword) and node.arg:
            found.append(ast.Constant(node.arg))
    return {key.value for key in found if isinstance(key, ast.Constant) and isinstance(key.value, str)}


class Names(unittest.TestCase):
    def test_the_constants_are_those_of_the_file(self) -> None:
        shared = _shared()
        said: Dict[str, Any] = {"VERSION": shared["version"]}
        for side in shared["frames"].values():
            said.update({_constant(name): letter for name, letter in side.items()})
        said.update({f"EXIT_{_constant(name)}": code for name, code in shared["exits"].items()})
        said.update({_constant(name): name for name in shared["causes"] + shared["warnings"]})
        self.assertEqual(said, {name: value for name, value in vars(wire).items() if name.isupper() and name[0] != "_"
                                and name != "OPERATIONS"})
        operations = {
            name: (entry["where"], entry["mebibytes"] << 20, entry["words"], entry["leaves"])
            for name, entry in shared["operations"].items()
        }
        self.assertEqual(operations, {name: tuple(entry) for name, entry in wire.OPERATIONS.items()})

    def test_the_agent_uses_each_and_no_other(self) -> None:
        used: Set[str] = set()
        for name, tree in _agents().items():
            found = {
                node.attr
                for node in ast.walk(tree)
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wire"
            }
            self.assertEqual(set(), {word for word in found if not hasattr(wire, word)}, name)
            used |= found
            for call in _calls(tree, "AgentError", "warn", "send_json", "send", "_put"):
                first = call.args[0] if call.args else None
                self.assertNotIsInstance(getattr(first, "value", None), str, f"{name}, line {call.lineno}")
        # The loader stands alone.
        self.assertIn(f'b"{wire.MODULES}"', (AGENT / "loader.py").read_text())
        names = {name for name in vars(wire) if name.isupper() and name[0] != "_"}
        self.assertEqual(set(), names - used)

    def test_the_client_uses_each_and_no_other(self) -> None:
        shared = _shared()
        text = "\n".join(_client().values())
        kinds = {**shared["frames"]["client"], **shared["frames"]["agent"]}
        for name in kinds:
            self.assertRegex(text, rf"\bFrameKinds\.{name}\b")
        for name in shared["causes"]:
            self.assertRegex(text, rf"\b(?:AgentCause|Causes)\.{name}\b")
        for name in shared["operations"]:
            self.assertRegex(text, rf"\bOperations\.{name[0].upper()}{name[1:]}\b")
        self.assertNotRegex(
            text, r"AskAsync\(\s*\"|\bOp = \"|[Kk]ind (?:is|[=!]=) (?:not )?'[A-Z]'|case '[A-Z]'( or '[A-Z]')?:")

    def test_no_warning_is_told_by_its_words(self) -> None:
        found = [
            path
            for path, text in _client().items()
            if re.search(r"\b[Ww]arning\w*(?:\.Text)?!?\.(?:Contains|StartsWith|EndsWith|IndexOf)\(\"", text)
        ]
        self.assertEqual([], found)


class Fields(unittest.TestCase):
    def test_each_of_a_request_is_sent_and_read(self) -> None:
        shared = _shared()
        agents = _agents()
        client = "\n".join(_client().values())
        asked = {"": shared["request"]} | {name: entry["fields"] for name, entry in shared["operations"].items()}
        for operation, fields in asked.items():
            room = shared["operations"][operation]["where"].split(".")[0] if operation else ""
            read = {
                node.value
                for name, tree in agents.items()
                if not room or name.split(".")[0] in (room, "target")
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            self.assertEqual(set(), set(fields) - read, f"{operation}: nobody reads it")
            sent = {name for name in fields if f'["{name}"]' in client}
            self.assertEqual(set(), set(fields) - sent, f"{operation}: nobody sends it")

    def test_none_of_a_request_is_beside_the_file(self) -> None:
        shared = _shared()
        known = set(shared["request"]).union(*(entry["fields"] for entry in shared["operations"].values()))
        for name, tree in _agents().items():
            for call in _calls(tree, "text", "number", "flag"):
                owner = call.func.value if isinstance(call.func, ast.Attribute) else None
                if getattr(owner, "id", getattr(owner, "attr", "")).lstrip("_") == "request":
                    first = call.args[0]
                    if isinstance(first, ast.Name):
                        continue
                    self.assertIn(getattr(first, "value", None), known, f"{name}, line {call.lineno}")
        for path, text in _client().items():
            if "/Policy/" not in path and "/Connection/" not in path:
                self.assertEqual(set(), set(re.findall(r'\bbody\["(\w+)"\]', text)) - known, path)

    def test_each_of_an_answer_is_sent_and_read(self) -> None:
        client = _client()
        read = {
            name
            for text in client.values()
            for words in re.findall(r'"([\w,]+)"', text)
            for name in words.split(",")
        }
        agents = _agents()
        for room, fields in _shared()["answers"].items():
            sent: Set[str] = set()
            for name, tree in agents.items():
                if name.split(".")[0] == room:
                    sent |= _keys(tree)
            self.assertEqual(set(), set(fields) - sent, f"{room}: nobody sends it")
            self.assertEqual(set(), set(fields) - read, f"{room}: nobody reads it")

    def test_none_of_an_answer_is_beside_the_file(self) -> None:
        answers = _shared()["answers"]
        known = set().union(*answers.values())
        for path, text in _client().items():
            if not _NOT_THE_AGENTS.search(path) and "/Pods/" not in path:
                with self.subTest(path):
                    self.assertEqual(set(), set(_READ.findall(text)) - known)
        for name, tree in _agents().items():
            for call in _calls(tree, "result", "send_json", "Kept"):
                for argument in call.args:
                    if isinstance(argument, ast.Dict):
                        said = {
                            key.value
                            for node in ast.walk(argument)
                            if isinstance(node, ast.Dict)
                            for key in node.keys
                            if isinstance(key, ast.Constant)
                        }
                        room = name.split(".")[0]
                        with self.subTest(f"{name}, line {call.lineno}"):
                            self.assertEqual(set(), said - set(answers.get(room, [])))


if __name__ == "__main__":
    unittest.main()
