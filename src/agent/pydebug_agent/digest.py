"""SHA-256 from the interpreter's own code where it has it: hashlib would load OpenSSL, megabytes that count."""

from __future__ import annotations

try:
    from _sha2 import sha256  # type: ignore
except ImportError:
    try:
        from _sha256 import sha256  # type: ignore
    except ImportError:
        from hashlib import sha256

__all__ = ["sha256"]
