"""What tracks inside the target. Sent there as source: it stands alone, on Python 3.9 and later.

It loads memray from files that the agent has opened for it, tracks until it is told to stop or the connection ends, and
goes. Its words are lines: "ready", "started", "stopped", "busy", "error" with what belongs to them. Nothing of what
greenlets replace is used: it would run on another thread, and that one would wait.
"""

MARK = "pydebug.memray"
TICK = 0.002
USUAL_SECONDS = 0.05
ANSWER_SECONDS = 5.0
LOAD_SECONDS = 30.0


def track(settings, channel, descriptors):
    """Track as ``settings`` say."""
    import sys

    def say(*words):
        text = " ".join(str(word) for word in words).replace("\n", " ")
        channel.settimeout(ANSWER_SECONDS)
        channel.sendall(text.encode("utf-8", "replace")[:4000] + b"\n")

    if MARK in sys.modules:
        say("busy", "pydebug")
        return
    sys.modules[MARK] = type(sys)(MARK)
    try:
        watched(settings, channel, descriptors, say)
    finally:
        sys.modules.pop(MARK, None)


def watched(settings, channel, descriptors, say):
    """Attach, wait, detach."""
    import _thread
    import sys
    import time

    known = sys.modules.get("memray")
    if known is not None and not getattr(known, "pydebug_version", None):
        say("busy", "memray")
        return
    if sys.getprofile() is not None or getattr(sys.modules.get("threading"), "_profile_hook", None) is not None:
        say("busy", "profile")
        return
    settings["paths"] = {}
    for name, descriptor in zip(settings["names"], descriptors):
        # Another report's may have the same number; the loader goes by the path.
        settings["paths"][name] = "/proc/self/task/%d/fd/%d" % (_thread.get_native_id(), descriptor)
    say("ready", _thread.get_native_id(), int(known is not None), *descriptors)
    # Meanwhile the agent lets this thread load the libraries, while it waits here without the interpreter's lock.
    channel.settimeout(LOAD_SECONDS)
    if channel.recv(16) != b"go\n":
        return
    box = [genuine(_thread.start_new_thread, _thread) and genuine(time.sleep, time), 0.0, time.perf_counter()]
    measured = usual = None
    if box[0]:
        _thread.start_new_thread(tick, (box, time.perf_counter, time.sleep))
    try:
        if box[0]:
            time.sleep(USUAL_SECONDS)
            usual, box[1] = longest_of(box, time.perf_counter()), 0.0
        memray = load(settings)
        options = {
            "native_traces": settings["native"],
            "trace_python_allocators": settings["pythonAllocators"],
        }
        if settings["aggregate"]:
            options["file_format"] = memray.FileFormat.AGGREGATED_ALLOCATIONS
        place = settings["paths"]["capture"]
        destination = memray.FileDestination(path=place, overwrite=True, compress_on_exit=False)
        tracker = memray.Tracker(destination=destination, **options)
        try:
            tracker.__enter__()
        except RuntimeError as error:
            if "active at the same time" in str(error):
                say("busy", "memray")
                return
            raise
        name_threads()
        if usual is not None:
            measured = longest_of(box, time.perf_counter())
    finally:
        box[0] = False
    times = [-1.0 if seconds is None else seconds * 1e3 for seconds in (measured, usual)]
    held(settings, channel, descriptors, say, tracker, (memray.__version__, _thread.get_ident(), *times))


def genuine(function, module):
    """Say whether a function of a module's is the interpreter's own."""
    return type(function) is type(len) and function.__self__ is module


def held(settings, channel, descriptors, say, tracker, words):
    """Keep tracking until there is a reason to stop; the end of the interpreter is one."""
    import atexit
    import posix
    import time

    trackers = [tracker]

    def stop():
        try:
            last = trackers.pop()
        except IndexError:
            return
        last.__exit__(None, None, None)

    atexit.register(stop)
    try:
        while descriptors:
            posix.close(descriptors.pop())
        say("started", *words)
        channel.settimeout(settings["longest"])
        # Any word, the end of the connection and the end of the time mean the same.
        channel.recv(16)
    except OSError:
        pass
    finally:
        begun = time.perf_counter()
        try:
            stop()
        finally:
            atexit.unregister(stop)
    say("stopped", (time.perf_counter() - begun) * 1e3)


def name_threads():
    """Let memray hear of the names of threads that are there already: it hears of what is set."""
    import _thread
    import sys

    for ident, thread in list(sys.modules["threading"]._active.items()):
        # Where nobody else had loaded the module, it takes our thread for the main one.
        if ident != _thread.get_ident() and isinstance(thread.__dict__.get("_name"), str):
            thread._name = thread.__dict__["_name"]


def tick(box, clock, sleep):
    """Note the longest time for which this thread could not run, and when it did last."""
    while box[0]:
        box[2] = clock()
        sleep(TICK)
        box[1] = max(box[1], clock() - box[2])


def longest_of(box, now):
    """Return the longest time for which the ticking thread could not run, up to now."""
    return max(box[1], now - box[2])


