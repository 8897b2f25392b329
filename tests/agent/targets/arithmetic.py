"""Computes what it knows the result of, in integers and in floating point, and tells of each hundred rounds."""

import json
import os
import signal
import sys
import threading
import time

BUSY, SIGNALS = sys.argv[1] == "busy", [0]
EXPECTED_INTEGER = sum(i * i for i in range(2000))
EXPECTED_FLOAT = sum(i / 7.0 for i in range(2000))


def say(value):
    # In one piece: another thread may write meanwhile.
    os.write(1, json.dumps(value).encode() + b"\n")


def count(*_):
    SIGNALS[0] += 1


def check():
    if sum([i * i for i in range(2000)]) != EXPECTED_INTEGER or sum([i / 7.0 for i in range(2000)]) != EXPECTED_FLOAT:
        say("wrong")
        raise SystemExit(9)


signal.signal(signal.SIGUSR1, count)
# A crash of ours would come to this handler, and be told.
signal.signal(signal.SIGSEGV, lambda *_: say("SIGSEGV"))
ROUNDS = [0]


def work():
    while True:
        check()
        ROUNDS[0] += 1
        if not BUSY:
            time.sleep(0.05)


def answer():
    for line in sys.stdin:
        say({"rounds": ROUNDS[0], "signals": SIGNALS[0]})


if BUSY:
    say("ready")
    if len(sys.argv) > 2:
        threading.Thread(target=answer, daemon=True).start()
    work()
else:
    threading.Thread(target=work, daemon=True).start()
    say("ready")
    answer()
