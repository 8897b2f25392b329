"""What the names of files say of the Python in them."""

from __future__ import annotations

from typing import Optional, Tuple


def of_library(path: str) -> Optional[int]:
    """Return the x of a libpython3.x in a directory, None for any other file."""
    directory, _, name = path.rpartition("/")
    if not (directory or path.startswith("/")) or not name.startswith("libpython3."):
        return None
    minor, rest = _number(name[len("libpython3.") :])
    return minor if rest.lstrip(_LETTERS).startswith(".so") else None


def of_extension(path: str) -> Optional[int]:
    """Return the x of the 3.x that an extension module was built for, None for any other file."""
    _, mark, rest = path.rpartition("/")[2].rpartition(".cpython-3")
    minor, rest = _number(rest) if mark and path.endswith(".so") else (None, "")
    return minor if rest.lstrip(_LETTERS).startswith("-") else None


def of_executable(path: str) -> Optional[int]:
    """Return the x of a python3.x, 0 for a python that does not say, None for any other program."""
    name = path.rpartition("/")[2]
    for suffix in ("-dbg", "-debug"):
        if name.endswith(suffix):
            name = name[: -len(suffix)]
            break
    if not name.startswith("python"):
        return None
    rest = name[len("python") :]
    minor: Optional[int] = 0
    if rest.startswith("3"):
        rest = rest[1:]
        if rest.startswith("."):
            minor, rest = _number(rest[1:])
    return minor if len(rest) <= 2 and not rest.strip(_LETTERS) else None


def is_pypy(path: str) -> bool:
    """Say whether a program is called like PyPy: pypy, pypy3, pypy3.10, pypy3-c."""
    name = path.rpartition("/")[2]
    name = name[:-2] if name.endswith("-c") else name
    if not name.startswith("pypy"):
        return False
    rest = name[len("pypy") :]
    return rest in ("", "3") or rest.startswith("3.") and rest[2:].isdigit()


def is_pypy_library(path: str) -> bool:
    """Say whether a file in a directory is called like PyPy's library."""
    name = path.rpartition("/")[2]
    return name != path and name.startswith("libpypy3") and ".so" in name[len("libpypy3") :]


def is_old(path: str) -> bool:
    """Say whether a program or a library is called like Python 2's."""
    name = path.rpartition("/")[2]
    library = name != path and name.startswith("libpython2.7") and ".so" in name[len("libpython2.7") :]
    return library or name in ("python2", "python2.7")


_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def _number(text: str) -> Tuple[Optional[int], str]:
    """Return the number of one or two digits that a text begins with, None for none, and what is behind it."""
    size = 0
    while size < min(2, len(text)) and text[size] in "0123456789":
        size += 1
    return (int(text[:size]) if size else None), text[size:]
