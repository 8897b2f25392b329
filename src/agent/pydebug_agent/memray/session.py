"""What runs inside the target. Sent there as source: it stands alone, on Python 3.9 and later.

It connects to a socket of the agent's, loads memray from the agent's files, tracks until it is told to stop or the
socket ends, and goes. Its words are lines: "started", "stopped", "busy", "error" with what belongs to them.
"""

MARK = "pydebug.memray"
TICK = 0.002
USUAL_SECONDS = 0.05


def track(settings):
    """Track as ``settings`` say; never raises."""
    import _signal
    import _socket
    import sys

    try:
        # The application's signals are for its own threads.
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except (OSError, ValueError):
        return
    try:
        channel.settimeout(5.0)
        channel.connect(settings["control"])

        def say(*words):
            text = " ".join(str(word) for word in words).replace("\n", " ")
            channel.sendall(text.encode("utf-8", "replace")[:4000] + b"\n")

        if MARK in sys.modules:
            say("busy", "pydebug")
            return
        sys.modules[MARK] = type(sys)(MARK)
        try:
            watched(settings, channel, say)
        finally:
            sys.modules.pop(MARK, None)
    except OSError:
        pass
    except BaseException as error:
        try:
            say("error", type(error).__name__ + ":", error)
        except OSError:
            pass
    finally:
        channel.close()


def watched(settings, channel, say):
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
    box = [True, 0.0, time.perf_counter()]
    _thread.start_new_thread(tick, (box, time.perf_counter, time.sleep))
    try:
        time.sleep(USUAL_SECONDS)
        usual, box[1] = longest_of(box, time.perf_counter()), 0.0
        memray = load(settings)
        options = {
            "native_traces": settings["native"],
            "trace_python_allocators": settings["pythonAllocators"],
        }
        if settings["aggregate"]:
            options["file_format"] = memray.FileFormat.AGGREGATED_ALLOCATIONS
        destination = memray.FileDestination(path=settings["capture"], overwrite=True, compress_on_exit=False)
        tracker = memray.Tracker(destination=destination, **options)
        try:
            tracker.__enter__()
        except RuntimeError as error:
            if "active at the same time" in str(error):
                say("busy", "memray")
                return
            raise
        name_threads()
        longest = longest_of(box, time.perf_counter())
    finally:
        box[0] = False
    held(settings, channel, say, tracker, (memray.__version__, _thread.get_ident(), longest * 1e3, usual * 1e3))


def held(settings, channel, say, tracker, words):
    """Keep tracking until there is a reason to stop; the end of the interpreter is one."""
    import _thread
    import atexit
    import time

    lock = _thread.allocate_lock()

    def stop():
        if lock.acquire(False):
            tracker.__exit__(None, None, None)

    atexit.register(stop)
    try:
        say("started", *words)
        channel.settimeout(settings["longest"])
        # Any word, the end of the socket and the end of the time mean the same.
        channel.recv(16)
    except OSError:
        pass
    finally:
        begun = time.perf_counter()
        try:
            stop()
        finally:
            atexit.unregister(stop)
    channel.settimeout(5.0)
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
    """Return memray, loaded from the agent's files without a trace in sys.path."""
    import os
    import sys

    import_library(settings)
    known = sys.modules.get("memray")
    if known is not None:
        if known.pydebug_version != settings["version"]:
            raise RuntimeError("memray %s was loaded by an earlier report" % known.pydebug_version)
        admit(known.pydebug_threads)
        return known
    loaders = sys.modules["_frozen_importlib_external"]
    files = settings["files"]
    added = []
    replaced = {}

    def module(name, path, folder=None, kind=loaders.SourceFileLoader):
        loader = kind(name, path)
        machinery = sys.modules["_frozen_importlib"]
        spec = machinery.ModuleSpec(name, loader, origin=path, is_package=folder is not None)
        spec.has_location = True
        if folder is not None:
            spec.submodule_search_locations = [folder]
        made = machinery.module_from_spec(spec)
        sys.modules[name] = made
        added.append(name)
        return made, loader

    def part(name, package=False):
        path = files["memray/" + name.replace(".", "/") + ("/__init__.py" if package else ".py")]
        made, loader = module("memray." + name, path, os.path.dirname(path) if package else None)
        loader.exec_module(made)
        return made

    try:
        path = files["memray/__init__.py"]
        package, package_loader = module("memray", path, os.path.dirname(path))
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
        load_libraries(settings["libraries"])
        extension, loader = module(
            "memray._memray", files[settings["extension"]], kind=loaders.ExtensionFileLoader
        )
        loader.exec_module(extension)
        package._memray = extension
        package_loader.exec_module(package)
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


def load_libraries(libraries):
    """Load what the extension needs and the loader would not find, but for what is there already."""
    if not libraries:
        return
    import _imp
    import sys

    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        loaded = maps.read()
    for name, path in libraries:
        if "/" + name in loaded or "/memfd:pydebug-" + name in loaded:
            continue
        try:
            # A library that is no module is loaded all the same, and stays.
            _imp.create_dynamic(sys.modules["_frozen_importlib"].ModuleSpec("library", None, origin=path))
        except ImportError:
            pass


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
            with open(settings["bytecode"], "rb") as file:
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
