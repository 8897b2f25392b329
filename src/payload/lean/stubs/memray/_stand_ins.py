"""The little that memray's extension asks of modules whose import would hold the GIL for longer than all the rest.

A module that the process has loaded is used as it is.
"""

import os


class Silent:
    def __init__(self, *_, **__):
        pass

    def __getattr__(self, _):
        return lambda *_, **__: None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


class Suppress:
    def __init__(self, *errors):
        self._errors = errors

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        return kind is not None and issubclass(kind, self._errors)


class Path:
    def __init__(self, path):
        self._path = os.fspath(path)

    def __fspath__(self):
        return self._path

    def exists(self):
        return os.path.exists(self._path)

    def samefile(self, other):
        return os.path.samefile(self._path, other)


class DateTime:
    pass


def system():
    return os.uname().sysname


# Never the process's own: memray prints and draws with these.
ALWAYS = {
    "rich": {"print": print, "__path__": []},
    "rich.progress": dict.fromkeys(
        (
            "BarColumn",
            "Progress",
            "SpinnerColumn",
            "TaskProgressColumn",
            "TextColumn",
            "TimeElapsedColumn",
            "TimeRemainingColumn",
        ),
        Silent,
    ),
}
WHERE_MISSING = {
    "contextlib": {"suppress": Suppress},
    "datetime": {"datetime": DateTime},
    "pathlib": {"Path": Path},
    "platform": {"system": system},
}
