"""Calls of the C library that take and give whole numbers, by the C code of ctypes alone: its Python costs a megabyte."""

from __future__ import annotations

from typing import Any, Callable, Optional, Union

_USE_ERRNO = 8


def function(name: str, waits: bool = False) -> Optional[Callable[..., int]]:
    """Return a function of the C library, None where this Python cannot call any.

    It takes numbers, and bytes as their address. The interpreter's lock is kept meanwhile, so that of a call that returns
    twice only one goes on, unless it ``waits``, for a file for example.
    """
    try:
        import _ctypes  # type: ignore[import-not-found]

        class Long(_ctypes._SimpleCData):  # type: ignore[misc]
            _type_ = "l"

        class Bytes(_ctypes._SimpleCData):  # type: ignore[misc]
            _type_ = "z"

        class Call(_ctypes.CFuncPtr):  # type: ignore[misc]
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
