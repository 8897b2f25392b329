"""Where a cluster lives: its folders, its names and its addresses."""

import os
from typing import List

NODE_NAME = "node1"
NODE_ADDRESS = "10.66.0.1"
POD_NETWORK = "10.66.16.0/24"
SERVICE_NETWORK = "10.66.32.0/24"
SERVICE_ADDRESS = "10.66.32.1"
DNS_ADDRESS = "10.66.32.10"
API_PORT = 6443
ETCD_PORT = 2379
PAUSE_IMAGE = "pydebug.test/pause:1"


class Place:
    """All paths of one cluster, derived from its name."""

    def __init__(self, name: str, cache: str) -> None:
        self.name = name
        self.cache = cache
        self.root = os.path.join(cache, name)
        self.keys = os.path.join(self.root, "keys")
        self.settings = os.path.join(self.root, "settings")
        self.logs = os.path.join(self.root, "logs")
        self.socket = os.path.join(self.root, "containerd.sock")
        self.admin = os.path.join(self.settings, "admin.kubeconfig")
        self.network = os.path.join("/run/netns", name)

    @staticmethod
    def from_environment() -> "Place":
        """The place that PYDEBUG_CLUSTER (a name) and PYDEBUG_CACHE (a folder) select."""
        name = os.environ.get("PYDEBUG_CLUSTER", "") or "pydebug-cluster"
        cache = os.environ.get("PYDEBUG_CACHE", "") or "/var/cache/pydebug"
        return Place(name, os.path.abspath(cache))

    def under(self, *parts: str) -> str:
        """A path below the cluster's own folder."""
        return os.path.join(self.root, *parts)

    def inside(self, command: List[str]) -> List[str]:
        """The command line that runs the given one in the cluster's network."""
        return ["nsenter", "--net=" + self.network, *command]
