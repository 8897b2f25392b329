"""Finds the programs a cluster is made of, and names each one that is missing."""

import os
import shutil
from typing import List

from .errors import Unavailable

KUBERNETES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl")
CONTAINERS = ("containerd", "containerd-shim-runc-v2", "ctr", "runc")
SYSTEM = ("ip", "nsenter", "unshare", "mount", "openssl", "gcc")
PLUGINS = ("bridge", "host-local", "loopback")
PLUGIN_FOLDERS = ("/opt/cni/bin", "/usr/lib/cni", "/usr/local/lib/cni", "/usr/libexec/cni")


def plugin_folder() -> str:
    """The folder with the network plugins: CNI_PATH, or the first usual one that has them; empty without any."""
    named = [folder for folder in os.environ.get("CNI_PATH", "").split(os.pathsep) if folder]
    for folder in [*named, *PLUGIN_FOLDERS]:
        if all(os.access(os.path.join(folder, plugin), os.X_OK) for plugin in PLUGINS):
            return folder
    return ""


def require() -> None:
    """Raises Unavailable with one reason for each thing this machine lacks."""
    reasons = []
    if os.geteuid() != 0:
        reasons.append("root: containers and network namespaces need it")
    for program in (*KUBERNETES, *CONTAINERS, *SYSTEM):
        if shutil.which(program) is None:
            reasons.append(program + ": not on PATH")
    if not plugin_folder():
        reasons.append("CNI plugins (%s): not in CNI_PATH, %s" % (", ".join(PLUGINS), ", ".join(PLUGIN_FOLDERS)))
    if reasons:
        raise Unavailable(reasons)
