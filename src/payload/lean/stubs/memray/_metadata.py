"""memray's metadata of a capture, without dataclasses."""


class Metadata:
    def __init__(self, **fields):
        self.__dict__.update(fields)
