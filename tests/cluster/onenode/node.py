"""The life of the cluster: up, down, and what runs between them."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from typing import Iterator, List

from . import images, programs, settings
from .certificates import Authority
from .cgroups import ControlGroup
from .components import Components, succeeds
from .errors import ClusterError
from .place import API_PORT, ETCD_PORT, NODE_ADDRESS, NODE_NAME, SERVICE_NETWORK, Place

# Folders that the node has for itself, over the machine's: nothing that its programs write outlives it.
OWN_FOLDERS = ("/var/lib", "/var/log")


def up(place: Place, script: str) -> None:
    """Starts the cluster, or does nothing when it runs."""
    programs.require()
    _require_place(place)
    with _exclusive(place):
        if is_ready(place):
            return
        _remove(place)
        for folder in (place.keys, place.settings, place.logs):
            os.makedirs(folder, mode=0o700)
        try:
            ControlGroup(place.name).create()
            _make_network(place)
            Authority(place).issue_all()
            settings.write_all(place)
            apart = ["unshare", "--mount", "--propagation", "private", sys.executable, script, "start-node"]
            if subprocess.run(place.inside(apart), stdin=subprocess.DEVNULL).returncode != 0:
                raise ClusterError("The node did not start; its logs are in %s." % place.logs)
        except BaseException:
            _stop(place)
            raise


def down(place: Place) -> None:
    """Ends what `up` started and removes what it made."""
    if os.geteuid() != 0:
        raise ClusterError("Only root can end the cluster.")
    with _exclusive(place):
        _remove(place)


def is_ready(place: Place) -> bool:
    """Whether the API server answers and the node is Ready."""
    if not os.path.exists(place.admin) or not os.path.exists(place.network):
        return False
    return succeeds(place.inside(_kubectl(place, "wait", "--for=condition=Ready", "node/" + NODE_NAME, "--timeout=0")))


def run(place: Place, command: List[str]) -> None:
    """Becomes the command, in the cluster's network and with KUBECONFIG set."""
    require_running(place)
    os.environ["KUBECONFIG"] = place.admin
    inside = place.inside(command)
    os.execvp(inside[0], inside)


