"""Makes a lean payload: what a process needs to be tracked by memray, and no more.

    make.py memray WHEEL MACHINE OUT     from memray's wheel
    make.py debian MACHINE SOURCE.. OUT  from Debian's package of memray, the first, and those of the libraries it needs
    make.py runtime MACHINE SOURCE.. OUT what slim images lack, from Debian packages
    make.py license SOURCE OUT           the licence of memray, as text, from its wheel or its Debian package

OUT gets a tar, packed with zlib. What was made is told on stdout as JSON.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from shrink import needed, own_name, shrink
from standin import DEBUGINFOD, LIBDL, stand_in

_STUBS = Path(__file__).resolve().parent / "stubs"
_MODULES = ("__init__", "_version")
_LIBRARIES = "memray.libs/"
_PACKAGES = "./usr/lib/python3/dist-packages/"
_RUNTIME = ("libstdc++.so.6", "libgcc_s.so.1")
# What a glibc or the compiler's runtime brings; the rest must be in the wheel.
_SYSTEM = ("libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "ld-linux", *_RUNTIME)


def main(arguments: List[str]) -> int:
    kind, *rest = arguments[:-1]
    out = Path(arguments[-1])
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == "license":
        out.write_bytes(license_of(Path(rest[0])))
        return 0
    if kind == "memray":
        files = from_wheel(Path(rest[0]), rest[1])
    else:
        files = {"debian": from_debian, "runtime": runtime}[kind](rest[0], list(map(Path, rest[1:])))
    content = pack(files)
    packed = zlib.compress(content, 9)
    out.write_bytes(packed)
    print(json.dumps({"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "packed": len(packed)}))
    return 0


def from_wheel(path: Path, machine: str) -> Dict[str, bytes]:
    """Return the payload's files by their names."""
    with zipfile.ZipFile(path) as wheel:
        files = lean(wheel.namelist(), wheel.read, lambda library: wheel.read(_LIBRARIES + library), machine)
    return {**files, "LICENSE": license_of(path)}


def from_debian(machine: str, packages: List[Path]) -> Dict[str, bytes]:
    """Return the payload's files from Debian packages: memray's, and those of the libraries that it needs."""
    memray = {name[len(_PACKAGES) :]: data for name, data in members(packages[0]) if name.startswith(_PACKAGES)}
    libraries: Dict[str, bytes] = {}
    licenses = []
    for package in packages:
        for name, data in members(package):
            if ".so." in name and data[:4] == b"\x7fELF":
                libraries[own_name(data)] = data
            elif name.endswith("/copyright"):
                licenses.append(data)
    files = lean(list(memray), memray.__getitem__, libraries.__getitem__, machine)
    for name in _RUNTIME:
        files[_LIBRARIES + name] = shrink(libraries[name])
    return {**files, "LICENSE": b"\n\n".join(licenses)}


def lean(
    names: List[str], read: Callable[[str], bytes], library_of: Callable[[str], bytes], machine: str
) -> Dict[str, bytes]:
    """Return what a process needs of a memray whose files ``read`` knows by their names."""
    files: Dict[str, bytes] = {}
    for module in _MODULES:
        files[f"memray/{module}.py"] = read(f"memray/{module}.py")
    (extension,) = [name for name in names if name.startswith("memray/_memray.") and name.endswith(".so")]
    files[extension] = shrink(read(extension))
    waiting = needed(files[extension])
    while waiting:
        library = waiting.pop()
        member = _LIBRARIES + library
        if member in files or library.startswith(_SYSTEM):
            continue
        if library.startswith("libdebuginfod"):
            files[member] = stand_in(library, machine, DEBUGINFOD)
            continue
        files[member] = shrink(library_of(library))
        waiting += needed(files[member])
    for stub in sorted(_STUBS.rglob("*.py")):
        files[stub.relative_to(_STUBS).as_posix()] = stub.read_bytes()
    return files


def license_of(path: Path) -> bytes:
    """Return the licence in a wheel or in a Debian package."""
    if path.suffix == ".deb":
        return next(data for name, data in members(path) if name.endswith("/copyright"))
    with zipfile.ZipFile(path) as wheel:
        return wheel.read(next(name for name in wheel.namelist() if name.endswith("licenses/LICENSE")))


def runtime(machine: str, sources: List[Path]) -> Dict[str, bytes]:
    """Return the libraries that a slim image may lack, where memray's extension looks for them."""
    found = from_packages(sources)
    files = {"LICENSE.runtime": found["LICENSE"]}
    for name in _RUNTIME:
        files[_LIBRARIES + name] = shrink(found[name])
    # Since glibc 2.34 the library itself is no more than this.
    files[_LIBRARIES + "libdl.so.2"] = stand_in("libdl.so.2", machine, LIBDL[machine])
    return files


def from_packages(packages: List[Path]) -> Dict[str, bytes]:
    """Return the C++ runtime's libraries and their licence from Debian packages."""
    found: Dict[str, bytes] = {}
    for package in packages:
        for path, data in members(package):
            name = path.rsplit("/", 1)[-1]
            library = next((wanted for wanted in _RUNTIME if name.startswith(wanted)), None)
            key = library or ("LICENSE" if name == "copyright" else None)
            if key and not name.endswith(".py"):
                found[key] = data
    return found


def members(package: Path) -> Iterator[Tuple[str, bytes]]:
    """Yield the files of a Debian package."""
    with tarfile.open(fileobj=io.BytesIO(data_of(package.read_bytes()))) as archive:
        for entry in archive:
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is not None:
                yield entry.name, content.read()


def data_of(package: bytes) -> bytes:
    """Return the archive of files in a Debian package, which is an ar archive."""
    if package[:8] != b"!<arch>\n":
        raise ValueError("no Debian package")
    place = 8
    while place + 60 <= len(package):
        name, size = package[place : place + 16].strip(), int(package[place + 48 : place + 58])
        if name.startswith(b"data.tar"):
            return package[place + 60 : place + 60 + size]
        place += 60 + size + size % 2
    raise ValueError("a Debian package without files")


def pack(files: Dict[str, bytes]) -> bytes:
    """Return a tar that is the same whoever makes it, and whenever. A library comes after those that it needs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in in_order(files):
            content = files[name]
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def in_order(files: Dict[str, bytes]) -> List[str]:
    """Return the names, sorted but for libraries, of which each follows those that it needs."""
    found = [name for name in sorted(files) if not name.startswith(_LIBRARIES)]

    def add(name: str) -> None:
        if name in files and name not in found:
            for library in sorted(needed(files[name])):
                add(_LIBRARIES + library)
            found.append(name)

    for name in sorted(files):
        add(name)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
