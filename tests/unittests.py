"""Runs tests as unittest does, and says at the end why some were skipped:  python3 -m tests.unittests MODULE..."""

from __future__ import annotations

import collections
import unittest


class Runner(unittest.TextTestRunner):
    """Prints each reason once, with how many tests had it."""

    def run(self, test: "unittest.TestSuite | unittest.TestCase") -> unittest.TextTestResult:
        result = super().run(test)
        for reason, count in collections.Counter(reason for _, reason in result.skipped).items():
            self.stream.writeln(f"SKIPPED: {count}, as {reason}")
        return result


if __name__ == "__main__":
    unittest.main(module=None, testRunner=Runner)
