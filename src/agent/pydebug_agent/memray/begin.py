"""What begins inside the target, on a thread of its own.

Sent there as source: it stands alone, on Python 3.9 and later. It connects to the agent, which sends over that
connection what is to run, and open files where a path would have to lead out of the target's own files. Where nobody
answers it goes, within seconds.
"""

SECONDS = 5.0
MOST_DESCRIPTORS = 64


def ask(address):
    """Start a thread that begins. Runs on a thread of the application's, and must neither wait nor change it."""
    import _thread

    start = _thread.start_new_thread
    if type(start) is type(len) and start.__self__ is _thread:
        start(begin, (address,))
    else:
        # Whoever replaced it runs what it is given on this very thread.
        tell(address, b"green\n")


def tell(address, words):
    """Say something, where that can be done at once."""
    import sys

    sockets = sys.modules.get("_socket")
    if sockets is None:
        return
    channel = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        channel.setblocking(False)
        channel.connect(address)
        channel.send(words, sockets.MSG_NOSIGNAL)
    except OSError:
        pass
    finally:
        channel.close()


def begin(address):
    """Do what the agent sends; never raises."""
    import _signal
    import _socket
    import posix

    try:
        # The application's signals are for its own threads.
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    except (OSError, ValueError):
        return
    descriptors = []
    try:
        channel.settimeout(SECONDS)
        channel.connect(address)
        channel.sendall(b"begin\n")
        source = received(channel, descriptors)
        space = {"__name__": "pydebug", "channel": channel, "descriptors": descriptors}
        exec(compile(source, "<pydebug>", "exec"), space)
    except BaseException as error:
        try:
            text = "error %s: %s\n" % (type(error).__name__, str(error).replace("\n", " ")[:2000])
            channel.send(text.encode("utf-8", "replace"))
        except OSError:
            pass
    finally:
        while descriptors:
            posix.close(descriptors.pop())
        channel.close()


def received(channel, descriptors):
    """Return the source that comes, and take over the files that come with it."""
    import _socket
    import sys

    space = _socket.CMSG_SPACE(4 * MOST_DESCRIPTORS)
    head, messages, flags, _ = channel.recvmsg(8, space, _socket.MSG_CMSG_CLOEXEC)
    for level, kind, data in messages:
        if (level, kind) == (_socket.SOL_SOCKET, _socket.SCM_RIGHTS):
            for place in range(0, len(data) - 3, 4):
                descriptors.append(int.from_bytes(data[place : place + 4], sys.byteorder))
    if flags & _socket.MSG_CTRUNC:
        raise OSError("the process may not open as many files")
    left = int.from_bytes(head, "big")
    parts = []
    while left > 0:
        part = channel.recv(min(left, 1 << 16))
        if not part:
            raise OSError("the agent is gone")
        parts.append(part)
        left -= len(part)
    return b"".join(parts).decode("utf-8")
