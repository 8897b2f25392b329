"""Takes secrets out of command lines before they leave the container."""

from __future__ import annotations

from typing import List, Sequence

MASK = "***"

# Without one of these there is nothing for the patterns to find. They take megabytes that count against the
# application's limit, and most command lines need none of them.
_SIGNS = (
    "pass", "pwd", "secret", "token", "cred", "auth", "bearer", "basic", "cookie", "key", "conn", "dsn", "sas",
    "signature", "://", "eyj", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "akia", "sk-",
    "npm_", "pypi-",
)


def mask_text(text: str) -> str:
    """Return ``text`` with everything that looks like a secret value replaced by ``***``."""
    if not _may_hold_one(text):
        return text
    from . import secret_patterns

    return secret_patterns.mask_text(text, MASK)


def mask_command(arguments: Sequence[str]) -> List[str]:
    """Return a command line with its secret values masked; the number of arguments stays."""
    if not any(_may_hold_one(argument) for argument in arguments):
        return list(arguments)
    from . import secret_patterns

    return secret_patterns.mask_command(arguments, MASK)


def _may_hold_one(text: str) -> bool:
    folded = text.casefold()
    return any(sign in folded for sign in _SIGNS)
