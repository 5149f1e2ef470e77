"""How goals are changed by one critical word, and what is right then.

Rules work on the fixed text of a wording, which comes from the data; what stands here are single
words, and templates by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from bench.workbench.data import Call
from bench.workbench.oracles import answer
from bench.workbench.oracles_common import Slots
from bench.workbench.world import World

Right = Callable[[str, Slots, World], tuple[Call, ...] | None]
"""Takes the template's id, the original's slots and the world; None: only a learner can know."""


def told(**more: str) -> Right:
    """What the oracle says when it is told these slots besides."""
    return lambda template, slots, world: answer(template, {**slots, **more}, world)


def retext(old: str, new: str) -> Right:
    """The original's calls, with quoted texts that say ``new`` for ``old``."""

    def right(template: str, slots: Slots, world: World) -> tuple[Call, ...]:
        texts = {k: v.replace(old, new) for k, v in slots.items() if k.startswith("text")}
        return answer(template, {**slots, **texts}, world)

    return right


def on_monday(template: str, slots: Slots, world: World) -> tuple[Call, ...] | None:
    """The original's calls, with the meeting on the next Monday."""
    return told(days_ahead=str(7 - world.now.weekday()))(template, slots, world)


def all_but_first(template: str, slots: Slots, world: World) -> tuple[Call, ...]:
    """The original's calls without the first."""
    return answer(template, slots, world)[1:]


def nothing(template: str, slots: Slots, world: World) -> tuple[Call, ...]:
    """No write."""
    return ()


def unknown(template: str, slots: Slots, world: World) -> None:
    """Another job, for which there is no oracle."""


class Word(NamedTuple):
    """Other words in a wording's fixed text; the first place where ``pattern`` is found."""

    kind: str
    templates: str
    """Regular expression for their ids."""
    pattern: str
    into: str
    """Replacement; ``<someone>`` is a colleague, ``<today>`` the day of the week."""
    right: Right


class Tail(NamedTuple):
    """Words after the goal, whatever it is."""

    kind: str
    text: str
    """May have the places that `Word.into` may have, and ``<other day>``."""
    right: Right


class Other(NamedTuple):
    """Another value in a slot, taken from another goal of the template."""

    kind: str
    slots: str
    """Regular expression for their names."""


class Opposite(NamedTuple):
    """The opposite word in a slot."""

    kind: str
    slot: str
    words: Mapping[str, str]


class Exchange(NamedTuple):
    """Two slots that have each other's values."""

    kind: str
    templates: str
    first: str
    second: str


NEGATED = told(negated="yes")
LAST, SECOND = told(pick="-1"), told(pick="1")
WITH_METRIC = "multi-(10|12|18|19|20)"
BOOKING = "calendar-06|multi-(00|10|15|17|19|20)"

