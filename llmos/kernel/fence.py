"""Foreign text in a prompt: marked as data, and no longer than it may be."""

from __future__ import annotations

import hashlib


def fence(text: str) -> str:
    """Enclose ``text`` in marks that it cannot itself contain."""
    name = "data-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
    return f"<{name}>\n{text}\n</{name}>"


def clip(text: str, limit: int) -> str:
    """``text``, or its beginning and end with a note of how much was left out between."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit - limit * 2 // 3
    left_out = len(text) - head - tail
    return f"{text[:head]}\n[… {left_out} characters left out …]\n{text[len(text) - tail :]}"
