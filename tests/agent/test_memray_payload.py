"""The payloads as they are made: small, complete, and loadable by the loader that is picky about versions."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zlib
from pathlib import Path
from typing import Dict

from .memray_support import MACHINE, ROOT, payloads

sys.path.insert(0, str(ROOT / "src/payload/lean"))

from make import from_debian, in_order, license_of
from shrink import needed, shrink
from standin import DEBUGINFOD, LIBDL, stand_in

_LARGEST = 2_500_000
_LIBRARIES = "memray.libs/"
RUNTIME = ("libstdc++.so.6", "libgcc_s.so.1")


def files_of(packed: bytes) -> Dict[str, bytes]:
    """Return a payload's files."""
    found: Dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(zlib.decompress(packed))) as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            found[entry.name] = file.read() if file is not None else b""
    return found


def _is_runtime(name: str) -> bool:
    return os.path.basename(name) in RUNTIME


def package(files: Dict[str, bytes]) -> bytes:
    """Return a Debian package of files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo("./" + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    found = b"!<arch>\n"
    for name, content in (("debian-binary", b"2.0\n"), ("data.tar.xz", buffer.getvalue())):
        found += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode("ascii")
        found += content + b"\n" * (len(content) % 2)
    return found


class FromDebian(unittest.TestCase):
    def test_its_memray_is_made_lean_with_the_libraries_that_it_needs(self) -> None:
        memray = "usr/lib/python3/dist-packages/memray/"
        # Its own libraries stand in for the distribution's: what they need is what is tested here.
        made = payloads()
        wheel = next((files_of(made[kind]) for kind in made if kind != "runtime"), None)
        if wheel is None or "runtime" not in made:
            self.skipTest("no wheel of memray was found (PIP_FIND_LINKS)")
        extension = next(name for name in wheel if name.startswith("memray/_memray."))
        runtime = files_of(made["runtime"])
        sources = [
            {
                memray + "__init__.py": b"first", memray + "_version.py": b"", memray + "reporters/html.py": b"large",
                "usr/lib/python3/dist-packages/" + extension: wheel[extension],
                "usr/share/doc/memray/copyright": b"one",
            },
            {name + ".so.1.2": data for name, data in wheel.items() if name.startswith(_LIBRARIES)},
            {name: data for name, data in runtime.items() if _is_runtime(name)},
            {"usr/share/doc/gcc/copyright": b"two"},
        ]
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for number, files in enumerate(sources):
                paths.append(Path(folder, f"{number}.deb"))
                paths[-1].write_bytes(package(files))
            found = from_debian(MACHINE, paths)
            self.assertEqual(b"one", license_of(paths[0]))
        self.assertEqual(b"one\n\ntwo", found["LICENSE"])
        self.assertEqual(b"first", found["memray/__init__.py"])
        self.assertNotIn("memray/reporters/html.py", found)
        expected = {name for name in wheel if name.startswith(_LIBRARIES)} | {_LIBRARIES + name for name in RUNTIME}
        order = in_order(found)
        self.assertEqual(expected, {name for name in order if name.startswith(_LIBRARIES)})
        for name in expected:
            for library in needed(found[name]):
                if _LIBRARIES + library in expected:
                    self.assertLess(order.index(_LIBRARIES + library), order.index(name))


class Payloads(unittest.TestCase):
    def setUp(self) -> None:
        self.payloads = payloads()
        if not self.payloads:
            self.skipTest("no wheel of memray was found (PIP_FIND_LINKS)")

    def test_they_are_small_and_bring_no_network_along(self) -> None:
        for kind, packed in self.payloads.items():
            with self.subTest(kind=kind):
                files = files_of(packed)
                # The C++ runtime is a payload of its own, which Debian's memray brings along.
                counted = [content for name, content in files.items() if kind == "runtime" or not _is_runtime(name)]
                self.assertLess(sum(map(len, counted)), _LARGEST)
                self.assertTrue([name for name in files if name.startswith("LICENSE")])
                for name in files:
                    self.assertNotRegex(name, "curl|ssl|krb5|crypto|gssapi")

    def test_each_library_finds_what_it_needs(self) -> None:
        system = ("libc.so", "libm.so", "libdl.so", "libpthread.so", "ld-linux", "libstdc++.so", "libgcc_s.so")
        for kind, packed in self.payloads.items():
            files = files_of(packed)
            carried = {os.path.basename(name) for name in files}
            for name, content in files.items():
                if content[:4] == b"\x7fELF":
                    for library in needed(content):
                        with self.subTest(kind=kind, name=name, library=library):
                            self.assertTrue(library in carried or library.startswith(system))


class Libraries(unittest.TestCase):
    def load(self, name: str, content: bytes, source: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, name)
            path.write_bytes(content)
            run = subprocess.run(
                [sys.executable, "-c", source, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
            )
        self.assertEqual(0, run.returncode, run.stdout)
        return run.stdout.decode().strip()

    @unittest.skipUnless(MACHINE in LIBDL, "the stand-ins are for other machines")
    def test_a_stand_in_answers_and_leaves_the_stack_as_it_is(self) -> None:
        said = self.load(
            "libdebuginfod.so.1",
            stand_in("libdebuginfod.so.1", MACHINE, DEBUGINFOD),
            "import ctypes, sys\nlibrary = ctypes.CDLL(sys.argv[1])\nprint(library.debuginfod_begin(), "
            "library.debuginfod_find_debuginfo(), library.debuginfod_find_section())\n"
            "print([line for line in open('/proc/self/maps') if '[stack]' in line and 'x' in line.split()[1]])",
        )
        self.assertEqual("0 -38 -38\n[]", said)

    @unittest.skipUnless(MACHINE in LIBDL, "the stand-ins are for other machines")
    def test_a_stand_in_has_the_versions_that_are_asked_for(self) -> None:
        """dlvsym finds a function by its version alone where the library defines that version."""
        source = (
            "import ctypes, sys\nlibrary = ctypes.CDLL(sys.argv[1])\nfind = ctypes.CDLL(None).dlvsym\n"
            "find.restype = ctypes.c_void_p\nfind.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]\n"
            "for name, version in ((b'debuginfod_begin', b'ELFUTILS_0.178'),\n"
            "                      (b'debuginfod_begin', b'ELFUTILS_0.188'),\n"
            "                      (b'debuginfod_get_headers', b'ELFUTILS_0.188')):\n"
            "    print(bool(find(library._handle, name, version)))"
        )
        said = self.load("libdebuginfod.so.1", stand_in("libdebuginfod.so.1", MACHINE, DEBUGINFOD), source)
        self.assertEqual(["True", "False", "True"], said.split())
        self.load(
            "libdl.so.2",
            stand_in("libdl.so.2", MACHINE, LIBDL[MACHINE]),
            "import ctypes, sys\nctypes.CDLL(sys.argv[1])",
        )

    def test_what_is_shrunk_still_works(self) -> None:
        import _ctypes

        path = getattr(_ctypes, "__file__", None)
        if path is None:
            self.skipTest("this Python has its extensions built in")
        content = Path(path).read_bytes()
        small = shrink(content)
        self.assertLess(len(small), len(content))
        self.assertEqual(needed(content), needed(small))
        self.assertEqual((0, 0), (struct.unpack_from("<Q", small, 40)[0], struct.unpack_from("<H", small, 60)[0]))
        said = self.load(
            os.path.basename(path),
            small,
            "import importlib.util, sys\nspec = importlib.util.spec_from_file_location('_ctypes', sys.argv[1])\n"
            "module = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(module)\nprint(module.__name__)",
        )
        self.assertEqual("_ctypes", said)

    def test_what_is_no_library_is_refused(self) -> None:
        for content in (b"", b"\x7fELF\x01\x01", b"MZ" * 100):
            with self.assertRaises(ValueError):
                shrink(content)


if __name__ == "__main__":
    unittest.main()
