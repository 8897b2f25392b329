"""Two threads that burn and fight for the GIL, each in two functions, 70 to 30 by its own CPU clock.

A line on stdin asks; the answer is {thread name: {function: CPU seconds}} since the last answer.
"""
import json
import os
import sys
import threading
import time

totals = {}


def spin(until):
    total = 0
    while time.thread_time() < until:
        for value in range(200):
            total += value


def hot(seconds):
    spin(time.thread_time() + seconds)


def cold(seconds):
    spin(time.thread_time() + seconds)


def burn():
    mine = totals[threading.current_thread().name]
    while True:
        for function, seconds in ((hot, 0.0007), (cold, 0.0003)):
            began = time.thread_time()
            function(seconds)
            mine[function.__name__] = mine.get(function.__name__, 0.0) + time.thread_time() - began


names = sys.argv[1:] or ["one", "two"]
for name in names:
    totals[name] = {}
    threading.Thread(target=burn, name=name, daemon=True).start()
print(json.dumps({"pid": os.getpid()}), flush=True)
for _ in sys.stdin:
    print(json.dumps(totals), flush=True)
    for mine in list(totals.values()):
        mine.clear()
