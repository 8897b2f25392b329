"""Puts images into the node's containerd: image folders, and the pause program that holds a pod's namespaces."""

import json
import os
import subprocess
import threading
from typing import IO, List

from .archive import FolderChanged, write_archive
from .errors import ClusterError
from .place import PAUSE_IMAGE, Place

ATTEMPTS = 3
PAUSE_SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pause.c")


def client(place: Place, *arguments: str) -> List[str]:
    """The command line of containerd's client, for the namespace that the kubelet uses."""
    return ["ctr", "--address", place.socket, "--namespace", "k8s.io", *arguments]


def folders(place: Place) -> List[str]:
    """All image folders of the cache."""
    images = os.path.join(place.cache, "images")
    if not os.path.isdir(images):
        return []
    return [os.path.join(images, name) for name in sorted(os.listdir(images))
            if not name.startswith(".") and is_image(os.path.join(images, name))]


def is_image(folder: str) -> bool:
    """Whether a folder holds a root file system and a configuration."""
    return os.path.isdir(os.path.join(folder, "rootfs")) and os.path.isfile(os.path.join(folder, "config.json"))


def load(place: Place, folder: str) -> str:
    """Imports an image folder and returns the image's name."""
    if not is_image(folder):
        raise ClusterError("%s is no image folder: it needs rootfs and config.json." % folder)
    name = "pydebug.test/%s:1" % os.path.basename(os.path.abspath(folder))
    for attempt in range(ATTEMPTS):
        try:
            _import(place, folder, name)
            break
        except FolderChanged as error:
            # Whoever makes the images puts a whole new folder in the place of the old one.
            if attempt + 1 == ATTEMPTS:
                raise ClusterError(str(error)) from error
    return name


def load_pause(place: Place) -> None:
    """Builds and imports the image that every pod's first container runs."""
    folder = place.under("pause")
    rootfs = os.path.join(folder, "rootfs")
    os.makedirs(rootfs)
    done = subprocess.run(["gcc", "-static", "-Os", "-s", "-o", os.path.join(rootfs, "pause"), PAUSE_SOURCE],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError("gcc failed: %s" % done.stderr.strip())
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as target:
        json.dump({"Entrypoint": ["/pause"], "User": "65534:65534"}, target)
    _import(place, folder, PAUSE_IMAGE)


def _import(place: Place, folder: str, name: str) -> None:
    importer = subprocess.Popen(client(place, "images", "import", "--all-platforms", "-"),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert importer.stdin is not None and importer.stdout is not None
    output: List[bytes] = []
    reader = threading.Thread(target=_drain, args=(importer.stdout, output))
    reader.start()
    broken = False
    try:
        write_archive(folder, name, importer.stdin)
        importer.stdin.close()
    except BrokenPipeError:
        broken = True
    except BaseException:
        importer.kill()
        raise
    finally:
        code = importer.wait()
        reader.join()
    if code != 0 or broken:
        raise ClusterError("ctr did not import %s: %s" % (name, b"".join(output).decode("utf-8", "replace").strip()))


def _drain(stream: IO[bytes], output: List[bytes]) -> None:
    output.append(stream.read())
