"""Objects of which it is known how many there are; says so, then stands still."""

import collections
import gc
import json
import sys

NUMBER = int(sys.argv[1])


class Order:
    def __init__(self, number):
        self.number = number
        self.name = "order-%d" % number


class Slot:
    __slots__ = ("first", "second")

    def __init__(self, number):
        self.first = number + 100000
        self.second = (number, "x%d" % number)


class Rows(list):
    pass


def generator(number):
    yield number


orders = {number: Order(number) for number in range(NUMBER)}
slots = [Slot(number) for number in range(NUMBER)]
sets = [set(range(9)) for _ in range(NUMBER // 10)]
functions = [lambda number=number: number for number in range(NUMBER // 10)]
deques = [collections.deque(range(200)) for _ in range(NUMBER // 50)]
generators = [generator(number) for number in range(NUMBER // 10)]
for each in generators:
    next(each)
rows = [Rows((number, None)) for number in range(NUMBER // 10)]
buffers = [bytearray(5000) for _ in range(100)]
large = [list(range(1000)) for _ in range(50)]


def known():
    """Count what there is; some that the collector does not follow are held by those it does."""
    seen = {}
    todo = gc.get_objects()
    while todo:
        each = todo.pop()
        if id(each) not in seen:
            seen[id(each)] = each
            todo.extend(gc.get_referents(each))
    return collections.Counter(type(each).__name__ for each in seen.values())


def say(file):
    """Write what there is, when all that the count needed is gone again."""
    counts = known()
    print(json.dumps({"counts": counts, "blocks": sys.getallocatedblocks()}), file=file, flush=True)


# What a count leaves behind for the next one shall be there before.
say(open("/dev/null", "w"))
gc.collect()
gc.disable()
say(sys.stdout)
sys.stdin.readline()
