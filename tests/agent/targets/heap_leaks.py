"""Keeps objects in many ways, a class for each: NUMBER of each at once, then RATE more a second.

The first line is each class's way as a pattern. A line on stdin is answered by what was kept when: rows of a time of
the monotonic clock and the counts.
"""

import asyncio
import collections
import contextvars
import functools
import gc
import itertools
import json
import logging
import queue
import sys
import threading
import time
import types
import weakref

NUMBER, RATE = int(sys.argv[1]), float(sys.argv[2])
WAYS = {}
PATTERNS = {}
COUNTS = {}


def way(pattern):
    """Register a way of keeping, with the pattern of how it is told."""

    def register(function):
        name = "".join(part.title() for part in function.__name__.split("_"))

        class Kept:
            def __init__(self, number):
                self.number = number
                self.text = "x%d" % number

        Kept.__name__ = Kept.__qualname__ = name
        WAYS[name] = (Kept, function)
        PATTERNS[name] = pattern
        COUNTS[name] = 0
        return function

    return register


class Holder:
    __slots__ = ("held",)

    def __init__(self, held):
        self.held = held


class Service:
    registry = []

    def __init__(self):
        self.items = []
        self.by_number = {}
        self.nested = {"first": {"second": []}}

    def go(self):
        """A method that is bound."""


service = Service()
CACHE, items, a_deque, a_set, closures, errors, slots = {}, [], collections.deque(), set(), [], [], []
ordered, defaults, partials, methods, cycles, proxies = collections.OrderedDict(), None, [], [], [], []
by_default, a_queue, chains, generators = collections.defaultdict(list), queue.Queue(), [], []
weak = weakref.WeakValueDictionary()
context = contextvars.ContextVar("context")
context.set([])
local = threading.local()
log = logging.getLogger("shop.orders")
log.propagate = False
inboxes = {"thread": queue.Queue(), "frame": queue.Queue()}
chain = ()


