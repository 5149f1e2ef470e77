"""Words that a goal is wrapped in out of courtesy, and that say nothing of what is to be done.

"Can you rename it?", "please rename it" and "I need to rename it. Can you do that for me?" are one
wording. Only whole phrases at the beginning and the end go, and nothing that may be quoted.
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    r"(?:(?:please|kindly),? (?=\w)|(?:can|could|would|will) you (?:please |kindly )?(?=\w)"
    r"|(?:i|we) (?:need|want|would like) (?:you )?to (?=\w)|(?:i|we)['’]d like (?:you )?to (?=\w)"
    r"|(?:hi|hey|hello)(?: there)?[,!] (?=\w))+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:(?<=[.!?])\s+(?:(?:can|could|would|will) you (?:please )?(?:do (?:that|this|it|so)"
    r"|(?:make|take care of) (?:that|this|it)(?: change)?)(?: for (?:me|us))?(?:,? please)?"
    r"|(?:many )?thanks|thank you(?: very much)?|please)[.!?]*"
    r"|,? for me,? please[.!?]*|, please[.!?]*)\Z",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?<!\w)['\"](?=\w)")


def without_courtesy(goal: str) -> str:
    """The goal without such words; as it is if nothing else would be left.

    Args:
        goal: As `fold` gives it. The final mark goes too, where it is sure not to be quoted.
    """
    text = _HEAD.sub("", goal, count=1) if _HEAD.match(goal) else goal
    last = max(text.rfind("'"), text.rfind('"'))
    if last < 0 or not _OPENING.match(text, last):
        text = re.sub(r"(?<=[\w'\")\]}])[.?]\Z", "", _TAIL.sub("", text))
    return text if re.search(r"\w", text) else goal
