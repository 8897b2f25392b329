"""Runs without a pause, and counts every signal that the kernel hands over: one byte in a pipe for each."""
import json
import os
import signal
import sys
import threading


def main():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGRTMIN + 1, lambda number, frame: None)
    asked = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), asked.set()), daemon=True).start()
    print(json.dumps("ready"), flush=True)
    while not asked.is_set():
        sum(range(200))
    os.set_blocking(reading, False)
    print(json.dumps(len(os.read(reading, 1 << 16))), flush=True)
    sys.stdin.readline()


main()
