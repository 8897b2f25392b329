"""What an agent takes that watches: share of a processor and peak of memory, beside one that reads stacks. Needs root.

    watch_cost.py PYTHON PROCESSES THREADS SECONDS INTERVAL

Prints one line of JSON: ``share`` is per cent of one CPU over all seconds, its start included; ``steady`` without the
first quarter; ``rss`` the agent's own peak in bytes and ``stack`` that of a plain question about the same processes.
"""

from __future__ import annotations

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", ".."))
from tests.agent.driver import Agent, results
from tests.agent.pod import Pod


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its threads."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total / 1e9


def peak(pid: int) -> int:
    """Return the most memory that a process had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


def started(agent: Agent) -> int:
    """Return the agent's process: nsenter forks for a PID namespace."""
    pid = agent.process.pid
    while True:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
        if not children:
            return pid
        pid = int(children[0])


def main() -> None:
    python, processes, threads, seconds, interval = sys.argv[1], *map(float, sys.argv[2:6])
    here = os.path.dirname(os.path.abspath(__file__))
    pod = Pod([python, os.path.join(here, "watch_target.py"), "%d" % processes, "%d" % threads])
    try:
        time.sleep(2)
        with pod.agent(python, op="stack") as agent:
            agent.request("stack")
            agent.until("T")
            stack = peak(started(agent))
        with pod.agent(python, op="watch") as agent:
            agent.request("watch", interval=interval, seconds=seconds, deadline=seconds + 30)
            agent.until("R", interval + 30)
            pid = started(agent)
            begun, first = time.monotonic(), 0.0
            quarter = begun + seconds / 4
            middle = None
            records, notes = 1, []
            while True:
                frame = agent.next(interval + 60)
                if frame.kind == "T":
                    break
                records += frame.kind == "R"
                notes += json.loads(frame.payload).get("notes") or [] if frame.kind == "R" else []
                last = frame
                if middle is None and time.monotonic() >= quarter:
                    middle = (time.monotonic(), cpu(pid))
            end, used = time.monotonic(), cpu(pid)
            print(json.dumps({
                "processes": int(processes), "threads": int(threads), "seconds": seconds, "records": records,
                "share": round(100 * (used - first) / (seconds), 3),
                "steady": round(100 * (used - middle[1]) / (end - middle[0]), 3), "rss": peak(pid), "stack": stack,
            }))
            print(last.payload.decode(), set(notes), file=sys.stderr)
            agent.send("A")
    finally:
        pod.close()


main()
