"""Load for the service, from beside it:  python3 load.py [--path /work?ms=50] [--seconds 60] [--clients 2] [--rate 10]

Speaks to 127.0.0.1 only, never longer than ten minutes, never with more than 16 clients. Prints what came back.
"""

from __future__ import annotations

import argparse
import http.client
import threading
import time
from collections import Counter
from typing import Counter as CounterOf

_results: CounterOf[str] = Counter()


def ask(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return str(response.status)
    except OSError as error:
        return type(error).__name__
    finally:
        connection.close()


def client(port: int, path: str, end: float, pause: float) -> None:
    while time.monotonic() < end:
        _results[ask(port, path)] += 1
        time.sleep(pause)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", default="/work?ms=50")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--rate", type=float, default=10.0, help="requests a second and client, at most")
    options = parser.parse_args()
    end = time.monotonic() + min(options.seconds, 600.0)
    threads = [
        threading.Thread(
            target=client, args=(options.port, options.path, end, 1 / max(options.rate, 0.1)), name=f"client {number}")
        for number in range(min(options.clients, 16))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(dict(_results), flush=True)


if __name__ == "__main__":
    main()
