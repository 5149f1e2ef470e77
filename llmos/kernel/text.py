"""Text that a database takes. File names and broken model output may hold lone surrogates."""

from __future__ import annotations

import re

from llmos.store.schema import dumps
from llmos.values import Json

_LONE = re.compile("[\ud800-\udfff]")


def json_text(value: Json) -> str:
    """``value`` as the store keeps JSON; reading it gives the very same text back."""
    return _LONE.sub(lambda m: f"\\u{ord(m[0]):04x}", dumps(value))


def plain(text: str) -> str:
    """``text`` for a text column, with a ``?`` for what is no character."""
    return _LONE.sub("?", text)