WORDS = (
    # Which one.
    Word("last for first", "calendar-0[02]|multi-03", r"\bfirst\b", "last", LAST),
    Word("second for first", "calendar-0[02]|multi-03", r"\bfirst\b", "second", SECOND),
    Word("last for first", BOOKING, r"\b(first|earliest)\b", "last", unknown),
    Word("first for last", "email-03", r"\blast\b", "first", LAST),
    Word("oldest for latest", "email-08", r"\blatest\b", "oldest", LAST),
    Word("previous for next", "calendar-04", r"\bnext\b", "previous", told(direction="previous")),
    Word("to for from", "email-08|email-04", r"\bfrom\b", "to", unknown),
    Word("least for most", "multi-12", r"\bmost\b", "fewest", unknown),
    # Not.
    Word("not", "calendar-06|multi-0[05]", r"^If (I|we) haven't\b", r"If \1 have", NEGATED),
    Word("not", "multi-06", r"^If I don't have\b", "If I have", NEGATED),
    Word("not", "calendar-06|multi-06", r"\bIf not\b", "If so", NEGATED),
    Word("not", "analytics-.*|multi-1[0259]|multi-20", r"\b([Ii])f so\b", r"\1f not", NEGATED),
    Word("not", WITH_METRIC, r"\bwas( more|(?= $))", r"was never\1", NEGATED),
    Word("not", "analytics-0[78]", r"\b(is|was) more\b", r"\1 not more", NEGATED),
    Word("not", "analytics-11", r"\b([Ii])f we got\b", r"\1f we did not get", NEGATED),
    Word("not", "multi-15", r"\bany overdue\b", "no overdue", NEGATED),
    Word("not", "project-0[26]", r"\boverdue tasks\b", "tasks that are not overdue", NEGATED),
    Word("not", "crm-05", "either qualified or", "neither qualified nor", NEGATED),
    Word("not", "project-05", r"\bunfinished\b", "finished", told(list="Completed")),
    Word("not", "project-06", r"\b(have|has)n't\b", r"\1 already", unknown),
    Word("not", ".*", r"^[Pp]lease\b", "please do not", nothing),
    Word("not", ".*", r"^(Add|Cancel|Delete|Forward|Give|Make|Move|Reply|Send)\b",
         r"Do not: \1", nothing),
    Word("less for more", "multi-18", r"\bmore\b", "less", told(more_or_less="less")),
    Word("less for more", "analytics-11", r"\bmore\b", "less", told(more_or_less="less")),
    Word("less for more", "multi-17", r"\bmore\b", "less", told(more_or_less="less")),
    Word("less for more", "multi-0[05]", r"\b(longer than|over)\b", "less than", NEGATED),
    # How many.
    Word("all but the first", "calendar-07", r"\bmy\b", "all but the first of my", all_but_first),
    Word("all but the first", "calendar-08", r"\ball\b", "all but the first of the",
         all_but_first),
    Word("all but the first", "email-04", r"\ball the\b", "all but the newest of the",
         all_but_first),
    Word("all but one", "(crm|project)-.*|multi-(18|20)", r"\ball( of)?\b", "all but one of",
         unknown),
    # Another deed.
    Word("confirm for cancel", "calendar-0[078]", r"\b[Cc]ancel\b|\b[Dd]elete\b", "confirm",
         unknown),
    Word("earlier for later", "calendar-02", r"\b(Push back|Delay|move)\b", "bring forward",
         told(earlier="yes")),
    Word("export for delete", "crm-06", r"\b[Dd]elete\b", "export", unknown),
    Word("remove for add", "crm-02", r"\b[Aa]dd\b", "remove", unknown),
    Word("draft for send", "email-02|multi-0[356]|multi-15", r"\b[Ss]end\b", "draft", unknown),
    Word("draft for send", "email-0[38]", r"\b[Rr]eply to\b", "draft a reply to", unknown),
    Word("how to", ".*", r"^[Cc]an you\b", "can you tell me how to", nothing),
    # Whose.
    Word("another's", "calendar-0[027]", r"\bmy\b", "<someone>'s", unknown),
    Word("another's", BOOKING, r"\bI'm free\b|\bI can do\b", "<someone> is free", unknown),
    # When.
    Word("this for last", "email-04", r"\blast week\b", "this week", told(week="this")),
    Word("next for last", "calendar-06|multi-05", r"\b(last|past) $", "next ",
         told(direction="next")),
    Word("last for next", "multi-06", r"\bnext $", "last ", told(direction="last")),
    Word("this for next", "multi-(12|17|19|20)", r"\bnext Friday\b", "this Friday",
         told(friday="this")),
    Word("today for tomorrow", BOOKING, r"\btomorrow\b", "today", told(days_ahead="0")),
    Word("Monday for tomorrow", BOOKING, r"\btomorrow\b", "next Monday", on_monday),
    Word("until for since", "analytics-(04|10)", r"\bsince\b", "until", unknown),
    # Another unit or length.
    Word("weeks for days", "calendar-06|multi-0[56]", r"\bdays\b", "weeks", told(unit_days="7")),
    Word("days for weeks", "analytics-11", r"\bweeks\b", "days", told(unit_days="1")),
    Word("days for weeks", "multi-00", r"\b2 weeks\b", "2 days", told(days="2")),
    Word("weeks for days", "multi-00", r"\b14 days\b", "14 weeks", told(days="98")),
    Word("longer", BOOKING, r"\b(half[- ]hour|30[- ]minute)\b", "60-minute",
         told(minutes="60")),
    # Where, and how it is shown.
    Word("another list", "project-02", r"\bin progress\b", "in review", told(list="In Review")),
    Word("another list", "project-05", r"\bbacklog\b", "review list", told(into="In Review")),
    Word("another list", "project-01", r"\bbacklog\b", "in-progress list",
         told(list="In Progress")),
    Word("another board", "multi-(12|17|19|20)", r"\bfront-end\b", "back-end",
         told(on_board="Back end")),
    Word("another board", "multi-12", r"\bfront end tasks\b", "back end tasks",
         told(counted_board="Back end")),
    Word("another status", "crm-02", r"\bnew lead\b", "new qualified customer",
         told(status="Qualified")),
    Word("another status", "multi-20", r"\bleads in the\b", "lost customers in the",
         told(status="Lost")),
    Word("another picture", "analytics-01", r"\ba histogram\b", "a scatter plot",
         told(plot="scatter")),
    Word("another picture", "analytics-(04|11)", r"\bbar charts\b", "line charts",
         told(plot="line")),
    Word("another picture", "analytics-(07|08|10)", r"\bline\b", "bar", told(plot="bar")),
    # Another text.
    Word("another text", "email-03", r"\btomorrow\b", "next week",
         retext("tomorrow", "next week")),
    Word("another text", "email-08", r"\bthank you\b", "will do", retext("thank you", "will do")),
    Word("another text", "multi-03", r"\bRemember\b", "No need", retext("Remember", "No need")),
    Word("another text", "multi-0[56]", r"\bsoon\b", "later", retext("soon", "later")),
)  # fmt: skip

