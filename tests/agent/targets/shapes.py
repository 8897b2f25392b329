"""Threads of every shape, and what sys._current_frames() says about them."""
import asyncio
import functools
import io
import json
import queue
import socket
import sys
import threading
import time

HOUR = 3600


def deep(left):
    if left:
        return deep(left - 1)
    time.sleep(HOUR)


class Service:
    def handle(self):
        def inner():
            return (lambda: time.sleep(HOUR))()

        return inner()

    @classmethod
    def create(cls):
        return cls().handle()


def generators():
    def innermost():
        time.sleep(HOUR)
        yield 1

    def outer():
        yield from innermost()

    return [value for value in outer()]


def coroutines():
    async def leaf():
        time.sleep(HOUR)

    async def root():
        await leaf()

    asyncio.new_event_loop().run_until_complete(root())


def through_c():
    return sorted([2, 1], key=lambda value: functools.reduce(lambda left, right: time.sleep(HOUR), [1, 2]))


def compiled():
    source = "def made():\n    import time\n\n    time.sleep(%d)\nmade()" % HOUR
    exec(compile(source, "<made \u00e9\u4e2d>", "exec"), {})


def nämé_中():
    time.sleep(HOUR)


def many_lines():
    return sum(
        [
            1,
            time.sleep(
                HOUR
            ),
        ]
    )


def handler():
    try:
        raise ValueError
    except ValueError:
        with io.StringIO():
            time.sleep(HOUR)


def lock():
    held = threading.Lock()
    held.acquire()
    held.acquire()


def from_queue():
    queue.Queue().get()


def accept():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        server.accept()


def receive():
    left, right = socket.socketpair()
    with left, right:
        left.settimeout(HOUR)
        left.recv(1)


SHAPES = [deep, Service.create, generators, coroutines, through_c, compiled, nämé_中, many_lines, handler, lock,
          from_queue, accept, receive]
NAMES = ["plain-%d", "odd ; \n\x1b[31m%d", "tr\u00e9\u4e2d %d", "\U0001f600 %d"]


def qualified(code):
    return getattr(code, "co_qualname", code.co_name)


def main():
    sys.setrecursionlimit(5000)
    threads = []
    for index, shape in enumerate(SHAPES):
        arguments = (1200,) if shape is deep else ()
        thread = threading.Thread(target=shape, args=arguments, name=NAMES[index % 4] % index, daemon=True)
        thread.start()
        threads.append(thread)
    shapes = {thread.ident: getattr(shape, "__name__", "") for thread, shape in zip(threads, SHAPES)}
    last = {}
    while True:
        # Settled when two looks agree: every thread has come to where it waits.
        truth = {}
        for ident, frame in sys._current_frames().items():
            rows = []
            while frame:
                rows.append([qualified(frame.f_code), frame.f_code.co_filename, frame.f_lineno])
                frame = frame.f_back
            truth[ident] = rows
        if truth == last and all(len(rows) > 3 for ident, rows in truth.items() if ident in shapes):
            break
        last = truth
        time.sleep(0.3)
    natives = {thread.ident: thread.native_id for thread in threading.enumerate()}
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    print(json.dumps([{"tid": natives[ident], "name": names[ident], "shape": shapes.get(ident), "frames": rows}
                      for ident, rows in truth.items()]))
    sys.stdin.readline()


main()