def load(settings):
    """Return memray, loaded from what the agent sent, without a trace in sys.path."""
    import sys

    import_library(settings)
    known = sys.modules.get("memray")
    if known is not None:
        if known.pydebug_version != settings["version"]:
            raise RuntimeError("memray %s was loaded by an earlier report" % known.pydebug_version)
        admit(known.pydebug_threads)
        return known
    loaders = sys.modules["_frozen_importlib_external"]
    machinery = sys.modules["_frozen_importlib"]
    added = []
    replaced = {}

    def module(name, origin, loader=None, package=False):
        spec = machinery.ModuleSpec(name, loader, origin=origin, is_package=package)
        made = machinery.module_from_spec(spec)
        sys.modules[name] = made
        added.append(name)
        return made

    def run(name, made):
        origin = "<memray>/" + name
        made.__file__ = origin
        exec(compile(settings["sources"]["memray/" + name], origin, "exec"), made.__dict__)

    def part(name, package=False):
        made = module("memray." + name, "pydebug", package=package)
        run(name.replace(".", "/") + ("/__init__.py" if package else ".py"), made)
        return made

    try:
        package = module("memray", "pydebug", package=True)
        package.pydebug_version = settings["version"]
        package.pydebug_threads = set()
        admit(package.pydebug_threads)
        for name in ("_version", "_metadata", "_stats", "_destination", "_thread_name_interceptor"):
            setattr(package, name, part(name))
        for name in ("_ipython", "reporters"):
            setattr(package, name, part(name, True))
        package.reporters.module_tools = part("reporters.module_tools")
        own = stand_ins(part("_stand_ins"), package.pydebug_threads)
        for name, other in own.items():
            replaced[name] = sys.modules.get(name)
            sys.modules[name] = other
        path = settings["paths"]["extension"]
        loader = loaders.ExtensionFileLoader("memray._memray", path)
        extension = module("memray._memray", path, loader)
        loader.exec_module(extension)
        package._memray = extension
        run("__init__.py", package)
    except BaseException:
        for name in added:
            sys.modules.pop(name, None)
        raise
    finally:
        for name, other in replaced.items():
            if other is not None:
                sys.modules[name] = other
            elif sys.modules.get(name) is own[name]:
                del sys.modules[name]
    # It would warn on the application's stderr.
    package.set_log_level(40)
    return package


def import_library(settings):
    """Import what memray needs of the standard library, from bytecode that a rehearsal made, where that fits."""
    import _thread
    import marshal
    import os
    import sys

    wanted = ("collections", "enum", "functools", "threading")
    loaders = sys.modules["_frozen_importlib_external"]
    own = _thread.get_ident()
    library = os.path.dirname(os.__file__)
    codes = {}
    if not all(name in sys.modules for name in wanted):
        try:
            with open(settings["paths"]["bytecode"], "rb") as file:
                magic, codes = marshal.loads(file.read())
            if magic != loaders.MAGIC_NUMBER:
                codes = {}
        except (OSError, ValueError, EOFError, TypeError):
            codes = {}

    class Compiled(loaders.SourceFileLoader):
        def get_code(self, name):
            return marshal.loads(codes[name][1])

    class Finder:
        @staticmethod
        def find_spec(name, _path=None, _target=None):
            # For this thread alone: the others import as always.
            if _thread.get_ident() != own or name not in codes:
                return None
            path = codes[name][0]
            if not path.startswith(library + "/") or not os.path.exists(path):
                return None
            folder = [os.path.dirname(path)] if path.endswith("__init__.py") else None
            found.append(name)
            return loaders.spec_from_file_location(
                name, path, loader=Compiled(name, path), submodule_search_locations=folder
            )

    found = []
    sys.meta_path.insert(0, Finder)
    try:
        for name in wanted:
            __import__(name)
    finally:
        sys.meta_path.remove(Finder)
        for name in found:
            module = sys.modules.get(name)
            if module is not None:
                module.__loader__ = module.__spec__.loader = loaders.SourceFileLoader(name, module.__file__)


def admit(threads):
    """Let the stand-ins know which thread they are for."""
    import _thread

    threads.clear()
    threads.add(_thread.get_ident())


def stand_ins(source, threads):
    """Return modules that are to every thread but ours the real ones."""
    import _thread
    import sys

    class Other(type(sys)):
        def __getattribute__(self, attribute):
            name = object.__getattribute__(self, "__dict__")["__name__"]
            if _thread.get_ident() in threads:
                return object.__getattribute__(self, attribute)
            # A thread that imports it in these milliseconds keeps this object: it answers for the real module.
            if sys.modules.get(name) is self:
                del sys.modules[name]
            return getattr(__import__(name, fromlist=["*"]), attribute)

    found = {}
    for name, content in list(source.ALWAYS.items()) + list(source.WHERE_MISSING.items()):
        if name in source.ALWAYS or name not in sys.modules:
            found[name] = Other(name)
            found[name].__dict__.update(content)
    return found
