"""memray's statistics of a capture, without dataclasses."""


class Stats:
    def __init__(self, **fields):
        self.__dict__.update(fields)
