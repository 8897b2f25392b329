"""Programs whose heaps are looked at by heap_cost.py:  heap_targets.py exact|busy|idle_types|large|requests [NUMBER]

Each says in a line of JSON that it is ready; a line on stdin is answered by a line.
"""

import collections
import gc
import json
import os
import random
import resource
import sys
import tempfile
import threading
import time


class Order:
    def __init__(self, number):
        self.number = number
        self.name = "order-%d" % number
        self.lines = [number, str(number)]
        self.price = number * 1.5


class Slot:
    __slots__ = ("first", "second")

    def __init__(self, number):
        self.first = number + 100000
        self.second = (number, "x%d" % number)


def say(content):
    print(json.dumps(content), flush=True)


def raw_blocks():
    """How many of the allocated blocks lie in no pool, by the allocator's own statistics."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        allocated = sys.getallocatedblocks()
        sys._debugmallocstats()
        os.dup2(kept, 2)
        os.close(kept)
        file.seek(0)
        rows = [line.split() for line in file.read().decode().splitlines()]
    return allocated - sum(int(row[3]) for row in rows if len(row) == 5 and all(word.isdigit() for word in row))


def exact(number):
    orders = {each: Order(each) for each in range(number)}
    slots = [Slot(each) for each in range(number)]
    sets = [set(range(9)) for _ in range(number // 10)]
    functions = [lambda each=each: each for each in range(number // 10)]
    queues = [collections.deque(range(5)) for _ in range(number // 20)]

    def count():
        seen, todo = {}, gc.get_objects()
        while todo:
            each = todo.pop()
            if id(each) not in seen:
                seen[id(each)] = each
                todo.extend(gc.get_referents(each))
        return collections.Counter(type(each).__name__ for each in seen.values())

    # What a count leaves behind for the next one shall be there before.
    json.dumps(count())
    raw = raw_blocks()
    gc.collect()
    gc.disable()
    counts = count()
    for _ in range(2):
        # The second time all that it takes to say so is there already.
        counts["_blocks"] = 0
        counts["_blocks"] = sys.getallocatedblocks() - raw
        say(counts)
    time.sleep(1e6)
    return orders, slots, sets, functions, queues


def busy(number):
    """Requests that make short-lived garbage as fast as one processor lets them, and a cache that turns over."""
    users = [Order(each) for each in range(number)]
    cache = collections.OrderedDict()
    done = [0]

    def serve(seed):
        chance = random.Random(seed)
        while True:
            user = users[chance.randrange(number)]
            text = json.dumps({"name": user.name, "items": [{"n": each, "f": each * 1.5} for each in range(20)]})
            cache[done[0] % 5000] = json.loads(text)["items"][:3]
            if len(cache) > 4000:
                cache.popitem(last=False)
            done[0] += 1

    for seed in range(2):
        threading.Thread(target=serve, args=(seed,), daemon=True).start()
    time.sleep(3)
    say(1)
    while sys.stdin.readline():
        say(done[0])


def idle_types(number):
    """Types that do not grow: some stand, some come and go, some fill up and are emptied again."""
    kinds = [type("Kind%d" % each, (), {}) for each in range(number)]
    kept = [[kind() for _ in range(200)] for kind in kinds]
    chance = random.Random(7)

    def churn():
        turn = 0
        while True:
            turn += 1
            for place, kind in enumerate(kinds):
                if place % 3 == 1:
                    kept[place][chance.randrange(200)] = kind()
                elif place % 3 == 2:
                    kept[place] = [kind() for _ in range(100 + (turn * (1 + place % 7)) % 100)]
            time.sleep(0.02)

    threading.Thread(target=churn, daemon=True).start()
    time.sleep(1)
    say(1)
    sys.stdin.readline()


def large(number):
    """A heap of so many MiB."""
    orders, rows, each = {}, [], 0
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < number << 10:
        for _ in range(2000):
            orders[each] = Order(each)
            rows.append(Slot(each) if each % 2 else {"number": each, "half": each / 2})
            each += 1
    say({"orders": each})
    while sys.stdin.readline():
        import objgraph

        begun = time.perf_counter()
        objgraph.most_common_types(20)
        say({"pause": time.perf_counter() - begun})


def requests(number):
    """A thread alone on its processor, and the slowest of a hundred of its requests, again and again."""
    users = [Order(each) for each in range(number)]
    rows = []

    def serve():
        os.sched_setaffinity(0, {0})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(5))
        chance = random.Random(1)
        while True:
            times = []
            begun = time.monotonic()
            for _ in range(1000):
                start = time.perf_counter()
                json.loads(json.dumps({"name": users[chance.randrange(number)].name, "items": list(range(40))}))
                times.append(time.perf_counter() - start)
                if _ % 20 == 0:
                    time.sleep(0.0002)
            times.sort()
            rows.append((begun, time.monotonic(), times[989]))

    threading.Thread(target=serve, daemon=True).start()
    time.sleep(1)
    say(1)
    while sys.stdin.readline():
        say(rows)
        rows.clear()


if __name__ == "__main__":
    globals()[sys.argv[1]](int(sys.argv[2]))
