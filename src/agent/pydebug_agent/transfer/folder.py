"""The regular files below a folder, in an order that is the same each time, and what is beside them."""

from __future__ import annotations

import os
import stat
from typing import Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_DEEPEST = 100


class Entry(NamedTuple):
    """A file: its path below the folder and its folder's descriptor; ``why`` it is left out, None where it is not."""

    path: str
    directory: int
    name: str
    why: Optional[str]


def walk(descriptor: int, views: Set[int], exclude: Sequence[str]) -> Iterator[Entry]:
    """Yield the entries below an open folder, depth first, by name. No link is followed."""
    yield from _below(descriptor, (), views, [pattern.casefold() for pattern in exclude])


def key(path: str) -> Tuple[str, ...]:
    """Return what the order of the entries is by."""
    return tuple(path.split("/"))


def _below(directory: int, above: Tuple[str, ...], views: Set[int], exclude: Sequence[str]) -> Iterator[Entry]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        yield Entry("/".join(above), directory, "", "denied")
        return
    for name in names:
        if any(matches(name.casefold(), pattern) for pattern in exclude):
            continue
        parts = (*above, name)
        path = "/".join(parts)
        try:
            name.encode("utf-8")
            mode = os.stat(name.encode(), dir_fd=directory, follow_symlinks=False)
        except UnicodeEncodeError:
            yield Entry(path.encode("utf-8", "backslashreplace").decode("utf-8"), directory, name, "name")
            continue
        except FileNotFoundError:
            continue
        except OSError:
            yield Entry(path, directory, name, "denied")
            continue
        if stat.S_ISDIR(mode.st_mode):
            yield from _inside(directory, name, parts, views, exclude)
        else:
            yield Entry(path, directory, name, _why_not(mode, views))


def _inside(
    directory: int, name: str, parts: Tuple[str, ...], views: Set[int], exclude: Sequence[str]
) -> Iterator[Entry]:
    path = "/".join(parts)
    if len(parts) > _DEEPEST:
        yield Entry(path, directory, name, "depth")
        return
    try:
        inner = os.open(name.encode(), _FOLDER, dir_fd=directory)
    except OSError:
        yield Entry(path, directory, name, "denied")
        return
    try:
        if os.fstat(inner).st_dev in views:
            yield Entry(path, directory, name, "kernel")
        else:
            yield from _below(inner, parts, views, exclude)
    finally:
        os.close(inner)


def _why_not(status: os.stat_result, views: Set[int]) -> Optional[str]:
    if stat.S_ISLNK(status.st_mode):
        return "link"
    if not stat.S_ISREG(status.st_mode):
        return "device"
    return "kernel" if status.st_dev in views else None


def matches(name: str, pattern: str) -> bool:
    """Say whether a name is one that a pattern of PowerShell (*, ?, [a-z]) stands for; both in the same case."""
    tokens = _tokens(pattern)
    # The places that may be reached after each letter: no pattern takes more than its length times the name's.
    reached = _closure({0}, tokens)
    for letter in name:
        following = set()
        for place in reached:
            if place < len(tokens):
                if tokens[place] == "*":
                    following.add(place)
                elif _takes(tokens[place], letter):
                    following.add(place + 1)
        reached = _closure(following, tokens)
    return len(tokens) in reached


def _closure(places: Set[int], tokens: Sequence[str]) -> Set[int]:
    whole = set(places)
    for place in sorted(places):
        while place < len(tokens) and tokens[place] == "*":
            place += 1
            whole.add(place)
    return whole


def _tokens(pattern: str) -> List[str]:
    found: List[str] = []
    place = 0
    while place < len(pattern):
        letter = pattern[place]
        end = pattern.find("]", place + 2) if letter == "[" else -1
        if letter == "`" and place + 1 < len(pattern):
            found.append("`" + pattern[place + 1])
            place += 2
        elif end > 0:
            found.append(pattern[place : end + 1])
            place = end + 1
        else:
            found.append(letter)
            place += 1
    return found


def _takes(token: str, letter: str) -> bool:
    if token[0] == "`" and len(token) == 2:
        return token[1] == letter
    if token[0] != "[" or len(token) == 1:
        return token in ("?", letter)
    inner = token[1:-1]
    place = 0
    while place < len(inner):
        if inner[place + 1 : place + 2] == "-" and place + 2 < len(inner):
            if inner[place] <= letter <= inner[place + 2]:
                return True
            place += 3
        else:
            if inner[place] == letter:
                return True
            place += 1
    return False
