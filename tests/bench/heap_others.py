"""Ten more ways of keeping objects, by libraries and habits that the search was not made with. As heap_leaks.py."""

import collections
import contextlib
import dataclasses
import enum
import functools
import heapq
import json
import sys
import threading
import time
import weakref

NUMBER = int(sys.argv[1])
CLASSES, PATTERNS = {}, {}


def kind(name, pattern):
    PATTERNS[name] = pattern
    CLASSES[name] = type(name, (), {"__init__": lambda self, number: setattr(self, "number", number)})
    return CLASSES[name]


@dataclasses.dataclass(frozen=True)
class Record:
    number: int
    held: object


Row = collections.namedtuple("Row", "number held")


class Colour(enum.Enum):
    RED = 1


class Report:
    def __init__(self, source):
        self.source = source

    @functools.cached_property
    def made(self):
        return self.source


class Node:
    def __init__(self, held, following):
        self.held = held
        self.following = following


@functools.singledispatch
def handled(value):
    return value


records, rows, reports, a_heap, timers, finalizers = [], [], [], [], [], []
by_weak_key, owners = weakref.WeakKeyDictionary(), []
stack, chained = contextlib.ExitStack(), collections.ChainMap({}, {})
linked, frozen = None, {}
Colour.RED.kept = []
plans = [
    (kind("InDataclass", r"__main__\.records -> list\[\*\] -> Record\.held"),
     lambda new, number: records.append(Record(number, new))),
    (kind("InNamedTuple", r"__main__\.rows -> list\[\*\] -> Row(\[1\]|\.held)"),
     lambda new, number: rows.append(Row(number, new))),
    (kind("InCachedProperty", r"__main__\.reports -> list\[\*\] -> Report\.(source|made)"),
     lambda new, number: reports.append(Report(new)) or reports[-1].made),
    (kind("InHeap", r"__main__\.a_heap -> list\[\*\] -> tuple\[1\]"),
     lambda new, number: heapq.heappush(a_heap, (number, new))),
    (kind("InEnumMember", r"Colour.*kept -> list\[\*\]"), lambda new, number: Colour.RED.kept.append(new)),
    (kind("InTimer", r"__main__\.timers -> list\[\*\] -> Timer\.args -> (tuple|list)\[|Timer\.args"),
     lambda new, number: timers.append(threading.Timer(1e6, print, (new,)))),
    (kind("InWeakKeyDictionary", r"__main__\.by_weak_key -> WeakKeyDictionary\.data -> dict\[\*\]"),
     lambda new, number: (owners.append(Node(None, None)), by_weak_key.__setitem__(owners[-1], new))),
    (kind("InExitStack", r"__main__\.stack -> ExitStack\._exit_callbacks -> deque\[\*\]"),
     lambda new, number: stack.callback(print, new)),
    (kind("InChainMap", r"__main__\.chained -> ChainMap\.maps -> list\[\*\] -> dict\[\*\]"),
     lambda new, number: chained.__setitem__(number, new)),
    (kind("InFrozenSet", r"__main__\.frozen -> dict\[\*\] -> frozenset\{\*\}"),
     lambda new, number: frozen.__setitem__(number, frozenset((new, number)))),
]
for number in range(NUMBER):
    for made, keep in plans:
        keep(made(number), number)
print(json.dumps(PATTERNS), flush=True)
while sys.stdin.readline():
    time.sleep(0)
    print("[]", flush=True)
