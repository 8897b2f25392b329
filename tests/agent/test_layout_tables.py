"""The numbers of CPython's structures are those of its headers, where there are headers and a compiler."""

from __future__ import annotations

import glob
import os
import shutil
import unittest
from typing import List

from . import layout_tables
from .reader_support import AGENT

from pydebug_agent.reader import layouts


def folders() -> List[str]:
    """Return the folders with headers of a CPython that publishes nothing."""
    places = (
        "/usr/include/python3.*", "/usr/local/include/python3.*",
        os.path.expanduser("~/.pyenv/versions/3.*/include/python3.*"),
    )
    found = [folder for place in places for folder in sorted(glob.glob(place))]
    return [folder for folder in found if os.path.exists(folder + "/Python.h") and _minor(folder) in layouts._OLD]


def _minor(folder: str) -> int:
    name = folder.rpartition("python3.")[2]
    return int(name) if name.isdigit() else -1


class Tables(unittest.TestCase):
    def test_each_row_is_what_the_headers_say(self) -> None:
        found = folders()
        if not found or shutil.which("cc") is None:
            self.skipTest("a C compiler (cc) and headers of CPython 3.8 to 3.12 are missing")
        for folder in found:
            with self.subTest(folder=folder):
                minor, fields, lock = layout_tables.row(folder)
                self.assertEqual(dict(zip(layouts._FIELDS, layouts._OLD[minor])), fields)
                self.assertLessEqual(lock, layouts.GIL_BYTES)

    def test_every_field_has_its_source(self) -> None:
        self.assertEqual(layouts._FIELDS, list(layout_tables.FIELDS))


if __name__ == "__main__":
    unittest.main()
