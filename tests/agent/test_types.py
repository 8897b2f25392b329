"""What a type checker says of the agent's annotations: nothing. mypy.ini says what is looked at, and how."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
AGENT = REPOSITORY / "src" / "agent"

# Words to tools that nobody runs here; those to mypy are held by its own warn_unused_ignores.
_DIRECTIVE = re.compile(r"#\s*(noqa|fmt:|isort:|pylint:|pragma:|nosec|pyright:|ruff:)")


def mypy(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run mypy as the repository has it set."""
    with tempfile.TemporaryDirectory() as cache:
        return subprocess.run(
            ["mypy", "--cache-dir", cache, *arguments],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@unittest.skipIf(shutil.which("mypy") is None, "mypy is missing (package mypy): nobody checked the agent's types")
class Types(unittest.TestCase):
    def test_the_agent_has_no_finding(self) -> None:
        run = mypy()
        self.assertEqual(run.returncode, 0, run.stdout)
        checked = re.search(r"no issues found in (\d+) source files", run.stdout)
        assert checked is not None, run.stdout
        self.assertEqual(int(checked.group(1)), len(list(AGENT.rglob("*.py"))) - 1, "all but boot.py")

    def test_a_wrong_type_is_a_finding(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("def length(text: str) -> int:\n    return text\n")
            file.flush()
            run = mypy(file.name)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn("Incompatible return value type", run.stdout)


class Directives(unittest.TestCase):
    def test_none_is_for_a_tool_that_nobody_runs(self) -> None:
        found = [
            f"{path.relative_to(REPOSITORY)}:{number}"
            for folder in ("src/agent", "tests", "examples")
            for path in sorted((REPOSITORY / folder).rglob("*.py"))
            if path != Path(__file__).resolve()
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if _DIRECTIVE.search(line)
        ]
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
