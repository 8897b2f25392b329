"""The files that the programs of the cluster read."""

import base64
import json
import os
from typing import Dict

from .certificates import IDENTITIES
from .place import API_PORT, DNS_ADDRESS, NODE_ADDRESS, PAUSE_IMAGE, POD_NETWORK, Place
from .programs import plugin_folder


def write_all(place: Place) -> None:
    """Writes every settings file; the keys must be there already."""
    _write(place, "containerd.toml", _containerd(place))
    _write(place, "kubelet.json", json.dumps(_kubelet(place), indent=2))
    _write(place, "cni/10-pods.conflist", json.dumps(_network(), indent=2))
    for identity in IDENTITIES:
        user = {
            "client-certificate-data": _base64(place, identity.file + ".crt"),
            "client-key-data": _base64(place, identity.file + ".key"),
        }
        _write(place, identity.file + ".kubeconfig", kubeconfig(place, identity.user, user))


def kubeconfig(place: Place, name: str, user: Dict[str, str]) -> str:
    """A kubeconfig for the cluster and one user."""
    credentials = "\n".join("    %s: %s" % pair for pair in user.items())
    return f"""apiVersion: v1
kind: Config
clusters:
- name: {place.name}
  cluster:
    server: https://127.0.0.1:{API_PORT}
    certificate-authority-data: {_base64(place, "ca.crt")}
users:
- name: {name}
  user:
{credentials}
contexts:
- name: {place.name}
  context:
    cluster: {place.name}
    user: {name}
    namespace: default
current-context: {place.name}
"""


def _containerd(place: Place) -> str:
    # The opt plug-in makes a folder on the host that would be left behind, and NRI a socket.
    return f"""version = 3
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
address = "{place.socket}"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins."io.containerd.cri.v1.runtime"]
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["{plugin_folder()}"]
conf_dir = "{place.settings}/cni"
"""


def _kubelet(place: Place) -> dict:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": os.path.join(place.keys, "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": os.path.join(place.keys, "kubelet-server.crt"),
        "tlsPrivateKeyFile": os.path.join(place.keys, "kubelet-server.key"),
        "healthzPort": 0,
        "containerRuntimeEndpoint": "unix://" + place.socket,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/" + place.name,
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        # Nothing answers there, but without an address every pod gets a warning event of its own.
        "clusterDNS": [DNS_ADDRESS],
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/plugins-exec",
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
        "evictionHard": {"memory.available": "64Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
    }


def _network() -> dict:
    addresses = {"type": "host-local", "ranges": [[{"subnet": POD_NETWORK}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{"type": "bridge", "bridge": "pods0", "isGateway": True, "ipam": addresses}],
    }


def _base64(place: Place, file: str) -> str:
    with open(os.path.join(place.keys, file), "rb") as source:
        return base64.b64encode(source.read()).decode("ascii")


def _write(place: Place, file: str, text: str) -> None:
    path = os.path.join(place.settings, file)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as target:
        target.write(text)
