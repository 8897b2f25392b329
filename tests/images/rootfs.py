"""Unpacks a Debian release, and picks from it what an image needs: nothing that is not run or loaded."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Dict, Iterator, List, Set

from recipes import Image, Suite

FOLDERS = {"dev": 0o755, "etc": 0o755, "proc": 0o555, "run": 0o755, "srv": 0o755, "sys": 0o555, "tmp": 0o1777,
           "root": 0o700, "usr/bin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "usr/sbin": 0o755, "var/tmp": 0o1777}
MERGED = {"bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin"}
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
LEFT_OUT = ("config-", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tests", "tkinter", "turtle")


def mirror() -> str:
    """The address of Debian's archive in this machine's apt sources."""
    parts = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]
    for part in parts:
        if part.suffix not in (".list", ".sources") or not part.is_file():
            continue
        text = part.read_text(errors="replace")
        for line in text.splitlines():
            found = re.match(r"URIs:\s*(\S+)", line) or re.match(
                r"deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+\S+\s.*\bmain\b", line)
            if found and re.search(r"/debian/?$", found.group(1)):
                return found.group(1)
    raise SystemExit("no Debian archive in /etc/apt/sources.list or /etc/apt/sources.list.d")


def unpack(suite: Suite, root: Path, warm: str) -> None:
    """Unpacks the packages and what they depend on; no maintainer script runs."""
    links = "".join(f'mkdir -p "$1/{to}"; ln -s {to} "$1/{name}"; ' for name, to in MERGED.items())
    # sid's mirror may stand still for longer than its Release file is valid.
    command = ["mmdebstrap", "--quiet", "--variant=extract", "--mode=root", "--components=main",
               "--aptopt=Acquire::Check-Valid-Until \"false\"", "--aptopt=Acquire::Retries \"3\"",
               f"--include={','.join(suite.packages)}", f"--setup-hook={links}", suite.name, str(root), mirror()]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    for python in suite.pythons:
        # The modules of the application and the agent, compiled as an installation would have them.
        subprocess.run(["chroot", str(root), f"/usr/bin/python{python}", "-c", f"import {warm}"], check=True)


def pick(image: Image, base: Path, root: Path, files: Dict[str, Path]) -> None:
    """Fills an image's root filesystem from an unpacked release and from files of ours."""
    for folder, mode in FOLDERS.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(mode)
    for name, to in MERGED.items():
        (root / name).symlink_to(to)
    for program in image.programs:
        source, _, target = program.partition(":")
        _copy(base, root, source, target or source)
    for tree in image.trees:
        _copy_tree(base, root, tree, [])
    if image.python:
        _copy(base, root, f"/usr/bin/python{image.python}")
        (root / "usr/bin/python3").symlink_to(f"python{image.python}")
        _copy_tree(base, root, f"/usr/lib/python{image.python}", image.leave_out)
        if (base / f"etc/python{image.python}").is_dir():
            _copy_tree(base, root, f"/etc/python{image.python}", [])
        # The C library loads it by name when a thread is ended.
        _copy(base, root, "/" + str(next(base.glob("usr/lib/*-linux-gnu/libgcc_s.so.1")).relative_to(base)))
    for library in sorted(_libraries(base, root)):
        _copy(base, root, library)
    for target, source in files.items():
        (root / target[1:]).write_bytes(source.read_bytes())
        (root / target[1:]).chmod(0o644)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/nonexistent\napp:x:10001:10001:app:/srv:/nonexistent\n")
    (root / "etc/group").write_text("root:x:0:\napp:x:10001:\n")


def _copy(base: Path, root: Path, source: str, target: str = "") -> None:
    """Links one file; of a symbolic link also what it points to."""
    origin = base / source[1:]
    place = root / (target or source)[1:]
    if place.is_symlink() or place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_symlink() and not target:
        to = os.readlink(origin)
        place.symlink_to(to)
        _copy(base, root, os.path.normpath(os.path.join(os.path.dirname(source), to)))
    else:
        os.link(_resolved(base, source), place)


def _resolved(base: Path, path: str) -> Path:
    """The file that a path means in the image, where a link may be absolute."""
    while (base / path[1:]).is_symlink():
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(base / path[1:])))
    return base / path[1:]


def _copy_tree(base: Path, root: Path, tree: str, leave_out: List[str]) -> None:
    for folder, folders, names in os.walk(base / tree[1:]):
        inside = "/" + os.path.relpath(folder, base)
        folders[:] = [name for name in folders if not name.startswith(LEFT_OUT)]
        (root / inside[1:]).mkdir(parents=True, exist_ok=True)
        for name in names:
            if not name.startswith(tuple(leave_out)):
                _copy(base, root, f"{inside}/{name}")


def _libraries(base: Path, root: Path) -> Set[str]:
    """The shared libraries that the release's own loader loads for the programs and libraries in the image."""
    loader = next(path for path in LOADERS if os.path.lexists(base / path[1:]))
    folder = next(base.glob("usr/lib/*-linux-gnu"))
    found: Set[str] = set()
    for file in _elf_files(root):
        listing = subprocess.run([str(_resolved(base, loader)), "--library-path", str(folder), "--list", str(file)],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
        for name, path in re.findall(r"^\s*(\S+) => (not found|/\S+)", listing, re.MULTILINE):
            if name == loader:
                continue
            if not path.startswith(f"{folder}/"):
                raise SystemExit(f"{file} needs {name}, which no package brings")
            found.add("/" + os.path.relpath(path, base))
            found.add("/usr" + loader)
    return found


def _elf_files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            file = Path(folder) / name
            if not file.is_symlink():
                with open(file, "rb") as stream:
                    if stream.read(4) == b"\x7fELF":
                        yield file
