"""A service that misbehaves on request:  python3 app.py [TROUBLE ...]

GET /            what can be switched on, and what is
GET /hot         and /zlib, /locks, /leak, /slow, /deep, /sleepers: switch a trouble on
GET /work?ms=50  burns that long in the request's own thread
GET /stop        ends all of them

Listens on 127.0.0.1:8080 (BADAPP_ADDRESS=HOST:PORT for another). Troubles named as arguments are on from the start.
The leak keeps 48 MiB at most (BADAPP_LEAK_MIB=N for another limit).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import List
from urllib.parse import parse_qs, urlsplit

import troubles

_on: List[str] = []


class Handler(BaseHTTPRequestHandler):
    """One thread a request, as ThreadingHTTPServer gives it."""

    def do_GET(self) -> None:  # the base class looks it up by this name
        address = urlsplit(self.path)
        trouble = address.path.strip("/")
        if trouble == "work":
            burn(float(parse_qs(address.query).get("ms", ["50"])[0]) / 1000)
            self.answer(200, {"worked": True})
        elif trouble == "stop":
            troubles.switch_off()
            _on.clear()
            self.answer(200, {"on": _on})
        elif trouble in troubles.TROUBLES:
            threads = troubles.switch_on(trouble)
            _on.append(trouble)
            self.answer(200, {"threads": threads})
        else:
            self.answer(404 if trouble else 200, {"troubles": list(troubles.TROUBLES), "on": _on})

    def answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # named so in the base class
        """Silent: a log line a request would be a trouble that nobody asked for."""


def burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        troubles.hot_loop(1000)


def stop(number: int, _frame: object) -> None:
    sys.exit(128 + number)


def main(names: List[str]) -> None:
    signal.signal(signal.SIGTERM, stop)
    troubles.leak_limit = int(os.environ.get("BADAPP_LEAK_MIB", "48")) << 20
    for name in names:
        troubles.switch_on(name)
        _on.append(name)
    host, _, port = os.environ.get("BADAPP_ADDRESS", "127.0.0.1:8080").rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    print(f"badapp listens on {host}:{port}", flush=True)
    server.serve_forever(poll_interval=3600)


if __name__ == "__main__":
    main(sys.argv[1:])