class Records(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


log.addHandler(Records())


@way(r"module __main__\.CACHE -> dict\[\*\] -> list\[\*\]$")
def in_dict(new, number):
    CACHE["key-%d" % number] = [new]


@way(r"module __main__\.items -> list\[\*\]$")
def in_list(new, number):
    items.append(new)


@functools.lru_cache(None)
def cached(number):
    return cached.new


@way(r"module __main__\.cached -> ")
def in_lru_cache(new, number):
    cached.new = new
    cached(number)
    del cached.new


@way(r"module __main__\.closures -> list\[\*\] -> function\.__closure__ -> tuple\[0\] -> cell\.cell_contents$")
def in_closure(new, number):
    closures.append((lambda held: lambda: held)(new))


def fail(number, big):
    raise ValueError(number)


@way(r"module __main__\.errors -> list\[\*\] -> ValueError\.__traceback__ .*local big of fail")
def in_traceback(new, number):
    try:
        fail(number, new)
    except ValueError as error:
        # The frame of this very function holds it as well.
        new = None
        errors.append(error)


@way(r"task never -> |asyncio")
def in_task(new, number):
    loop.call_soon_threadsafe(lambda: tasks.append(loop.create_task(never(new))))


@way(r"local\b.*items|module __main__\.local|thread_keeper")
def in_thread_local(new, number):
    inboxes["thread"].put(new)


@way(r"module __main__\.log -> Logger\.handlers -> list\[\*\] -> Records\.records -> list\[\*\] -> LogRecord\.args")
def in_log_record(new, number):
    log.warning("order %s", new)


@way(r"module __main__\.service -> Service\.items -> list\[\*\]$")
def in_attribute(new, number):
    service.items.append(new)


@way(r"class __main__\.Service\.registry -> list\[\*\]$")
def in_class_attribute(new, number):
    Service.registry.append(new)


@way(r"module __main__\.a_deque -> deque\[\*\]$")
def in_deque(new, number):
    a_deque.append(new)


@way(r"module __main__\.a_set -> set\{\*\}$")
def in_set(new, number):
    a_set.add(new)


@way(r"module __main__\.(chain|chains) ")
def in_tuple_chain(new, number):
    global chain
    chain = (new, chain) if number % 50 else (new, ())
    if number % 50 == 49:
        chains.append(chain)


def with_default(held=[]):  # that is the way
    return held


@way(r"module __main__\.with_default -> function\.__defaults__ -> tuple\[0\] -> list\[\*\]$")
def in_default_argument(new, number):
    with_default().append(new)


@way(r"frame_keeper \([^)]*\) local mine -> list\[\*\]$")
def in_frame(new, number):
    inboxes["frame"].put(new)


def generate(held):
    yield 1
    yield held


@way(r"module __main__\.generators -> list\[\*\] -> generator generate.*local held")
def in_generator(new, number):
    generator = generate(new)
    next(generator)
    generators.append(generator)


@way(r"module __main__\.ordered -> OrderedDict\[\*\]$")
def in_ordered_dict(new, number):
    ordered[number] = new


@way(r"module __main__\.service -> Service\.by_number -> dict\[\*\]$")
def in_weak_value_too(new, number):
    weak[number] = new
    service.by_number[number] = new


@way(r"module __main__\.methods -> list\[\*\] -> method\.__self__ -> Service\.held$")
def in_bound_method(new, number):
    owner = Service()
    owner.held = new
    methods.append(owner.go)


@way(r"module __main__\.partials -> list\[\*\] -> partial\.args -> tuple\[0\]$")
def in_partial(new, number):
    partials.append(functools.partial(print, new))


@way(r"module __main__\.a_queue -> Queue\.queue -> deque\[\*\]$")
def in_queue(new, number):
    a_queue.put(new)


@way(r"^objects that hold each other")
def in_cycle(new, number):
    new.itself = new


@way(r"module __main__\.iterators -> list\[\*\] -> chain")
def in_c_iterator(new, number):
    iterators.append(itertools.chain([new], ()))


iterators = []


@way(r"task waits -> |Future|callback|asyncio")
def in_callback(new, number):
    loop.call_soon_threadsafe(lambda: future[0].add_done_callback(functools.partial(print, new)))


@way(r"module __main__\.context -> ContextVar|Context|context")
def in_context(new, number):
    context.get().append(new)


@way(r"module __main__\.by_default -> defaultdict\[\*\] -> list\[\*\]$")
def in_defaultdict(new, number):
    by_default[number % 50].append(new)


@way(r"module __main__\.proxies -> list\[\*\] -> mappingproxy -> dict\[\*\]$")
def in_mappingproxy(new, number):
    proxies.append(types.MappingProxyType({"held": new}))


@way(r"module __main__\.service -> Service\.nested -> dict\[\*\] -> dict\[\*\] -> list\[\*\]$")
def in_nested(new, number):
    service.nested["first"]["second"].append(new)


@way(r"module __main__\.slots -> list\[\*\] -> Holder\.held$")
def in_slot(new, number):
    slots.append(Holder(new))


@way(r"module __main__\.in_function_attribute\.kept -> list\[\*\]$|module __main__\.in_function_attribute")
def in_function_attribute(new, number):
    in_function_attribute.kept.append(new)


in_function_attribute.kept = []


async def never(held):
    await asyncio.sleep(100000)
    return held


async def waits(what):
    await what


def thread_keeper():
    local.items = []
    while True:
        local.items.append(inboxes["thread"].get())


def frame_keeper():
    mine = []
    while True:
        mine.append(inboxes["frame"].get())


tasks, future = [], []
loop = asyncio.new_event_loop()


async def prepare():
    future.append(loop.create_future())
    tasks.append(loop.create_task(waits(future[0])))


for each in (thread_keeper, frame_keeper, loop.run_forever):
    threading.Thread(target=each, name=each.__name__, daemon=True).start()
asyncio.run_coroutine_threadsafe(prepare(), loop).result()


def keep(name):
    kept, function = WAYS[name]
    number = COUNTS[name]
    COUNTS[name] = number + 1
    function(kept(number), number)


gc.disable()
for each in range(NUMBER):
    for one in WAYS:
        keep(one)
rows = []


def grow():
    begun = time.monotonic()
    kept = 0
    while True:
        for one in WAYS:
            keep(one)
        kept += 1
        rows.append([time.monotonic(), kept + NUMBER])
        time.sleep(max(0.0, begun + kept / RATE - time.monotonic()))


if RATE:
    # What the context holds is held by that of the thread, too.
    threading.Thread(target=contextvars.copy_context().run, args=(grow,), name="grow", daemon=True).start()
time.sleep(0.2)
print(json.dumps(PATTERNS), flush=True)
while sys.stdin.readline():
    print(json.dumps(rows), flush=True)
