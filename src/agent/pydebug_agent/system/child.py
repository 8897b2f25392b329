"""What a child of the agent's does before what it is for. Sent as source: it stands alone, on Python 3.8 and later.

It reads what it is to be from stdin, gives up all else, and runs a program, or source in its own interpreter.
"""

PDEATHSIG, DUMPABLE, BOUNDING_DROP, NO_NEW_PRIVILEGES = 1, 4, 24, 38
SIGKILL = 9
LAST_CAPABILITY = 63
CAPABILITIES_3 = 0x20080522
FAILED = 126


def main(_):
    """Become what stdin says; never returns."""
    import marshal
    import os

    data = b""
    while True:
        part = os.read(0, 1 << 16)
        if not part:
            break
        data += part
    told = marshal.loads(data)
    try:
        become(told)
        if "path" in told:
            os.execve(told["path"], told["arguments"], told["environment"])
        space = {"__name__": "pydebug"}
    except OSError as error:
        if "says" in told:
            os.write(told["says"], b"%d" % (error.errno or 0))
        else:
            os.write(2, b"%s\n" % str(error).encode("utf-8", "replace"))
        os._exit(FAILED)
    exec(compile(told["source"], "<pydebug>", "exec"), space)


def become(told):
    """Give up all that it is not to have."""
    import os
    import resource
    import signal

    empty(os)
    os.setsid()
    os.chdir("/")
    # What Python ignores, it would ignore for those it runs, too.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    libc, ctypes = library("credentials" in told)
    call(libc, PDEATHSIG, SIGKILL)
    # What libraries hold open, such as files of their own, is not for those that come to see this process.
    for number in [int(name) for name in os.listdir("/proc/self/fd")]:
        if number > 2 and number not in told["keep"]:
            try:
                os.close(number)
            except OSError:
                pass
    if "says" in told:
        os.set_inheritable(told["says"], False)
    if told.get("hidden"):
        # Before it is the other user's: from then on whoever is that user could read it.
        call(libc, DUMPABLE, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, soft, hard in told["limits"]:
        limit(resource, kind, soft, hard)
    if "credentials" in told:
        lose_rights(told, os, libc, ctypes)
        # A change of user takes it back.
        call(libc, PDEATHSIG, SIGKILL)
    if os.getppid() != told["parent"]:
        os._exit(FAILED)


def library(needed):
    """Return the C library, None where this Python cannot call it and that can be done without."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True), ctypes
    except (ImportError, OSError) as error:
        if needed:
            raise OSError(str(error))
        return None, None


def call(libc, what, value):
    """Set something of this process."""
    if libc is not None:
        libc.prctl(what, value, 0, 0, 0)


def lose_rights(told, os, libc, ctypes):
    """Be a user, in a root."""
    import struct

    may_change, user, group, groups = told["credentials"]
    if told["root"] is not None:
        os.chroot(told["root"])
        os.chdir("/")
        # Nothing of ours is to be seen through it, not even this.
        empty(os)
    if may_change:
        for capability in range(LAST_CAPABILITY):
            libc.prctl(BOUNDING_DROP, capability, 0, 0, 0)
        try:
            os.setgroups(groups)
        except OSError:
            os.setgroups([])
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    header = ctypes.create_string_buffer(struct.pack("<Ii", CAPABILITIES_3, 0), 8)
    if libc.capset(header, ctypes.create_string_buffer(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def empty(os):
    """Have nothing to read."""
    try:
        nothing = os.open("/dev/null", os.O_RDONLY)
    except OSError:
        nothing, other = os.pipe()
        os.close(other)
    os.dup2(nothing, 0)
    os.close(nothing)


def limit(resource, kind, soft, hard):
    """Set a limit, or the nearest to it that may be set."""
    own = resource.getrlimit(kind)[1]
    if own != resource.RLIM_INFINITY:
        hard = own if hard == resource.RLIM_INFINITY else min(hard, own)
        soft = hard if soft == resource.RLIM_INFINITY else min(soft, hard)
    try:
        resource.setrlimit(kind, (soft, hard))
    except (OSError, ValueError):
        pass
