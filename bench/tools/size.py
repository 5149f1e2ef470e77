"""How large something is in a prompt: UTF-8 bytes of its JSON, four to a token.

An approximation: English and JSON have between three and four and a half bytes to a token with
the tokenizers of today. What is compared here is alike on both sides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llmos.values import ToolSpec

BYTES = 4
"""Of a token."""


def tokens(value: Any) -> int:
    """Of a text, or of the JSON of anything else."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return -(-len(text.encode()) // BYTES)


def tokens_of(tools: Sequence[ToolSpec]) -> int:
    """Of tools as providers are sent them: name, description, schema."""
    return sum(tokens([t.name, t.description, dict(t.parameters)]) for t in tools)
