"""Jobs of the office: some that stand for their kind, and random ones of the language."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from llmos.evolution.ir import (
    Arguments,
    Expr,
    Guard,
    Loop,
    Now,
    Paging,
    Program,
    Read,
    Row,
    Seen,
    Single,
    Slot,
    Write,
    call,
    const,
)
from tests.evolution.office import PAGE, Job

TOPIC, ROOM, TEXT = Slot("topic"), Slot("room"), Slot("text")
BOOKS, PARCELS, CLIMATE = (
    call("rows", Seen("books")),
    call("rows", Seen("parcels")),
    Seen("climate"),
)


def args(values: Mapping[str, Expr]) -> Arguments:
    """Arguments with one candidate each."""
    return {name: (value,) for name, value in values.items()}


def find(topic: Expr | None = None) -> Read:
    """The search for books, page by page."""
    arguments = args({"topic": topic} if topic is not None else {})
    return Read(
        "books", (const("shelf.find"),), arguments, "", Paging(PAGE, "before", "shelved"), PAGE
    )


def look(node: str, tool: str, **arguments: Expr) -> Read:
    """A read."""
    return Read(node, (const(tool),), args(arguments))


def write(tool: str, guard: str = "", **arguments: Expr) -> Write:
    """A write that is made once."""
    return Write("w", (const(tool),), (Single(args(arguments)),), guard)


def each(tool: str, rows: Expr, **arguments: Expr) -> Write:
    """A write that is made for every row."""
    return Write("w", (const(tool),), (Loop((rows,), args(arguments)),))


def field(name: str) -> Expr:
    """A field of the row that a loop is at."""
    return call("get", Row(), name)


NOTE = Job(
    'Post the note "{text}" in the {room}',
    Program((write("note.post", room=ROOM, text=TEXT),)),
)
DUTY = Job(
    "Put the {room} on duty for {day}",
    Program(
        (
            write(
                "duty.add",
                room=ROOM,
                day=call("date_text", call("day", Slot("day"), Now(), "after")),
            ),
        )
    ),
)
CLEAR = Job(
    "Remove all books about {topic}",
    Program((find(TOPIC), each("shelf.remove", BOOKS, code=field("code")))),
)
LATEST = Job(
    "Lend the latest book about {topic} to the {room}",
    Program(
        (
            find(TOPIC),
            write("shelf.lend", code=call("get", call("nth", BOOKS, 0), "code"), room=ROOM),
        )
    ),
)
WARM = Job(
    'If it was ever warmer than {degrees} in the {room}, post the note "{text}" there',
    Program(
        (
            look("climate", "climate.get", room=ROOM),
            write("note.post", "g", room=ROOM, text=TEXT),
        ),
        {"g": Guard((call("ever", CLIMATE, ">", call("number", Slot("degrees"))),))},
    ),
)
EMPTY = Job(
    'Post the note "{text}" in the {room} if no parcel is there',
    Program(
        (
            look("parcels", "parcel.list", room=ROOM),
            write("note.post", "g", room=ROOM, text=TEXT),
        ),
        {"g": Guard((call("negated", call("exists", PARCELS)),))},
    ),
)
SIMPLE = {
    "note": NOTE,
    "duty": DUTY,
    "clear": CLEAR,
    "latest": LATEST,
    "warm": WARM,
    "empty": EMPTY,
}
"""Jobs that must be learnt from ten traces."""

Draw = st.DrawFn

_FILTERS: tuple[tuple[str, str, Expr, str], ...] = (
    ("state", "==", const("lent"), "that are lent"),
    ("shelved", "<", call("day", Slot("past"), Now(), "last"), "shelved before {past}"),
    ("shelved", ">", call("day", Slot("past"), Now(), "last"), "shelved after {past}"),
    ("copies", ">", call("number", Slot("number")), "with more than {number} copies"),
    ("copies", "<", call("number", Slot("number")), "with fewer than {number} copies"),
)
_SAYINGS: tuple[tuple[Expr, str], ...] = (
    (TEXT, 'that says "{text}"'),
    (call("concat", "Attention: ", TEXT), 'that begins with a warning, "{text}"'),
    (call("concat", TEXT, " (", call("date_text", Now()), ")"), 'that says "{text}" with the date'),
    (
        call(
            "concat", "Until ", call("date_text", call("shift", call("midnight", Now()), 7, 1440))
        ),
        "",
    ),
)
_DATES: tuple[tuple[Expr, str], ...] = (
    (call("day", Slot("day"), Now(), "next"), "on {day}"),
    (call("day", Slot("day"), Now(), "after"), "for {day}"),
    (call("shift", call("midnight", Now()), call("days", Slot("span")), 1440), "in {span}"),
    (call("shift", call("midnight", Now()), 1, 1440), "the day after"),
    (call("weekday", 4, Now(), "after"), "at the end of the week"),
)


def _rows(draw: Draw) -> tuple[Read, Expr, str]:
    """Books that are meant, with how that is said."""
    by_topic = draw(st.booleans())
    rows, said = BOOKS, "books about {topic}" if by_topic else "books"
    count = draw(st.integers(0 if by_topic else 1, 2))
    for name, op, operand, phrase in draw(
        st.lists(
            st.sampled_from(_FILTERS), min_size=count, max_size=count, unique_by=lambda f: f[0]
        )
    ):
        rows, said = call("where", rows, name, op, operand), f"{said} {phrase}"
    return find(TOPIC if by_topic else None), rows, said


def _loop(draw: Draw) -> Job:
    read, rows, said = _rows(draw)
    if draw(st.booleans()):
        return Job(
            f"Remove all {said}", Program((read, each("shelf.remove", rows, code=field("code"))))
        )
    lend = each("shelf.lend", rows, code=field("code"), room=ROOM)
    return Job(f"Lend the {said} to the {{room}}", Program((read, lend)))


def _pick(draw: Draw) -> Job:
    read, rows, said = _rows(draw)
    ways: list[tuple[Expr, str]] = [
        (call("nth", rows, 0), "latest"),
        (call("nth", rows, -1), "first"),
        (call("extreme", rows, "copies", True), "most frequent"),
        (call("only", rows), "one"),
    ]
    pick, name = draw(st.sampled_from(ways))
    remove = write("shelf.remove", code=call("get", pick, "code"))
    return Job(f"Remove the {name} of the {said}", Program((read, remove)))


def _branch(draw: Draw) -> Job:
    text, said = draw(st.sampled_from(_SAYINGS))
    limit = call("number", Slot("degrees"))
    ways: list[tuple[Read, Expr, str]] = [
        (look("parcels", "parcel.list", room=ROOM), call("exists", PARCELS), "a parcel is there"),
        (
            look("parcels", "parcel.list", room=ROOM),
            call("negated", call("exists", PARCELS)),
            "no parcel is there",
        ),
        (
            look("climate", "climate.get", room=ROOM),
            call("ever", CLIMATE, ">", limit),
            "it was ever over {degrees}",
        ),
        (
            look("climate", "climate.get", room=ROOM),
            call("test", call("mean", CLIMATE), "<", limit),
            "it was under {degrees} on average",
        ),
    ]
    read, condition, when = draw(st.sampled_from(ways))
    post = write("note.post", "g", room=ROOM, text=text)
    return Job(
        f"Post a note {said} in the {{room}} if {when}",
        Program((read, post), {"g": Guard((condition,))}),
    )


def _single(draw: Draw) -> Job:
    if draw(st.booleans()):
        text, said = draw(st.sampled_from(_SAYINGS))
        return Job(
            f"Post a note {said} in the {{room}}",
            Program((write("note.post", room=ROOM, text=text),)),
        )
    day, when = draw(st.sampled_from(_DATES))
    duty = write("duty.add", room=ROOM, day=call("date_text", day))
    return Job(f"Put the {{room}} on duty {when}", Program((duty,)))


_KINDS = {"loop": _loop, "pick": _pick, "branch": _branch, "single": _single}


@st.composite
def jobs(draw: Draw, kind: str = "") -> Job:
    """Random jobs: one write, a loop, one of several, or a branch."""
    return _KINDS[kind or draw(st.sampled_from(sorted(_KINDS)))](draw)
