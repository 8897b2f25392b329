"""Turns an image folder (rootfs and config.json) into an OCI image archive.

The layer is written twice: once into a hash, since its name in the archive is its digest, and once into the archive.
Nothing is kept on disk, and the same folder gives the same bytes.
"""

import hashlib
import io
import json
import os
import platform
import stat
import tarfile
import threading
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MEDIA = "application/vnd.oci.image."
BLOCK = 1 << 20


class FolderChanged(OSError):
    """The image folder was not the same when it was read for the second time."""


class _Digest(io.RawIOBase):
    """Counts and hashes what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._hash = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def descriptor(self, kind: str) -> Dict[str, Any]:
        return {"mediaType": MEDIA + kind, "digest": "sha256:" + self._hash.hexdigest(), "size": self.size}


class _Tee(io.RawIOBase):
    """Writes the same to two streams."""

    def __init__(self, first: IO[bytes], second: IO[bytes]) -> None:
        super().__init__()
        self._targets = (first, second)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        for target in self._targets:
            target.write(data)
        return len(data)


def write_archive(folder: str, name: str, target: IO[bytes]) -> None:
    """Writes the archive of the image folder to a stream; `name` is the reference that containerd gives the image."""
    rootfs = os.path.join(folder, "rootfs")
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as source:
        config = json.load(source)

    digest = _Digest()
    write_layer(rootfs, digest)
    layer = digest.descriptor("layer.v1.tar")
    image, image_bytes = _blob("config.v1+json", {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    })
    manifest, manifest_bytes = _blob("manifest.v1+json", {
        "schemaVersion": 2,
        "mediaType": MEDIA + "manifest.v1+json",
        "config": image,
        "layers": [layer],
    })
    manifest["annotations"] = {"io.containerd.image.name": name}
    _, index_bytes = _blob("index.v1+json", {"schemaVersion": 2, "manifests": [manifest]})

    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, bufsize=BLOCK) as archive:
        _add_bytes(archive, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add_bytes(archive, "index.json", index_bytes)
        _add_bytes(archive, _path(manifest), manifest_bytes)
        _add_bytes(archive, _path(image), image_bytes)
        _add_layer(archive, layer, rootfs)


def write_layer(rootfs: str, target: IO[bytes]) -> None:
    """Writes the root file system as a tar with owners as numbers, in the order of names."""
    links: Dict[Tuple[int, int], str] = {}
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, bufsize=BLOCK) as layer:
        for path, name in _entries(rootfs):
            entry = _entry(path, name, links)
            if entry is None:
                continue
            if entry.isreg() and entry.size:
                with open(path, "rb") as content:
                    layer.addfile(entry, content)
            else:
                layer.addfile(entry)


def _entries(rootfs: str) -> Iterator[Tuple[str, str]]:
    for folder, folders, files in os.walk(rootfs):
        folders.sort()
        relative = os.path.relpath(folder, rootfs)
        # A link to a folder is among the folders, though nothing is below it.
        for file in sorted(files + [item for item in folders if os.path.islink(os.path.join(folder, item))]):
            yield os.path.join(folder, file), os.path.normpath(os.path.join(relative, file))
        for item in folders:
            if not os.path.islink(os.path.join(folder, item)):
                yield os.path.join(folder, item), os.path.normpath(os.path.join(relative, item))


def _entry(path: str, name: str, links: Dict[Tuple[int, int], str]) -> Optional[tarfile.TarInfo]:
    status = os.lstat(path)
    if stat.S_ISSOCK(status.st_mode):
        return None
    entry = tarfile.TarInfo(name)
    entry.mode = stat.S_IMODE(status.st_mode)
    entry.uid, entry.gid = status.st_uid, status.st_gid
    entry.mtime = int(status.st_mtime)
    entry.pax_headers = _attributes(path)
    first = links.setdefault((status.st_dev, status.st_ino), name)
    if stat.S_ISDIR(status.st_mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        entry.type = tarfile.SYMTYPE
        entry.linkname = os.readlink(path)
    elif status.st_nlink > 1 and first != name:
        entry.type = tarfile.LNKTYPE
        entry.linkname = first
    elif stat.S_ISREG(status.st_mode):
        entry.size = status.st_size
    elif stat.S_ISFIFO(status.st_mode):
        entry.type = tarfile.FIFOTYPE
    else:
        entry.type = tarfile.CHRTYPE if stat.S_ISCHR(status.st_mode) else tarfile.BLKTYPE
        entry.devmajor, entry.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)
    return entry


def _attributes(path: str) -> Dict[str, str]:
    """Extended attributes as pax records: without them a program loses its file capabilities."""
    found = {}
    for name in sorted(os.listxattr(path, follow_symlinks=False)):
        if name.startswith(("security.capability", "user.")):
            value = os.getxattr(path, name, follow_symlinks=False)
            found["SCHILY.xattr." + name] = value.decode("utf-8", "surrogateescape")
    return found


def _blob(kind: str, content: Dict[str, Any]) -> Tuple[Dict[str, Any], bytes]:
    data = json.dumps(content, separators=(",", ":"), sort_keys=True).encode("utf-8")
    digest = _Digest()
    digest.write(data)
    return digest.descriptor(kind), data


def _path(descriptor: Dict[str, Any]) -> str:
    return "blobs/" + str(descriptor["digest"]).replace(":", "/")


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _add_layer(archive: tarfile.TarFile, layer: Dict[str, Any], rootfs: str) -> None:
    """Writes the layer for the second time, through a pipe, since a tar file reads what is added to it."""
    entry = tarfile.TarInfo(_path(layer))
    entry.size = int(layer["size"])
    ends = os.pipe()
    again = _Digest()
    failures: List[Exception] = []

    def write() -> None:
        try:
            with os.fdopen(ends[1], "wb", BLOCK) as pipe:
                write_layer(rootfs, _Tee(again, pipe))
        except Exception as error:
            failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with os.fdopen(ends[0], "rb", BLOCK) as pipe:
            archive.addfile(entry, pipe)
    except (OSError, tarfile.TarError) as error:
        failures.append(error)
    finally:
        writer.join()
    if failures or again.descriptor("layer.v1.tar") != layer:
        raise FolderChanged("%s changed while it was read%s." % (rootfs, "".join(": %s" % e for e in failures[:1])))
