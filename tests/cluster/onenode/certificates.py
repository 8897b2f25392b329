"""A certificate authority for one cluster, and what it signs."""

import os
import subprocess
from typing import List, NamedTuple

from .errors import ClusterError
from .place import NODE_ADDRESS, NODE_NAME, SERVICE_ADDRESS, Place

DAYS = "30"


class Identity(NamedTuple):
    """A name that the API server knows its bearer by."""

    file: str
    user: str
    groups: List[str]


IDENTITIES = (
    Identity("admin", "admin", ["system:masters"]),
    Identity("kubelet-client", "kube-apiserver", ["system:masters"]),
    Identity("kubelet", "system:node:" + NODE_NAME, ["system:nodes"]),
    Identity("controller-manager", "system:kube-controller-manager", []),
    Identity("scheduler", "system:kube-scheduler", []),
)
SERVERS = {
    "apiserver": [
        "IP:127.0.0.1", "IP:" + SERVICE_ADDRESS, "IP:" + NODE_ADDRESS,
        "DNS:localhost", "DNS:kubernetes.default.svc",
    ],
    "kubelet-server": ["IP:" + NODE_ADDRESS, "DNS:" + NODE_NAME],
}


class Authority:
    """Writes keys and certificates into the place's folder for keys."""

    def __init__(self, place: Place) -> None:
        self._folder = place.keys

    def issue_all(self) -> None:
        """Makes the authority, every server's and every client's certificate, and the key that signs tokens."""
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS, "-subj", "/CN=one-node-authority",
                      "-addext", "keyUsage=critical,keyCertSign,digitalSignature", "-keyout", "ca.key",
                      "-out", "ca.crt")
        for file, names in SERVERS.items():
            self._sign(file, "/CN=" + file, "serverAuth", names)
        for identity in IDENTITIES:
            subject = "".join("/O=" + group for group in identity.groups) + "/CN=" + identity.user
            self._sign(identity.file, subject, "clientAuth", [])
        self._openssl("genrsa", "-out", "tokens.key", "2048")
        self._openssl("rsa", "-in", "tokens.key", "-pubout", "-out", "tokens.pub")

    def _sign(self, file: str, subject: str, usage: str, names: List[str]) -> None:
        extensions = [
            "basicConstraints=critical,CA:false",
            "keyUsage=critical,digitalSignature,keyEncipherment",
            "extendedKeyUsage=" + usage,
            "authorityKeyIdentifier=keyid",
        ]
        if names:
            extensions.append("subjectAltName=" + ",".join(names))
        with open(os.path.join(self._folder, file + ".ext"), "w", encoding="ascii") as target:
            target.write("\n".join(extensions) + "\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", subject,
                      "-keyout", file + ".key", "-out", file + ".csr")
        self._openssl("x509", "-req", "-days", DAYS, "-in", file + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                      "-CAcreateserial", "-extfile", file + ".ext", "-out", file + ".crt")

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self._folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise ClusterError("openssl %s failed: %s" % (arguments[0], done.stderr.strip()))
