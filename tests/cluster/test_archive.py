"""Image archives: python3 -m unittest discover -s tests/cluster"""

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import unittest
from typing import Any, Callable, Dict

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from onenode.archive import FolderChanged, write_archive


class Archive(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.rootfs = os.path.join(self.folder, "rootfs")
        os.makedirs(os.path.join(self.rootfs, "usr", "bin"))
        self.put("usr/bin/tool", b"#!" + bytes(3 << 20), 0o4755)
        with open(os.path.join(self.folder, "config.json"), "w", encoding="utf-8") as target:
            json.dump({"Entrypoint": ["/usr/bin/tool"], "User": "10001"}, target)

    def put(self, name: str, content: bytes, mode: int = 0o644) -> str:
        path = os.path.join(self.rootfs, name)
        with open(path, "wb") as target:
            target.write(content)
        os.chmod(path, mode)
        os.utime(path, (1700000000.75, 1700000000.75))
        return path

    def archive(self) -> bytes:
        target = io.BytesIO()
        write_archive(self.folder, "pydebug.test/x:1", target)
        return target.getvalue()

    def blobs(self) -> Dict[str, bytes]:
        with tarfile.open(fileobj=io.BytesIO(self.archive())) as archive:
            found = {}
            for entry in archive:
                content = archive.extractfile(entry)
                assert content is not None
                found[entry.name] = content.read()
            return found

    def follow(self, blobs: Dict[str, bytes], descriptor: Dict[str, Any]) -> bytes:
        content = blobs["blobs/" + descriptor["digest"].replace(":", "/")]
        self.assertEqual(descriptor["size"], len(content))
        self.assertEqual(descriptor["digest"], "sha256:" + hashlib.sha256(content).hexdigest())
        return content

    def layer(self) -> tarfile.TarFile:
        blobs = self.blobs()
        index = json.loads(blobs["index.json"])
        manifest = json.loads(self.follow(blobs, index["manifests"][0]))
        opened = tarfile.open(fileobj=io.BytesIO(self.follow(blobs, manifest["layers"][0])))
        self.addCleanup(opened.close)
        return opened

    def test_every_descriptor_has_the_size_and_digest_of_its_blob(self) -> None:
        blobs = self.blobs()
        index = json.loads(blobs["index.json"])
        manifest = json.loads(self.follow(blobs, index["manifests"][0]))
        image = json.loads(self.follow(blobs, manifest["config"]))
        self.follow(blobs, manifest["layers"][0])
        self.assertEqual([manifest["layers"][0]["digest"]], image["rootfs"]["diff_ids"])
        self.assertEqual({"Entrypoint": ["/usr/bin/tool"], "User": "10001"}, image["config"])
        self.assertEqual("pydebug.test/x:1", index["manifests"][0]["annotations"]["io.containerd.image.name"])

    def test_the_same_folder_gives_the_same_bytes(self) -> None:
        for name in ("b", "a", "c"):
            self.put(name, name.encode())
        self.assertEqual(self.archive(), self.archive())

    def test_modes_owners_and_times_of_files_are_kept(self) -> None:
        path = self.put("owned", b"x", 0o640)
        if os.geteuid() != 0:
            self.skipTest("SKIPPED: changing an owner needs root")
        os.chown(path, 10001, 10002)
        os.utime(path, (1700000000.75, 1700000000.75))
        layer = self.layer()
        entry = layer.getmember("owned")
        self.assertEqual((0o640, 10001, 10002, 1700000000, ""),
                         (entry.mode, entry.uid, entry.gid, entry.mtime, entry.uname))
        self.assertEqual(0o4755, layer.getmember("usr/bin/tool").mode)

    def test_a_link_to_a_folder_is_a_link_and_hides_nothing(self) -> None:
        os.symlink("usr/bin", os.path.join(self.rootfs, "bin"))
        layer = self.layer()
        self.assertTrue(layer.getmember("bin").issym())
        self.assertEqual("usr/bin", layer.getmember("bin").linkname)
        self.assertNotIn("bin/tool", layer.getnames())

    def test_a_second_name_of_a_file_is_a_hard_link(self) -> None:
        os.link(os.path.join(self.rootfs, "usr/bin/tool"), os.path.join(self.rootfs, "usr/bin/zz"))
        entry = self.layer().getmember("usr/bin/zz")
        self.assertTrue(entry.islnk())
        self.assertEqual("usr/bin/tool", entry.linkname)

    def test_long_and_foreign_names_come_through(self) -> None:
        name = "ä" * 90 + "\u202e;x"
        self.put(name, b"")
        self.assertIn(name, self.layer().getnames())

    def test_extended_attributes_come_through(self) -> None:
        path = self.put("marked", b"")
        try:
            os.setxattr(path, "user.mark", b"\x01\xff")
        except OSError as error:
            self.skipTest("SKIPPED: no extended attributes here: %s" % error)
        headers = self.layer().getmember("marked").pax_headers
        self.assertEqual(b"\x01\xff", headers["SCHILY.xattr.user.mark"].encode("utf-8", "surrogateescape"))

    def test_a_socket_is_left_out(self) -> None:
        import socket
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(os.path.join(self.rootfs, "sock"))
            self.assertNotIn("sock", self.layer().getnames())

    def test_a_folder_that_changes_between_the_two_readings_gives_no_archive(self) -> None:
        class Meddling(io.BytesIO):
            def __init__(self, meddle: Callable[[], Any]) -> None:
                super().__init__()
                self.meddle = meddle

            def write(self, data: Any) -> int:
                self.meddle()
                return super().write(data)

        for case, meddle in {
            "same size": lambda: self.put("usr/late/file", b"other"),
            "larger": lambda: self.put("usr/late/file", bytes(1 << 20)),
            "gone": lambda: shutil.rmtree(os.path.join(self.rootfs, "usr/late"), ignore_errors=True),
        }.items():
            os.makedirs(os.path.join(self.rootfs, "usr/late"), exist_ok=True)
            self.put("usr/late/file", b"early")
            with self.subTest(case), self.assertRaises(FolderChanged):
                write_archive(self.folder, "pydebug.test/x:1", Meddling(meddle))

    def test_parents_come_before_what_they_hold(self) -> None:
        names = self.layer().getnames()
        self.assertLess(names.index("usr"), names.index("usr/bin"))
        self.assertLess(names.index("usr/bin"), names.index("usr/bin/tool"))


if __name__ == "__main__":
    unittest.main()
