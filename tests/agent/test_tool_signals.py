"""A signal to a tool reaches what the tool started as well."""

from __future__ import annotations

import signal
import subprocess
import unittest

from .driver import alive, wait_for

from pydebug_agent.tools.runner import Tool

# Its first line says which process it started.
STARTS_ANOTHER = "sleep 600 & echo $!; wait"


class Signals(unittest.TestCase):
    def test_the_whole_group_gets_it(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with self.subTest(number=number):
                process = subprocess.Popen(
                    ["sh", "-c", STARTS_ANOTHER], stdout=subprocess.PIPE, start_new_session=True
                )
                self.addCleanup(process.stdout.close)
                self.addCleanup(process.wait)
                self.addCleanup(process.kill)
                started = int(process.stdout.readline())
                self.assertTrue(alive(started))

                Tool(process, None, False).signal(number)
                try:
                    wait_for(lambda: not alive(started), 60)
                finally:
                    if alive(started):
                        subprocess.run(["kill", "-9", str(started)], check=False)
                process.wait(60)


if __name__ == "__main__":
    unittest.main()
