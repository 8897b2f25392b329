"""The service behind gunicorn or uwsgi: GET /work?ms=50 burns in the worker, anything else names its process."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Iterable, List, Tuple
from urllib.parse import parse_qs


def checksum_rows(seconds: float) -> int:
    """Burns in a worker, so that workers can be told from their master."""
    total = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for number in range(1000):
            total += number * number % 7
    return total


def build_report(seconds: float) -> bytes:
    return f"checksum {checksum_rows(seconds)} of process {os.getpid()}\n".encode()


def application(
    environ: Dict[str, Any], start_response: Callable[[str, List[Tuple[str, str]]], object]) -> Iterable[bytes]:
    if environ.get("PATH_INFO") == "/work":
        milliseconds = float(parse_qs(environ.get("QUERY_STRING", "")).get("ms", ["50"])[0])
        body = build_report(milliseconds / 1000)
    else:
        body = f"process {os.getpid()}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
