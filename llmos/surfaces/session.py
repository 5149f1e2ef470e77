"""What was said earlier in a session, and which goals need to know it.

A goal that stands for itself is given no earlier turns: its trace would be found again only after
the very same turns. A goal that refers back is given them: without, the model could only guess.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from llmos.values import Turn

_EMPTY = frozenset(
    {"a", "about", "again", "also", "and", "are", "as", "before", "but", "by", "can", "could"}
    | {"did", "do", "does", "for", "from", "how", "in", "into", "is", "just", "let", "let's", "me"}
    | {"more", "my", "no", "now", "of", "ok", "okay", "on", "once", "one", "or", "please", "so"}
    | {"tell", "than", "the", "then", "time", "to", "us", "was", "we", "were", "what", "when"}
    | {"where", "who", "why", "will", "with", "would", "yes", "you", "your"}
)
"""Words that name nothing a later pronoun could stand for."""

_PRONOUNS = frozenset(
    {"it", "it's", "its", "them", "their", "they", "he", "him", "his", "she", "her", "hers"}
)
_POINTERS = frozenset({"this", "that", "that's", "these", "those"})

_PHRASE = re.compile(
    r"\bthe (?:other (?:ones?|way)"
    r"|(?:previous|earlier|last|above) (?:ones?|answer|result|reply|step|task|goal|run|file)s?)\b"
    r"|\b(?:as|like) before\b"
    r"|\bthe same(?: thing| way)?\s*(?:$|[.,;:!?]|\b(?:for|but|with|again|as|to|on|in|there)\b)",
    re.I,
)
_GOES_ON = re.compile(
    r"(?:continue|go on|keep going|proceed|retry|redo|repeat|undo|again|once more|why|how|really"
    r"|(?:and|what about|how about|now for|same for|also for)\b.*)\W*",
    re.I,
)
_HERE = re.compile(
    r"\bthis (?:folder|directory|project|repo|repository|machine|computer|package|codebase"
    r"|second|minute|hour|day|week|month|quarter|year|morning|afternoon|evening)\b",
    re.I,
)
_CLAUSE = re.compile(
    r"\b(?:check|checks|ensure|verify|confirm|assert|prove|show|say|see|sure|so|such|note|remember"
    r"|know|tell(?: \w+)?|remind(?: \w+)?)\s+that\b(?=\s+\w)",
    re.I,
)
_WORD = re.compile(r"[\w'’./@~-]+")
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|(?<!\w)'[^']*'(?!\w)")


def refers_back(goal: str) -> bool:
    """Whether a goal can be understood only by who knows what was said before it.

    "Do it again" does; "Read a.csv and sort it" does not, since "it" has something to stand for.

    Args:
        goal: The user's sentence.
    """
    text = _CLAUSE.sub(" ", _HERE.sub(" here ", _QUOTED.sub(" quoted ", goal))).strip()
    words = [w.strip(".'").lower().replace("’", "'") for w in _WORD.findall(text)]
    if _GOES_ON.fullmatch(text) or (_PHRASE.search(text) and len(words) <= 10):
        return True
    telling = [w for w in words if w not in _EMPTY]
    for i, word in enumerate(telling):
        last = i == len(telling) - 1
        if word in _PRONOUNS or (word in _POINTERS and (i <= 1 or last)):
            # The first telling word is the verb; what comes after it can be stood for.
            return i <= 1
    return "again" in words and len(telling) <= 1


class Session:
    """The last exchanges of one prompt.

    Args:
        keep: How many are shown to the model.
    """

    def __init__(self, keep: int = 3) -> None:
        self._turns: deque[Turn] = deque(maxlen=keep)

    def turns_for(self, goal: str) -> tuple[Turn, ...]:
        """The earlier turns that ``goal`` needs: all that are kept, or none."""
        return tuple(self._turns) if refers_back(goal) else ()

    @property
    def keep(self) -> int:
        """How many are shown to the model."""
        return self._turns.maxlen or 0

    def show(self, turns: Iterable[Turn]) -> None:
        """What was said so far, oldest first; it takes the place of what was known of it."""
        self._turns = deque(turns, maxlen=self.keep)
