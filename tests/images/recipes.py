"""What the test images hold: an interpreter, its standard library, the libraries both need, one program. No shell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Imported once in each suite: what applications and agent import is there as bytecode, as after an installation.
WARM = (
    "argparse, asyncio, bz2, collections, concurrent.futures, contextlib, ctypes, dataclasses, email.message, fcntl, "
    "hashlib, http.client, http.server, importlib.util, inspect, json, logging, lzma, multiprocessing, os, queue, "
    "random, selectors, shutil, signal, socket, socketserver, sqlite3, ssl, stat, struct, subprocess, tempfile, "
    "threading, time, traceback, types, typing, urllib.parse, urllib.request, uuid, zipfile, zlib"
)


@dataclass(frozen=True)
class Suite:
    """One Debian release, unpacked once; the images are picked from it."""

    name: str
    packages: List[str]
    pythons: List[str]


@dataclass(frozen=True)
class Image:
    """One root filesystem and the configuration it runs with."""

    name: str
    suite: str
    cmd: List[str]
    python: Optional[str] = None
    programs: List[str] = field(default_factory=list)
    trees: List[str] = field(default_factory=list)
    # destination in the image -> file below examples/badapp or tests/images
    files: Dict[str, str] = field(default_factory=dict)
    leave_out: List[str] = field(default_factory=list)
    user: str = ""
    workdir: str = "/"


def _python(version: str) -> List[str]:
    return [f"python{version}-minimal", f"libpython{version}-stdlib"]


SUITES: Dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            "trixie",
            _python("3.13")
            + ["catatonit", "coreutils", "dash", "gunicorn", "tar", "uwsgi-core", "uwsgi-plugin-python3"],
            ["3.13"],
        ),
        Suite("bookworm", _python("3.11"), ["3.11"]),
        Suite("bullseye", _python("3.9"), ["3.9"]),
        Suite("sid", _python("3.14") + _python("3.15") + ["python3-memray"], ["3.14", "3.15"]),
    )
}

APPLICATION: Dict[str, str] = {
    **{
        f"/srv/{name}": f"examples/badapp/{name}"
        for name in ("app.py", "async_app.py", "load.py", "troubles.py", "wsgi.py")
    },
    "/srv/frames.py": "tests/images/frames.py",
}
SERVE = ["python3", "/srv/app.py"]


def _plain(name: str, suite: str, version: str, cmd: List[str] = SERVE, **more: object) -> Image:
    files = {**APPLICATION, **more.pop("files", {})}
    return Image(name, suite, cmd, version, files=files, **more)


IMAGES: Dict[str, Image] = {
    image.name: image
    for image in (
        _plain("badapp", "trixie", "3.13"),
        _plain("py313", "trixie", "3.13"),
        _plain("py311", "bookworm", "3.11"),
        _plain("py39", "bullseye", "3.9"),
        _plain("py314", "sid", "3.14"),
        _plain("py315", "sid", "3.15"),
        _plain("async", "sid", "3.14", ["python3", "/srv/async_app.py"]),
        _plain("gunicorn", "trixie", "3.13",
               ["/usr/bin/gunicorn", "--workers", "2", "--bind", "127.0.0.1:8080", "--chdir", "/srv",
                "wsgi:application"],
               programs=["/usr/bin/gunicorn"],
               trees=["/usr/lib/python3/dist-packages"], workdir="/srv"),
        _plain("uwsgi", "trixie", "3.13",
               ["uwsgi", "--plugins-dir", "/usr/lib/uwsgi/plugins", "--plugin", "python313",
                "--http-socket", "127.0.0.1:8080", "--master", "--processes", "2", "--enable-threads", "--die-on-term",
                "--chdir", "/srv", "--wsgi-file", "/srv/wsgi.py"],
               programs=["/usr/bin/uwsgi-core:/usr/bin/uwsgi", "/usr/lib/uwsgi/plugins/python313_plugin.so"],
               workdir="/srv"),
        _plain("names", "trixie", "3.13", ["python3", "/srv/odd_names.py"],
               files={"/srv/odd_names.py": "tests/images/odd_names.py"}),
        # Python without _ctypes: the agent has to say so.
        _plain("noctypes", "trixie", "3.13", leave_out=["_ctypes."]),
        # The user is a name, which runAsNonRoot cannot check.
        _plain("username", "trixie", "3.13", user="app"),
        Image("nopython", "trixie", ["/usr/bin/catatonit", "-P"], programs=["/usr/bin/catatonit"]),
        _plain("tools", "trixie", "3.13", ["python3", "-c", "import signal; signal.pause()"],
               programs=[f"/usr/bin/{name}" for name in ("cat", "dash", "id", "ls", "sha256sum", "sleep", "tar")]
               + ["/usr/bin/dash:/usr/bin/sh"]),
    )
}
