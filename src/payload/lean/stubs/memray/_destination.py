"""memray's destinations, without dataclasses, whose import takes longer than all the rest."""


class Destination:
    pass


class FileDestination(Destination):
    def __init__(self, path, overwrite=False, compress_on_exit=True, buffered=False):
        self.path = path
        self.overwrite = overwrite
        self.compress_on_exit = compress_on_exit
        self.buffered = buffered


class SocketDestination(Destination):
    def __init__(self, server_port, address="127.0.0.1"):
        self.server_port = server_port
        self.address = address
