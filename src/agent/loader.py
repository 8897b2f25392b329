"""Serves the agent's modules from what the client sent, and from what an agent before this one compiled and kept.

The boot program runs it before anything else. What a module came as is let go when it has been loaded: all of it counts
against the application's memory limit.
"""

import _frozen_importlib
import _frozen_importlib_external
import _signal
import marshal
import posix
import sys

# What was sent, by the modules' names. Those of programs that run elsewhere are never imported here, and stay.
m: dict = {}
_packages = set()
# Those of them that are code already.
_coded = set()
# Names and code of what was compiled here.
compiled = []
MAGIC = _frozen_importlib_external.MAGIC_NUMBER.hex()
_LACKING = b'{"missing":true}'


def hasher():
    """Return the interpreter's own SHA-256, None where it has none."""
    for name in ("_sha2", "_sha256"):
        try:
            return __import__(name).sha256
        except ImportError:
            pass


class Sent:
    """Finds and loads what was sent."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """Return the spec of a module that was sent. For ``typing`` stands one that costs nothing."""
        source = "pydebug_agent.typing" if name == "typing" else name
        if source not in m:
            return None
        return _frozen_importlib.ModuleSpec(name, Sent, origin=source, is_package=name in _packages)

    @staticmethod
    def create_module(spec):
        """Leave it to the interpreter."""

    @staticmethod
    def exec_module(module):
        """Run a module."""
        name = module.__spec__.origin
        if name in _coded:
            code = marshal.loads(m.pop(name))
        else:
            code = compile(m.pop(name), name, "exec", dont_inherit=True, optimize=2)
            compiled.append((name, code))
        exec(code, module.__dict__)


def take(block, coded=False):
    """Note the modules of one block: for each a line with its name and its length, then its source, or its code."""
    place = 0
    while place < len(block):
        end = block.index(b"\n", place)
        name, size = block[place:end].decode().split()
        place = end + 1 + int(size)
        m[name] = block[end + 1 : place]
        _packages.add(name.rpartition(".")[0])
        if coded:
            _coded.add(name)


def recall(line):
    """Take what was kept; say whether it was there, for this interpreter, and byte for byte what the client knows of.

    An application of this very user may be able to write there. What it wrote is read, and never run.
    """
    size, digest, magic, path = line.split(" ", 3)
    find = hasher()
    if magic != MAGIC or find is None:
        return False
    try:
        file = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC)
    except OSError:
        return False
    try:
        # One byte more, to see that it is not longer; what is no file is never so long.
        left, parts = int(size) + 1, []
        while left > 0:
            part = posix.read(file, left)
            if not part:
                break
            parts.append(part)
            left -= len(part)
    except OSError:
        return False
    finally:
        posix.close(file)
    content = b"".join(parts)
    if left != 1 or find(content).hexdigest() != digest:
        return False
    take(content, True)
    return True


def lack():
    """Tell the client that what was kept is not there; it starts anew and sends it all."""
    _signal.alarm(30)
    posix.write(1, len(_LACKING).to_bytes(4, "big") + b"M" + _LACKING)
    # An end would come before what was written last.
    while posix.read(0, 65536):
        pass
    posix._exit(1)


def load(block, path, main):
    """Load what looks at the memory that is left and, where that will do, the rest of the agent."""
    path.insert(0, Sent)
    # What the standard library puts before its own C code costs megabytes where an image comes without bytecode.
    sys.modules["signal"] = _signal
    sys.modules["__future__"] = type(sys)("__future__")
    sys.modules["__future__"].annotations = None
    header = block()
    for line in header.decode().splitlines():
        if line.startswith("code ") and not recall(line[5:]):
            lack()
    take(block())
    from pydebug_agent import entry

    entry.enter(header)
    take(block())
    __import__(main)
    sys.modules[main].main()
