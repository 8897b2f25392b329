"""JSON by the interpreter's own C code: the module json takes regular expressions along, megabytes that count."""

from __future__ import annotations

from typing import Any


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


class _Reading:
    """What the C scanner wants to be told; a version that asks for more has it from json."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_refuse)


def _default(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} is no JSON")


try:
    from _json import encode_basestring, make_encoder, make_scanner

    _scan = make_scanner(_Reading)
    _encode = make_encoder(None, _default, encode_basestring, None, ":", ",", False, False, False)
    _encode({"a": [1, 2.5, None, "\u00e4"]}, 0)
except (ImportError, AttributeError, TypeError):
    _encode = None


def dumps(value: Any) -> str:
    """Return a value as JSON on one line, beyond ASCII as it is."""
    if _encode is None:
        import json

        return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "".join(_encode(value, 0))


def loads(data: bytes) -> Any:
    """Return what JSON says; raise ValueError where it is none."""
    text = data.decode("utf-8").strip(" \t\r\n")
    if _encode is None:
        import json

        return json.loads(text)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError("no value") from None
    if end != len(text):
        raise ValueError(f"more than a value, from {end} on")
    return value