def token_kubeconfig(place: Place, namespace: str, account: str) -> str:
    """A kubeconfig that holds nothing but the service account's token, as a runbook has it."""
    require_running(place)
    done = subprocess.run(
        place.inside(_kubectl(place, "create", "token", account, "--namespace", namespace, "--duration", "12h")),
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError(done.stderr.strip())
    return settings.kubeconfig(place, account, {"token": done.stdout.strip()})


def require_running(place: Place) -> None:
    """Raises unless `up` has been called."""
    if not os.path.exists(place.admin) or not os.path.exists(place.network):
        raise ClusterError("The cluster is not up.")


def start_node(place: Place) -> None:
    """Starts every program. Runs in the network and the mount namespace of the cluster, which these then hold."""
    ControlGroup(place.name).join()
    _own_folders(place)
    components = Components(place)

    components.start("etcd", "--data-dir", "/var/lib/etcd", "--unsafe-no-fsync",
                     "--listen-client-urls", "http://127.0.0.1:%d" % ETCD_PORT,
                     "--advertise-client-urls", "http://127.0.0.1:%d" % ETCD_PORT,
                     "--listen-peer-urls", "http://127.0.0.1:0")
    components.start("containerd", "--config", os.path.join(place.settings, "containerd.toml"))
    components.start("kube-apiserver", *_api_server(place))
    components.wait("containerd", lambda: succeeds(images.client(place, "version")))
    images.load_pause(place)
    components.wait("the API server", lambda: succeeds(_kubectl(place, "get", "--raw", "/readyz")))

    components.start("kube-controller-manager",
                     "--kubeconfig", os.path.join(place.settings, "controller-manager.kubeconfig"),
                     "--service-account-private-key-file", os.path.join(place.keys, "tokens.key"),
                     "--root-ca-file", os.path.join(place.keys, "ca.crt"),
                     "--bind-address", "127.0.0.1", "--use-service-account-credentials", "--leader-elect=false")
    components.start("kube-scheduler", "--kubeconfig", os.path.join(place.settings, "scheduler.kubeconfig"),
                     "--bind-address", "127.0.0.1", "--leader-elect=false")
    components.start("kubelet", "--config", os.path.join(place.settings, "kubelet.json"),
                     "--kubeconfig", os.path.join(place.settings, "kubelet.kubeconfig"),
                     "--hostname-override", NODE_NAME, "--node-ip", NODE_ADDRESS)
    components.wait("the node", lambda: is_ready_here(place))
    components.wait("the default service account",
                    lambda: succeeds(_kubectl(place, "get", "serviceaccount", "default", "--namespace", "default")))


def is_ready_here(place: Place) -> bool:
    """Whether the node is Ready, asked from inside the cluster's network."""
    return succeeds(_kubectl(place, "wait", "--for=condition=Ready", "node/" + NODE_NAME, "--timeout=0"))


def _api_server(place: Place) -> List[str]:
    def key(file: str) -> str:
        return os.path.join(place.keys, file)

    return [
        "--etcd-servers", "http://127.0.0.1:%d" % ETCD_PORT,
        "--bind-address", "0.0.0.0", "--secure-port", str(API_PORT), "--advertise-address", NODE_ADDRESS,
        "--service-cluster-ip-range", SERVICE_NETWORK,
        "--cert-dir", "/var/lib/kube-apiserver",
        "--client-ca-file", key("ca.crt"),
        "--tls-cert-file", key("apiserver.crt"), "--tls-private-key-file", key("apiserver.key"),
        "--kubelet-certificate-authority", key("ca.crt"),
        "--kubelet-client-certificate", key("kubelet-client.crt"), "--kubelet-client-key", key("kubelet-client.key"),
        "--kubelet-preferred-address-types", "InternalIP",
        "--service-account-issuer", "https://kubernetes.default.svc",
        "--service-account-key-file", key("tokens.pub"), "--service-account-signing-key-file", key("tokens.key"),
        "--authorization-mode", "Node,RBAC",
        "--enable-admission-plugins", "NodeRestriction,PodSecurity",
        "--allow-privileged",
    ]


def _kubectl(place: Place, *arguments: str) -> List[str]:
    return ["kubectl", "--kubeconfig", place.admin, *arguments]


def _own_folders(place: Place) -> None:
    _system("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")
    os.makedirs("/run/netns")
    for folder in OWN_FOLDERS:
        own = place.under("node", *folder.strip("/").split("/"))
        os.makedirs(own, exist_ok=True)
        _system("mount", "--bind", own, folder)


def _make_network(place: Place) -> None:
    _system("ip", "netns", "add", place.name)
    _system("ip", "-n", place.name, "link", "set", "lo", "up")
    _system("ip", "-n", place.name, "address", "add", NODE_ADDRESS + "/32", "dev", "lo")


def _require_place(place: Place) -> None:
    for folder in ("/run", "/var/run", *OWN_FOLDERS):
        if os.path.commonpath([os.path.realpath(place.root), os.path.realpath(folder)]) == os.path.realpath(folder):
            raise ClusterError("PYDEBUG_CACHE may not be below %s: the node has that folder for itself." % folder)


def _stop(place: Place) -> None:
    """Ends every process but keeps the logs, for the one who asks why."""
    ControlGroup(place.name).end()
    if os.path.exists(place.network):
        _system("ip", "netns", "delete", place.name)
    ControlGroup(place.name).remove()


def _remove(place: Place) -> None:
    _stop(place)
    shutil.rmtree(place.root, ignore_errors=not os.path.exists(place.root))


@contextlib.contextmanager
def _exclusive(place: Place) -> Iterator[None]:
    """One `up` or `down` at a time."""
    os.makedirs(place.cache, exist_ok=True)
    lock = os.open(place.cache, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _system(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise ClusterError("%s failed: %s" % (" ".join(command), done.stderr.strip()))
