"""pydebug-keeper: holds the debug container open. It ends an hour after its last use, after twelve hours at most."""

import os
import signal
import sys
import time

IDLE = 3600.0
MOST = 43200.0
STALE = 3600.0
USED = signal.SIGUSR1
END = signal.SIGTERM


def created() -> float:
    """Return when the client asked for this container, in seconds since 1970; 0 if it does not say."""
    digits = os.environ.get("PYDEBUG_SESSION", "").partition('"created":')[2].lstrip()
    number = ""
    for digit in digits:
        if digit not in "0123456789.":
            break
        number += digit
    return float(number or 0)


def main() -> None:
    """Sleep until the time is over or somebody says so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # As PID 1 of a container of its own it would inherit orphans: the kernel buries them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {USED, END})
    try:
        # Memory that runs out under the pod's limit must cost this process, not the application.
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass
    asked = created()
    if asked and time.time() - asked > STALE:
        sys.exit("pydebug-keeper: this is a restart, nothing to hold open")
    start = used = time.monotonic()
    while True:
        left = min(used + IDLE, start + MOST) - time.monotonic()
        if left <= 0:
            return
        got = signal.sigtimedwait({USED, END}, left)
        if got is not None and got.si_signo == END:
            return
        if got is not None:
            used = time.monotonic()


main()
