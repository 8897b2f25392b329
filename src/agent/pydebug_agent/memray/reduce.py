"""Makes a report of a capture with the payload's own reader. Sent as source to an interpreter of the payload's version.

Arguments: the settings as JSON. The report goes to stdout as JSON; a failure to stderr, with exit code 3.
"""

CUT = ("[cut]", "", 0)
OWN = "<pydebug>"


def main(settings):
    """Write the report."""
    import json
    import os
    import sys

    try:
        memray = load(settings)

        memray.set_log_level(40)
        report = reduce(settings, memray)
    except (OSError, RuntimeError, ValueError, AssertionError, NotImplementedError) as error:
        sys.stderr.write("%s: %s" % (type(error).__name__, error))
        sys.exit(3)
    text = json.dumps(report, separators=(",", ":"))
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    sys.stdout.flush()
    # Whatever could go wrong at the interpreter's end must not cost the report.
    os._exit(0)


def load(settings):
    """Return the payload's memray; what it would print with is not there."""
    import _imp
    import sys
    import types

    machinery = sys.modules["_frozen_importlib"]
    loaders = sys.modules["_frozen_importlib_external"]
    sources = settings["sources"]
    *libraries, extension = settings["libraries"]

    class Given:
        @staticmethod
        def create_module(_):
            return None

        @staticmethod
        def exec_module(made):
            name = made.__spec__.origin
            exec(compile(sources[name], "<memray>/" + name, "exec"), made.__dict__)

    class Finder:
        @staticmethod
        def find_spec(name, _path=None, _target=None):
            base = name.replace(".", "/")
            if name == "memray._memray":
                return loaders.spec_from_file_location(
                    name, extension, loader=loaders.ExtensionFileLoader(name, extension)
                )
            for end in ("/__init__.py", ".py"):
                if base + end in sources:
                    return machinery.ModuleSpec(name, Given, origin=base + end, is_package=end == "/__init__.py")
            return None

    for path in libraries:
        try:
            # A library that is no module is loaded all the same, and stays.
            _imp.create_dynamic(machinery.ModuleSpec("library", None, origin=path))
        except ImportError:
            pass
    stand_ins = {}
    exec(compile(sources["memray/_stand_ins.py"], "_stand_ins.py", "exec"), stand_ins)
    for name, content in stand_ins["ALWAYS"].items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(content)
    sys.meta_path.insert(0, Finder)
    import memray

    return memray


def reduce(settings, memray):
    """Return the report."""
    path = settings["capture"]
    reader = memray.FileReader(path)
    metadata = reader.metadata
    aggregated = metadata.file_format == memray.FileFormat.AGGREGATED_ALLOCATIONS
    begun = metadata.start_time.timestamp()
    snapshots = list(reader.get_memory_snapshots())
    frames = Frames(settings["depth"])
    lists, omitted, sums = {}, {}, {}
    ways = (
        ("leaked", reader.get_leaked_allocation_records),
        ("peak", reader.get_high_watermark_allocation_records),
    )
    for name, records in ways:
        lists[name], omitted[name], sums[name] = group(records, settings, metadata, frames, memray)
    highest = max(snapshots, key=lambda entry: entry.heap, default=None)
    statistics = None if aggregated else memray._memray.compute_statistics(path)
    return {
        "metadata": {
            "begun": begun,
            "ended": metadata.end_time.timestamp(),
            "allocations": metadata.total_allocations,
            "frames": metadata.total_frames,
            "peak": metadata.peak_memory,
            "pid": metadata.pid,
            "native": metadata.has_native_traces,
            "pythonAllocator": metadata.python_allocator,
            "tracePythonAllocators": metadata.trace_python_allocators,
            "format": "aggregated" if aggregated else "all",
        },
        "totals": {
            "allocations": statistics.total_num_allocations if statistics else metadata.total_allocations,
            "allocated": statistics.total_memory_allocated if statistics else None,
            "leaked": sums["leaked"][0],
            "leakedCount": sums["leaked"][1],
            "peak": metadata.peak_memory,
            "peakAt": round(highest.time / 1000 - begun, 3) if highest else None,
        },
        "allocators": statistics.allocation_count_by_allocator if statistics else None,
        "sizes": sizes(statistics.allocation_count_by_size) if statistics else None,
        "timeline": timeline(snapshots, begun, settings["points"]),
        "frames": frames.table,
        "leaked": lists["leaked"],
        "peak": lists["peak"],
        "omitted": omitted,
    }


class Frames:
    """The table of frames."""

    def __init__(self, depth):
        self.table = []
        self.places = {}
        self.depth = depth

    def indices(self, stack):
        """Return a stack, innermost first, by the places of its frames in the table."""
        cut = len(stack) > self.depth
        found = [self.place(frame) for frame in stack[: self.depth]]
        return found + [self.place(CUT)] if cut else found

    def place(self, frame):
        """Return a frame's place in the table."""
        key = tuple(frame)
        if key not in self.places:
            self.places[key] = len(self.table)
            self.table.append([str(key[0]), str(key[1]), int(key[2])])
        return self.places[key]


def group(records, settings, metadata, frames, memray):
    """Return the largest stacks of one kind, what was left out, and the sums of bytes and allocations."""
    import heapq

    found = {}
    total = [0, 0]
    for record in records(merge_threads=False):
        python = record.stack_trace()
        # What the tracker's own thread allocates is not the application's; memray leaves out where it began.
        if any(frame[1] == OWN for frame in python) or (not python and record.tid == metadata.main_thread_id):
            continue
        total[0] += record.size
        total[1] += record.n_allocations
        stack = record.hybrid_stack_trace() if metadata.has_native_traces else python
        key = (record.allocator, record.tid, tuple(stack))
        entry = found.setdefault(key, [0, 0, record.thread_name])
        entry[0] += record.size
        entry[1] += record.n_allocations
    best = heapq.nlargest(settings["stacks"], found.items(), key=lambda item: item[1][0])
    listed = [
        {
            "size": size,
            "count": count,
            "allocator": memray.AllocatorType(allocator).name,
            "tid": tid,
            "thread": name(thread),
            "frames": frames.indices(stack),
        }
        for (allocator, tid, stack), (size, count, thread) in best
    ]
    left = {
        "stacks": len(found) - len(listed),
        "size": total[0] - sum(entry["size"] for entry in listed),
        "count": total[1] - sum(entry["count"] for entry in listed),
    }
    return listed, left, total


def name(text):
    """Return a thread's name: memray writes the id, then the name in brackets; the id alone where it has none."""
    if text.startswith("0x") and text.endswith(")") and " (" in text:
        return text[text.index(" (") + 2 : -1]
    return "" if text.startswith("0x") else text


def sizes(counts):
    """Return memray's histogram of sizes: ten classes, equal on a scale of logarithms."""
    import math

    largest = max(counts, default=0)
    classes = 10
    step = math.log(largest) / classes if largest > 1 else 0
    edges = [int(math.exp(step * (index + 1))) for index in range(classes)] if step else [largest]
    edges[-1] = largest
    result = []
    low = 0
    for high in edges:
        number = sum(count for size, count in counts.items() if low <= size <= high)
        result.append([low, high, number])
        low = high + 1
    return result


def timeline(snapshots, begun, points):
    """Return what memory was used over time; the highest point of each part stays."""
    step = max(1, -(-len(snapshots) // points))
    chosen = [
        max(snapshots[start : start + step], key=lambda entry: entry.heap) for start in range(0, len(snapshots), step)
    ]
    return [[round(entry.time / 1000 - begun, 3), entry.rss, entry.heap] for entry in chosen]
