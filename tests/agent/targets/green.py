"""Does to a process what libraries with greenlets do to it: whoever starts a thread gets a turn of this one's loop.

Says twice a second how long the loop stood still at most, when that was, how many files are open and which signals are
blocked.
"""
import _thread
import collections
import json
import os
import select
import signal
import threading
import time

nap, poll = time.sleep, select.epoll()
waiting = collections.deque()
longest = [0.0]
last = [time.monotonic()]
own = threading.get_ident()


def start_new_thread(function, arguments=(), named=None):
    waiting.append((function, arguments, named or {}))
    return 1


def sleep(seconds):
    """Go round the loop for as long; elsewhere than on the loop's own thread just wait."""
    if threading.get_ident() != own:
        nap(seconds)
        return
    end = time.monotonic() + seconds
    while True:
        now = time.monotonic()
        longest[0], last[0] = max(longest[0], now - last[0]), now
        if waiting:
            function, arguments, named = waiting.popleft()
            function(*arguments, **named)
        if time.monotonic() >= end:
            return
        poll.poll(min(0.005, end - time.monotonic()))


def keep():
    kept.append(bytearray(70_000))


_thread.start_new_thread = threading._start_new_thread = start_new_thread
time.sleep = sleep
signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
kept = []
print('"ready"', flush=True)
told = time.monotonic()
while True:
    time.sleep(0.01)
    keep()
    if time.monotonic() - told > 0.5:
        told = time.monotonic()
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            blocked = [line.split()[1] for line in file if line.startswith("SigBlk")][0]
        print(json.dumps([longest[0], told, len(os.listdir("/proc/self/fd")), int(blocked, 16)]), flush=True)
        longest[0] = 0.0
