"""Which goals are the same goal.

Folding removes outer whitespace, collapses runs of it outside quotes, lowers the initial capital
and drops the final punctuation: nothing else. ``-V`` is not ``-v``, ``US`` is not ``us``, and
``x = -5`` is not ``x = 5``. When in doubt two goals are different: that costs tokens, while
the other mistake would do the wrong thing for free.
"""

from __future__ import annotations

import hashlib
import re

# A full stop after a word or a closing quote or bracket; a question mark after a word; an
# exclamation mark after a word of letters, since "5!" and "n!" are numbers. "..", " ." and "..."
# stay: they are paths or unfinished sentences.
_FINAL = re.compile(r"(?:(?<=[\w\"'`”’»)\]}])\.|(?<=\w)\?|(?<=[^\W\d_][^\W\d_])!)\Z")
_PATTERN = re.compile(r"[/\\*\[?].*[?!]\Z")

# A plain word at the beginning, with hyphens or not. "Readme.md", "Src/a" and "Run_it" are names.
_FIRST_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*(?![\w/\\@=-]|[.:]\S)")

# Quotes that are opened before a word and closed after one, and apostrophes within words. What
# does not fit (nested, unbalanced, of another kind) is no clean quoting: nothing is changed there.
_MARKS = re.compile("[\"'`“”„‘’‚«»‹›「」『』]")
_QUOTED = r"""(?<!\w)(?:"[^"]*"|`[^`]*`|'(?!\s)(?:[^']|(?<=\w)'(?=\w))*'|“[^“”]*”|«[^«»]*»)(?!\w)"""
_QUOTED += r"|(?<!\w)‘(?:[^‘’]|(?<=\w)’(?=\w))*’(?!\w)"
_BREAK = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_QUOTED_OR_SPACE = re.compile(rf"{_QUOTED}|\s+")
_QUOTED_OR_APOSTROPHE = re.compile(rf"{_QUOTED}|(?<=[^\W\d_])['’](?=[^\W\d_])")


def fold(goal: str) -> str:
    """The form under which a goal is looked up. Idempotent.

    Args:
        goal: The user's sentence.
    """
    text = goal.strip()
    clean = _clean_until(text)
    text = _collapse(text[:clean]) + text[clean:]
    return _lower_initial(text if clean < len(text) else _drop_final(text))


def goal_key(goal: str) -> str:
    """SHA-256 of the folded goal, in hex: an index on a goal of 1 MB would be none."""
    return hashlib.sha256(fold(goal).encode("utf-8", "surrogatepass")).hexdigest()


def _lower_initial(text: str) -> str:
    # Only the first letter of a word that is otherwise written small: "Delete" is "delete", but
    # "US", "iPhone" and "X" are names.
    head = _FIRST_WORD.match(text)
    if head is None or len(head.group()) < 2 or not head.group()[1:].islower():
        return text
    lowered = text[0].lower()
    return lowered + text[1:] if len(lowered) == 1 else text


def _drop_final(text: str) -> str:
    # In "Delete logs/app?" the mark is part of a pattern.
    last = text.rsplit(None, 1)[-1] if text else ""
    return text if _PATTERN.search(last) else _FINAL.sub("", text)


def _collapse(text: str) -> str:
    """Replace each run of whitespace outside quotes by one space, but for line breaks.

    In a goal of several lines they separate items, or are Python.
    """

    def one(m: re.Match[str]) -> str:
        found = m.group()
        return " " if found.isspace() and not _BREAK.search(found) else found

    return _QUOTED_OR_SPACE.sub(one, text)


def _clean_until(text: str) -> int:
    """Up to where it is certain what is quoted: all of it, or what precedes the first mark."""
    first = _MARKS.search(text)
    if first is None or not _MARKS.search(_QUOTED_OR_APOSTROPHE.sub("", text)):
        return len(text)
    return first.start()
