"""SHA-256 from the interpreter's own code where it has it: hashlib would load OpenSSL, megabytes that count."""

from __future__ import annotations

from typing import Any

from .memory_limit import memory_for_us
from .proc import Proc

try:
    from _sha2 import sha256
except ImportError:
    try:
        from _sha256 import sha256
    except ImportError:
        from hashlib import sha256

__all__ = ["is_worth_memory", "sha256", "sha256_for"]

# OpenSSL's is five times as fast, and pays for itself from here on.
_LARGE = 16 << 20
_OPENSSL = 16 << 20


def is_worth_memory(proc: Proc, size: int) -> bool:
    """Say whether so many bytes are enough for some megabytes to pay, and there are as many to have."""
    if size < _LARGE:
        return False
    headroom = memory_for_us(proc).headroom
    return headroom is None or headroom > 4 * _OPENSSL


def sha256_for(proc: Proc, size: int) -> Any:
    """Return a hash for so many bytes: OpenSSL's for many of them, where there is memory for it."""
    if is_worth_memory(proc, size):
        try:
            from _hashlib import openssl_sha256

            return openssl_sha256()
        except (ImportError, ValueError):
            pass
    return sha256()
