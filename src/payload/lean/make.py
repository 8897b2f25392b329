"""Makes a lean payload: what a process needs to be tracked by memray, and no more.

    make.py memray WHEEL MACHINE OUT     from memray's wheel
    make.py runtime MACHINE SOURCE.. OUT what slim images lack, from Debian packages or, where SOURCE is a folder, from
                                         the libraries in it and its LICENSE

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
from typing import Dict, List

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from shrink import needed, shrink  # noqa: E402
from standin import DEBUGINFOD, LIBDL, stand_in  # noqa: E402

_STUBS = Path(__file__).resolve().parent / "stubs"
_MODULES = ("__init__", "_version")
_LIBRARIES = "memray.libs/"
_RUNTIME = ("libstdc++.so.6", "libgcc_s.so.1")
# What a glibc or the compiler's runtime brings; the rest must be in the wheel.
_SYSTEM = ("libc.so.", "libm.so.", "libdl.so.", "libpthread.so.", "librt.so.", "ld-linux", *_RUNTIME)


def main(arguments: List[str]) -> int:
    kind, *rest = arguments
    files = from_wheel(Path(rest[0]), rest[1]) if kind == "memray" else runtime(rest[0], list(map(Path, rest[1:-1])))
    content = pack(files)
    packed = zlib.compress(content, 9)
    out = Path(arguments[-1])
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(packed)
    print(json.dumps({"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "packed": len(packed)}))
    return 0


def from_wheel(path: Path, machine: str) -> Dict[str, bytes]:
    """Return the payload's files by their names."""
    files: Dict[str, bytes] = {}
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        for module in _MODULES:
            files[f"memray/{module}.py"] = wheel.read(f"memray/{module}.py")
        (extension,) = [name for name in names if name.startswith("memray/_memray.") and name.endswith(".so")]
        files[extension] = shrink(wheel.read(extension))
        waiting = needed(files[extension])
        while waiting:
            library = waiting.pop()
            member = _LIBRARIES + library
            if member in files or library.startswith(_SYSTEM):
                continue
            if library.startswith("libdebuginfod"):
                files[member] = stand_in(library, machine, DEBUGINFOD)
                continue
            files[member] = shrink(wheel.read(member))
            waiting += needed(files[member])
        (license_name,) = [name for name in names if name.endswith("licenses/LICENSE")]
        files["LICENSE"] = wheel.read(license_name)
    for stub in sorted(_STUBS.rglob("*.py")):
        files[stub.relative_to(_STUBS).as_posix()] = stub.read_bytes()
    return files


def runtime(machine: str, sources: List[Path]) -> Dict[str, bytes]:
    """Return the libraries that a slim image may lack, where memray's extension looks for them."""
    found = from_folder(sources[0]) if sources[0].is_dir() else from_packages(sources)
    files = {"LICENSE.runtime": found["LICENSE"]}
    for name in _RUNTIME:
        files[_LIBRARIES + name] = shrink(found[name])
    # Since glibc 2.34 the library itself is no more than this.
    files[_LIBRARIES + "libdl.so.2"] = stand_in("libdl.so.2", machine, LIBDL[machine])
    return files


def from_folder(folder: Path) -> Dict[str, bytes]:
    """Return the C++ runtime's libraries and their licence from a folder."""
    return {name: (folder / name).read_bytes() for name in (*_RUNTIME, "LICENSE")}


def from_packages(packages: List[Path]) -> Dict[str, bytes]:
    """Return the C++ runtime's libraries and their licence from Debian packages."""
    found: Dict[str, bytes] = {}
    for package in packages:
        with tarfile.open(fileobj=io.BytesIO(data_of(package.read_bytes()))) as archive:
            for entry in archive:
                name = entry.name.rsplit("/", 1)[-1]
                library = next((wanted for wanted in _RUNTIME if name.startswith(wanted)), None)
                key = library or ("LICENSE" if name == "copyright" else None)
                content = archive.extractfile(entry) if key and entry.isreg() and not name.endswith(".py") else None
                if key and content is not None:
                    found[key] = content.read()
    return found


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
    """Return a tar that is the same whoever makes it, and whenever."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
