"""Threads that wait in known lines for known periods. Each says, when asked, how long it was in each of them.

A line on stdin asks; the answer is {thread name: {function: seconds}} since the last answer.
"""
import json
import os
import random
import select
import socket
import sys
import threading
import time

totals = {}
within = {}
lock = threading.Lock()
held = threading.Event()


def timed(function, *arguments):
    name = threading.current_thread().name
    within[name] = [function.__name__, time.perf_counter()]
    function(*arguments)
    count(name, within.pop(name))


def count(name, part):
    totals[name][part[0]] = totals[name].get(part[0], 0.0) + time.perf_counter() - part[1]
    part[1] = time.perf_counter()


def forever(*functions):
    generator = random.Random(7)
    while True:
        for function, longest in functions:
            timed(function, longest * generator.random())


def sleep_long(seconds):
    time.sleep(seconds)


def sleep_short(seconds):
    time.sleep(seconds)


def hold(seconds):
    with lock:
        held.set()
        time.sleep(seconds)


def let_go(seconds):
    held.clear()
    time.sleep(seconds)


def want():
    lock.acquire()
    lock.release()


def locking():
    while True:
        held.wait()
        timed(want)


def read_slowly(seconds):
    os.read(pipe, 1)


def reading():
    while True:
        timed(read_slowly, 0)


def writing():
    while True:
        time.sleep(random.uniform(0.05, 0.15))
        os.write(pen, b"x")


def poll_socket(seconds):
    select.select([near], [], [], seconds)


def receive(seconds):
    near.send(b"%.3f" % seconds)
    near.recv(1)


def answering():
    while True:
        time.sleep(float(far.recv(10)))
        far.send(b"x")


def never(seconds):
    threading.Event().wait()


def start(name, function, *arguments):
    totals[name] = {}
    threading.Thread(target=function, args=arguments, name=name, daemon=True).start()


pipe, pen = os.pipe()
near, far = socket.socketpair()
start("sleeps", forever, (sleep_long, 0.14), (sleep_short, 0.06))
start("holds", forever, (hold, 0.3), (let_go, 0.1))
start("locks", locking)
start("reads", reading)
start("writes", writing)
start("answers", answering)
start("polls", forever, (poll_socket, 0.2), (receive, 0.2))
start("never", never, 0)
print(json.dumps({"pid": os.getpid()}), flush=True)
for _ in sys.stdin:
    for name, part in list(within.items()):
        count(name, part)
    print(json.dumps(totals), flush=True)
    for mine in list(totals.values()):
        mine.clear()