TAILS = (
    Tail("unless, true", ", unless today is a <today>", nothing),
    Tail("only if, false", ", but only if today is a <other day>", nothing),
    Tail("unless, not known", ", unless <someone> has done it already", unknown),
    Tail("tell only", "; for now only tell me what you would change", nothing),
    Tail("ask first", "; ask <someone> first whether that is right", unknown),
)

OTHERS = (
    Other("another date", "natural_language(_event|_due)?_date|date_min"),
    Other("another weekday", "day_of_week|next_day"),
    Other("another time", "natural_language_time"),
    Other("another person", "name|(new_)?assigned_to_first_name|(recipient|sender)_name|name_2"),
    Other("another customer", "current_customer_name"),
    Other("another subject", "subject|event_name"),
    Other("another stage or product", "new_status.*|natural_language_product_interest"),
)

OPPOSITES = (
    Opposite("less for more", "more_or_less", {"more": "less", "less": "more"}),
    Opposite("lower for higher", "higher_or_lower", {"higher": "lower", "lower": "higher"}),
    Opposite("least for most", "most_or_least", {"most": "least", "least": "most"}),
    Opposite("after for before", "before_or_after", {"before": "after", "after": "before"}),
    Opposite("minutes for hours", "duration",
             {"1 hour": "1 minute", "2 hour": "2 minute", "30 minute": "30 hour"}),
)  # fmt: skip

EXCHANGES = (
    Exchange("roles exchanged", "email-04", "name", "recipient_name"),
    Exchange("roles exchanged", "project-06", "name_1", "name_2"),
    Exchange("roles exchanged", "crm-05", "assigned_to_first_name", "new_assigned_to_first_name"),
    Exchange("roles exchanged", "multi-17", "natural_language_metric", "natural_language_metric_2"),
    Exchange("roles exchanged", "analytics-11", "traffic_source_1", "traffic_source_2"),
)
