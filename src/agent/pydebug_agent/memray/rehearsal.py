"""What runs in a rehearsal: a process like the target, as idle.

Sent as source: it stands alone, on Python 3.9 and later.

First it compiles what memray imports of the standard library: in an image without bytecode that would hold the
target's GIL for longer than all the rest.
"""


def main(settings):
    """Hand the bytecode over, say so, and wait to be tracked."""
    import sys
    import time

    confine(settings["headroom"])
    try:
        code = compiled_library()
    except Exception as error:
        code = b""
        sys.stderr.write("bytecode: %s\n" % error)
    sys.stdout.buffer.write(b"ready %d\n" % len(code) + code)
    sys.stdout.flush()
    keep = []
    for _ in range(1200):
        keep.append(bytes(4096))
        time.sleep(0.05)


def confine(headroom):
    """Leave as little room under its own limits as the process has that it rehearses for."""
    import os

    try:
        import resource
    except ImportError:
        return
    with open("/proc/self/status", encoding="utf-8", errors="replace") as file:
        status = dict(line.split(":", 1) for line in file if ":" in line)
    used = {name: int(status[key].split()[0]) * 1024 for name, key in (("AS", "VmSize"), ("DATA", "VmData"))}
    used["NOFILE"] = len(os.listdir("/proc/self/fd"))
    for name, left in headroom.items():
        if name in used:
            kind = getattr(resource, "RLIMIT_" + name)
            hard = resource.getrlimit(kind)[1]
            wanted = used[name] + left
            if hard == resource.RLIM_INFINITY or wanted < hard:
                resource.setrlimit(kind, (wanted, hard))


def compiled_library():
    """Return the code of each module of the standard library that memray needs and that lies there as source."""
    import collections
    import enum
    import functools
    import marshal
    import sys
    import threading

    del collections, enum, functools, threading
    loaders = sys.modules["_frozen_importlib_external"]
    found = {}
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        # What this process itself was made with is not asked for.
        if name.startswith("ctypes") or spec is None or spec.name != name:
            continue
        if type(spec.loader) is loaders.SourceFileLoader:
            if spec.submodule_search_locations is None or name == "collections":
                found[name] = (spec.origin, marshal.dumps(spec.loader.get_code(name)))
    return marshal.dumps((loaders.MAGIC_NUMBER, found))
