"""Whether a word that stands where a secret may stand is one."""

from __future__ import annotations

import math
import re
from collections import Counter

KEY = (
    r"(?P<key>(?i:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|account[_-]?key|auth[_-]?key|encryption[_-]?key|credential|(?<=[_-])pass))"
    r"(?:[_-]?(?i:key|base|value|old|new|prod|dev|live|test|\d{1,3})){0,2}"
)
"""Pattern of a name that tells a secret, from its telling part on."""

_PASSWORD = re.compile(r"(?i)passw(?:or)?d|passphrase|pwd|pass")

_PLACEHOLDER = re.compile(
    r"(?i)[$<{%@(#\[*.…]|:\*|x{4,}|your|my[_-]?(?:secret|token|pass|api)|change[_-]?me|redacted"
    r"|(?:none|null|true|false|undefined|string|str|bytes|bool|int|number|any|optional|required"
    r"|unknown|empty|missing|invalid|default|example|test|dummy|fake|placeholder)\W*\Z"
)
"""A variable, a type, or a word that stands for a secret in an example."""

_NO_VALUE = re.compile(
    r"[./~\\]|[A-Za-z]:[\\/]|[a-z][a-z+.-]*://|.*(?:::|->|=>)"  # places and operators
    r"|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\W*\Z"  # an attribute of something
)
_NAME = re.compile(r"_?[A-Za-z]+(?:[_.:/-]?[A-Za-z]+)*\W?")
_SPEAKING = (
    *("password", "passwd", "secret", "token", "credential"),
    *("apikey", "accesskey", "authkey", "privatekey", "accountkey"),
)
_NO_SECRET = re.compile(
    r"(?:SHA\d*|HASH|DIGEST|COMMIT|REVISION|CHECKSUM|VERSION|PATH|DIR|FILE|URL|HOST|NAME|UUID|_ID)\Z"
)


def kind_of(key: str) -> str:
    """``password`` or ``secret``, by the telling part of a name."""
    return "password" if _PASSWORD.fullmatch(key) else "secret"


def is_secret(key: str, value: str, *, quoted: bool, bare: bool) -> bool:
    """Whether ``value`` is a secret, given that it is assigned to ``key``.

    Args:
        key: The telling part of the name.
        value: Without quotes.
        quoted: It stood in quotes.
        bare: It stands where a word without quotes is a value, not a name or a type.
    """
    password = kind_of(key) == "password"
    if len(value) < (5 if password else 8) or _PLACEHOLDER.match(value) or _NO_VALUE.match(value):
        return False
    if not quoted and value.endswith(("]", ")")):
        return False
    digit = any(c.isdigit() for c in value)
    if any(c.isspace() for c in value):
        # A sentence of a form is no password; several words with a number among them may be one.
        return password and digit and len(value) < 60
    if any(word in re.sub(r"[\W_]", "", value).lower() for word in _SPEAKING):
        return digit and _random(value)
    if digit:
        return password or any(c.isalpha() for c in value) or len(value) >= 20
    if _NAME.fullmatch(value):
        return bare or (quoted and (password or _random(value)))
    return quoted or bare or password


def is_lot(name: str, value: str) -> bool:
    """Whether an environment variable holds something drawn by lot that is no digest or place.

    Args:
        name: Of the variable.
        value: Without quotes, at least 24 characters.
    """
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    named = _NO_SECRET.search(name) or _NO_VALUE.match(value)
    return mixed and not named and entropy(value) >= 3.5


def is_real(m: re.Match[str]) -> bool:
    """Whether the group ``s`` is a password and not a word that stands for one."""
    return not _PLACEHOLDER.match(m["s"]) and not _PASSWORD.fullmatch(m["s"])


def is_credential(m: re.Match[str]) -> bool:
    """Whether the group ``s`` proves who somebody is, after a group ``scheme`` or without it."""
    value = m["s"]
    if _PLACEHOLDER.match(value) or _NO_VALUE.match(value):
        return False
    return any(c.isdigit() for c in value) or (m["scheme"] is not None and len(value) >= 12)


def entropy(text: str) -> float:
    """Shannon entropy of the characters of ``text``, in bits per character."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def _random(text: str) -> bool:
    """Whether a word looks drawn by lot: long, mixed, and few of its characters repeat."""
    return len(text) >= 20 and entropy(text) >= 3.5 and text.lower() != text != text.upper()
