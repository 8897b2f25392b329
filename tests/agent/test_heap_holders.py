"""Objects that are kept in thirty ways lead to what keeps them, on every version there is."""

from __future__ import annotations

import re
import unittest
from typing import Any, Dict, List, Optional

from .heap_support import subject_of
from .reader_support import Python, ReaderTest, on_each_python

from pydebug_agent.heap import choose
from pydebug_agent.heap.census import Wanted
from pydebug_agent.heap.holders import Holders, Sample
from pydebug_agent.heap.references import masked

KEPT = 60
# Of 60 samples; the chain of tuples may move under the search.
LEAST_RIGHT = 58


def holders_of(pid: int, names: Any, count: int, keys: bool = False) -> Dict[str, List[Dict[str, Any]]]:
    """Return the rows of the types with these names."""
    with subject_of(pid) as subject:
        look = subject.take(Wanted(lambda kind: kind.short in names, 1000))
        wanted: Optional[Wanted] = look.census.wanted
        samples = [
            Sample(subject.kinds.all[number], choose._some(list(addresses), count), 1000)
            for number, addresses in wanted.addresses.items()
        ]
        # However long a busy machine takes.
        holders = Holders(subject, keys, 600.0)
        holders._time = lambda: None
        found: Dict[str, List[Dict[str, Any]]] = {}
        for row in holders.find(samples):
            found.setdefault(row["name"], []).append(row)
        return found


class WaysOfKeeping(ReaderTest):
    @on_each_python()
    def test_each_way_is_told_and_none_is_made_up(self, python: Python) -> None:
        target = self.start(python, "heap_leaks.py", str(KEPT), "0")
        patterns = target.ready
        found = holders_of(target.pid, patterns, 2)
        self.assertEqual(sorted(found), sorted(patterns))
        right, wrong = 0, []
        for name, pattern in patterns.items():
            for row in found[name]:
                if re.search(pattern, row["path"]):
                    right += row["held"]
                else:
                    wrong.append((name, row["root"], row["path"]))
        self.assertGreaterEqual(right, LEAST_RIGHT, wrong)
        self.assertEqual([each for each in wrong if each[1] in ("Module", "Class", "Frame", "Coroutine")], [])

    @on_each_python(lambda python: python.minor == 13)
    def test_keys_are_shown_where_asked_for_and_secrets_never(self, python: Python) -> None:
        source = """
import json, sys
class Order: pass
class User: pass
orders = {"order-%d" % each: Order() for each in range(3)}
users = {"api_token=abcdef0123456789": User()}
print(json.dumps(1), flush=True)
sys.stdin.readline()
"""
        target = self.start_source(python, source)
        plain = holders_of(target.pid, {"Order", "User"}, 3)
        self.assertEqual([row["path"] for row in plain["Order"]], ["module __main__.orders -> dict[*]"])
        self.assertEqual([row["path"] for row in plain["User"]], ["module __main__.users -> dict[*]"])
        keyed = holders_of(target.pid, {"Order", "User"}, 3, keys=True)
        self.assertIn("module __main__.orders -> dict['order-0']", [row["path"] for row in keyed["Order"]])
        self.assertNotIn("abcdef", keyed["User"][0]["path"])

    def test_keys_that_look_like_secrets_are_masked(self) -> None:
        for key in ("session-4711abcd", "password: x", "Bearer abcdefghijkl", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMj.x",
                    "4f9a1c2b3d4e5f60718293a4b5c6d7e8"):
            with self.subTest(key):
                self.assertIn("***", masked(key))
        self.assertEqual(masked("order-12"), "order-12")


if __name__ == "__main__":
    unittest.main()
