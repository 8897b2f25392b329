"""All workers of gunicorn and uwsgi are sampled at once, forked behind Python's back or not."""

from __future__ import annotations

from . import test_reader_servers
from .reader_support import wait_until
from .timing_support import record_all


class ServersSampled(test_reader_servers.Servers):
    def _check(self, image: str) -> None:
        master, port = self._serve(image)
        wait_until(lambda: len(self._workers(master)) >= 2, 30)
        self._ask(port)
        asked = wait_until(lambda: [t for t in self._answering(master) if t["how"] == "idle"], 30)[0]
        workers = self._workers(master)
        recordings = record_all(workers, 1.0)
        self.assertEqual(sorted(recordings), sorted(workers))
        for pid, recording in recordings.items():
            self.assertEqual((recording.misses, recording.lost, recording.unresolved), (0, 0, 0))
            self.assertIn(pid, recording.threads)
        found = [key for key in recordings[asked["pid"]].counts if key.tid == asked["tid"]]
        self.assertEqual({key.reason for key in found}, {"sleep"})
        for key in found:
            self.assertEqual([place.name for place in key.stack[:2]], ["answer_late", "application"])
