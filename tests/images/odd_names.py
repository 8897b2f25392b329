"""Functions, files, threads and a command line whose names are awkward on purpose."""

from __future__ import annotations

import sys
import threading
import time
from typing import Callable, List, Tuple

Spin = Callable[[float], None]

NAMES: List[Tuple[str, str]] = [
    ("render; part 2", "/srv/svc;blue/views.py"),
    ("count 12", "/srv/app dir/a.py"),
    ('say "hi"\\path', "/srv/app/a.py"),
    ("обработать", "/srv/модуль 7.py"),
    ("line\nbreak", "/srv/line\nbreak.py"),
    ("red \x1b[31malert\x1b[0m", "/srv/\x1b]0;title\x07.py"),
    ("user\u202etxt.exe", "/srv/\u202ertl.py"),
    ("<lambda>", "<string>"),
]


def made(name: str, file: str) -> Callable[[Spin], None]:
    """A function with any name at all, from a file with any name at all."""
    scope: dict = {}
    exec(compile("def f(spin):\n    spin(0.05)\n", file, "exec"), scope)
    names = {"co_name": name, "co_qualname": name} if sys.version_info >= (3, 11) else {"co_name": name}
    scope["f"].__code__ = scope["f"].__code__.replace(**names)
    return scope["f"]


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def wait(_seconds: float) -> None:
    threading.Event().wait()


def main() -> None:
    functions = [made(name, file) for name, file in NAMES]
    for number, function in enumerate(functions):
        threading.Thread(target=function, args=(wait,), name=f"odd;\x1b[1m{number}", daemon=True).start()
    while True:
        for function in functions:
            function(spin)
            time.sleep(0.05)


if __name__ == "__main__":
    main()
