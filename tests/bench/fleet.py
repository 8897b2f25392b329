"""Stacks of many pods at once by xargs and kubectl exec, and what a client takes.

    fleet.py prepare FOLDER             what is sent to each session of FOLDER/sessions.json, as the module would
    fleet.py ask FOLDER AT_ONCE         xargs and kubectl exec send it; FOLDER/N.out has the answers
    fleet.py check FOLDER THREADS       whether each answer is whole and has so many threads with frames
    fleet.py measure COMMAND...         runs it: its seconds, CPU seconds with children's, most memory of one process
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Iterator, List, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.agent.driver import boot, frame, start_up

_DEADLINE = 60

# Its input stays open: an agent whose client's input ends has no client any more.
_KUBECTL = """exec 3<>"$0/$1.in"; cat "$0/$1.request" >&3 &
exec kubectl exec --stdin --namespace "$2" "$3" --container "$4" -- "$5" -I -S -B -c "$BOOT" <&3 >"$0/$1.out"
"""


def _sessions(folder: Path) -> List[dict]:
    return json.loads((folder / "sessions.json").read_text())


def prepare(folder: Path) -> None:
    """Write each session's input, with the acknowledgement of what will come of it."""
    head = start_up(op="stack", low=0, new=0)
    for number, session in enumerate(_sessions(folder)):
        question = {
            "pids": None, "started": {}, "noStop": False, "container": session["TargetContainerId"],
            "shared": False, "v": 1, "keep": True, "op": "stack", "deadline": _DEADLINE,
        }
        sent = head + frame("Q", json.dumps(question).encode()) + frame("A")
        (folder / f"{number}.request").write_bytes(sent)
        os.mkfifo(folder / f"{number}.in")


def ask(folder: Path, at_once: int) -> None:
    """Become xargs, which runs one kubectl for each session."""
    words: List[str] = []
    for number, session in enumerate(_sessions(folder)):
        words += [str(number), session["Namespace"], session["PodName"], session["DebugContainer"], session["Python"]]
    command = ["xargs", "-0", "-n", "5", "-P", str(at_once), "sh", "-c", _KUBECTL, str(folder)]
    reading, writing = os.pipe()
    os.write(writing, b"".join(word.encode() + b"\0" for word in words))
    os.close(writing)
    os.dup2(reading, 0)
    os.execvpe(command[0], command, {**os.environ, "BOOT": boot()})


def _frames(answer: bytes) -> Iterator[Tuple[str, bytes]]:
    place = 0
    while place < len(answer):
        length, kind = struct.unpack_from(">IB", answer, place)
        yield chr(kind), answer[place + 5 : place + 5 + length]
        place += 5 + length


def check(folder: Path, threads: int) -> None:
    """Fail where an answer is not whole."""
    for number, session in enumerate(_sessions(folder)):
        frames = list(_frames((folder / f"{number}.out").read_bytes()))
        found = [thread for kind, text in frames if kind == "R" for thread in json.loads(text).get("threads", ())]
        if not frames or frames[-1][0] != "T" or sum(bool(thread.get("frames")) for thread in found) != threads:
            raise SystemExit(f"{session['PodName']}: {len(frames)} frames, {len(found)} threads")


def measure(command: List[str]) -> None:
    """Print what a command took, as JSON."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with exit code {process.returncode}: {said.decode(errors='replace')}")
    print(json.dumps({
        "seconds": time.monotonic() - begun, "cpu": usage.ru_utime + usage.ru_stime, "bytes": usage.ru_maxrss << 10,
    }))


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    if task == "measure":
        measure(rest)
    else:
        {"prepare": prepare, "ask": ask, "check": check}[task](Path(rest[0]), *map(int, rest[1:]))
