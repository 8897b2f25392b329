"""Calls of the C library that take and give whole numbers, by the C code of ctypes alone.

Its Python costs a megabyte.
"""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

_USE_ERRNO = 8


def function(name: str, waits: bool = False) -> Optional[Callable[..., int]]:
    """Return a function of the C library, None where this Python cannot call any.

    It takes numbers, and bytes as their address. The interpreter's lock is kept meanwhile, so that of a call that
    returns twice only one goes on, unless it ``waits``, for a file for example.
    """
    try:
        import _ctypes

        class Long(_ctypes._SimpleCData):
            _type_ = "l"

        class Bytes(_ctypes._SimpleCData):
            _type_ = "z"

        class Call(_ctypes.CFuncPtr):
            _flags_ = _ctypes.FUNCFLAG_CDECL | _USE_ERRNO | (0 if waits else _ctypes.FUNCFLAG_PYTHONAPI)
            _restype_ = Long

        call: Any = Call(_ctypes.dlsym(_ctypes.dlopen(None, 0), name))
    except (ImportError, OSError, AttributeError, TypeError):
        return None

    def words(word: Union[int, bytes]) -> Any:
        return Bytes(word) if isinstance(word, bytes) else Long(word)

    return lambda *given: int(call(*[words(word) for word in given]))


def last_error() -> int:
    """Return the errno of the last call of this thread."""
    import _ctypes

    return int(_ctypes.get_errno())


def prototype(name: str, result: str, arguments: str) -> Any:
    """Return a function of the C library whose types are letters of the module struct, P for an address.

    Where this Python cannot call any, an ImportError or OSError says why. Bytes may be given as an address.
    """
    import _ctypes

    def word(letter: str) -> Any:
        return type("Word", (_ctypes._SimpleCData,), {"_type_": letter})

    kind: Any = type(
        "Call",
        (_ctypes.CFuncPtr,),
        {
            "_flags_": _ctypes.FUNCFLAG_CDECL | _USE_ERRNO,
            "_restype_": word(result),
            "_argtypes_": tuple(map(word, arguments)),
        },
    )
    return kind(_ctypes.dlsym(_ctypes.dlopen(None, 0), name))


class Buffer:
    """Memory of its own at a fixed address. It is touched at once: a page fault would come at a bad moment later."""

    def __init__(self, size: int) -> None:
        import _ctypes

        byte: Any = type("Byte", (_ctypes._SimpleCData,), {"_type_": "B"})
        self._array: Any = (byte * size)()
        self.size = size
        self.address = int(_ctypes.addressof(self._array))
        self.view = memoryview(self._array).cast("B")
        for place in (*range(0, size, 4096), size - 1):
            self.view[place] = 0xFF
