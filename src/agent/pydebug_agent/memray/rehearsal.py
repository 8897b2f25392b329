"""What runs in a rehearsal: a process like the target, as idle.

Sent as source: it stands alone, on Python 3.9 and later.

First it compiles what memray imports of the standard library: in an image without bytecode that would hold the
target's GIL for longer than all the rest.
"""


def main(settings):
    """Hand the bytecode over, say so, and wait to be tracked."""
    import sys
    import time

    try:
        compile_library(settings["bytecode"])
    except Exception as error:
        sys.stderr.write("bytecode: %s\n" % error)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    keep = []
    for _ in range(1200):
        keep.append(bytes(4096))
        time.sleep(0.05)


def compile_library(path):
    """Write the code of each module of the standard library that memray needs and that lies there as source."""
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
        if spec is not None and type(spec.loader) is loaders.SourceFileLoader and spec.name == name:
            if spec.submodule_search_locations is None or name == "collections":
                found[name] = (spec.origin, marshal.dumps(spec.loader.get_code(name)))
    with open(path, "wb") as file:
        file.write(marshal.dumps((loaders.MAGIC_NUMBER, found)))
