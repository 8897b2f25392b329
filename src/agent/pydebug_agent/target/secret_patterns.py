"""What secrets look like in command lines. Loaded where a command line may have one: it takes much memory."""

from __future__ import annotations

import re
from typing import List, Sequence

_WORDS = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|cred|auth|authorization|bearer|cookie"
    r"|api[-_.]?key|access[-_.]?key(?:[-_.]?id)?|private[-_.]?key|secret[-_.]?key|account[-_.]?key|signing[-_.]?key"
    r"|encryption[-_.]?key|connection[-_.]?string|conn[-_.]?str|dsn|sas|signature"
)
# A word stands alone or after a separator ("--db-password"); some also end a longer one ("dbpassword"). What comes
# before it is never matched: patterns that begin with "anything" take quadratic time on a hostile command line.
_NAME = (
    rf"(?:(?<![A-Za-z0-9])(?:{_WORDS})|password|passwd|secret|token|apikey|accesskey|privatekey)"
    r"s?(?:[-_.]?(?:value|base64|b64|string|text))?"
)
_OPTION_END = re.compile(rf"{_NAME}$", re.IGNORECASE)
# A secret may begin with a dash: only what is plainly an option is taken for the next one.
_NEXT_OPTION = re.compile(r"--[A-Za-z]|-[A-Za-z]$")
# One argument is one value, spaces and all.
_WHOLE = re.compile(r"(-{0,2}[A-Za-z][A-Za-z0-9_.\-]{0,100}=).", re.DOTALL)
_ASSIGNMENT = re.compile(
    rf"(?P<name>{_NAME}[\"']?\s{{0,4}}(?:=>|[=:])\s{{0,4}})"
    r"(?P<value>\"[^\"]*\"|'[^']*'|(?:(?:Bearer|Basic|Token)\s{1,4})?[^\s&;,\"'}]+)",
    re.IGNORECASE,
)
_FLAG_IN_TEXT = re.compile(
    rf"(?P<name>(?<!\S)-{{1,2}}[A-Za-z0-9_.\-]{{0,100}}?{_NAME}\s{{1,4}})"
    r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s\-][^\s]*)",
    re.IGNORECASE,
)
_SCHEME = r"(?P<scheme>(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{0,30}://)"
_URL_USER = re.compile(_SCHEME + r"(?P<user>[^\s/?#@:]*):(?P<secret>[^\s/?#]*)@")
_URL_TOKEN = re.compile(_SCHEME + r"(?P<user>[^\s/?#@:]{16,})@")
_HEADER = re.compile(r"(?P<name>\b(?:Bearer|Basic)\s+)(?P<value>[A-Za-z0-9._~+/=\-]{8,})")
_KNOWN = re.compile(
    r"\b(?:eyJ[A-Za-z0-9_\-]{8,512}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w\-]{16,}|xox[abprs]-[\w\-]{10,}|AKIA[0-9A-Z]{16}|sk-[A-Za-z0-9_\-]{16,}|npm_[A-Za-z0-9]{20,}"
    r"|pypi-[A-Za-z0-9_\-]{20,})"
)


def mask_text(text: str, mask: str) -> str:
    """Return ``text`` with everything that looks like a secret value replaced by ``mask``."""
    text = _URL_USER.sub(rf"\g<scheme>\g<user>:{mask}@", text)
    text = _URL_TOKEN.sub(rf"\g<scheme>{mask}@", text)
    text = _FLAG_IN_TEXT.sub(rf"\g<name>{mask}", text)
    text = _ASSIGNMENT.sub(rf"\g<name>{mask}", text)
    text = _HEADER.sub(rf"\g<name>{mask}", text)
    return _KNOWN.sub(mask, text)


def mask_command(arguments: Sequence[str], mask: str) -> List[str]:
    """Return a command line with its secret values masked; the number of arguments stays."""
    masked: List[str] = []
    secret_next = False
    for argument in arguments:
        if secret_next and argument and not _NEXT_OPTION.match(argument):
            masked.append(mask)
            secret_next = False
            continue
        secret_next = argument.startswith("-") and "=" not in argument and _OPTION_END.search(argument) is not None
        whole = _WHOLE.match(argument)
        if whole is not None and _OPTION_END.search(whole.group(1)[:-1]):
            masked.append(whole.group(1) + mask)
        else:
            masked.append(mask_text(argument, mask))
    return masked
