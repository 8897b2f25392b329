"""A proxy for CONNECT on loopback that cuts what is quiet, as load balancers do. Prints its port.

    python3 relay.py [--idle SECONDS]

--idle cuts a connection on which nothing went either way for so long. It ends with its input."""

import argparse
import select
import socket
import struct
import sys
import threading
import time


class Relay:
    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._listener = socket.create_server(("127.0.0.1", 0))
        print(self._listener.getsockname()[1], flush=True)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = near.recv(4096)
            if not piece:
                return near.close()
            head += piece
        host, _, port = head.split(b" ")[1].decode("ascii").rpartition(":")
        try:
            far = socket.create_connection((host.strip("[]"), int(port)), 10)
        except OSError:
            near.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return near.close()
        near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            self._pump(near, far)
        except (OSError, ValueError):
            self._reset(near)
            self._reset(far)
        near.close()
        far.close()

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        last = time.monotonic()
        while True:
            ready = select.select([near, far], [], [], 0.2)[0]
            for end in ready:
                data = end.recv(1 << 16)
                if not data:
                    return
                (far if end is near else near).sendall(data)
                last = time.monotonic()
            if self._idle and time.monotonic() - last > self._idle:
                raise OSError("idle")

    def _reset(self, end: socket.socket) -> None:
        try:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--idle", type=float, default=0)
    Relay(options.parse_args().idle)
    sys.stdin.read()


main()
