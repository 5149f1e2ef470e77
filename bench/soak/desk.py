"""A person's working directory, and what it must hold: the truth that runs are held against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from llmos.values import RunResult, Turn

WORDS = (
    *("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath", "inlet", "jetty"),
    *("knoll", "lagoon", "marsh", "nook", "oasis", "plain", "quay", "ridge", "shore", "tarn"),
)
COLOURS = ("red", "green", "blue", "white", "black", "brown", "grey", "pink")


class Desk:
    """A folder, and what its files must hold if everything went right.

    Args:
        folder: A new one is made there.
        rng: Draws what the person does next: whatever others do meanwhile, it is the same.
    """

    def __init__(self, folder: Path, rng: Random) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.rng = rng
        self.files: dict[str, str] = {}
        """Relative path to content."""
        self.told: dict[str, str] = {}
        """What was said for good: the kiln to its paint."""
        self.planned: set[str] = set()
        """Plans that were made before."""
        self.number = 0

    def next(self) -> int:
        """A number that no job has had."""
        self.number += 1
        return self.number

    def put(self, name: str, text: str) -> None:
        """The person edits a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        self.files[name] = text

    def take(self, name: str) -> None:
        """The person throws a file away, if it is there."""
        (self.folder / name).unlink(missing_ok=True)
        self.files.pop(name, None)

    def expect(self, after: Mapping[str, str | None]) -> None:
        """From now on these files must hold this; None: not be there."""
        for name, text in after.items():
            if text is None:
                self.files.pop(name, None)
            else:
                self.files[name] = text

    def amiss(self) -> list[str]:
        """The files that are not what they must be."""
        found = {
            str(path.relative_to(self.folder)): path.read_text("utf-8")
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        return sorted(
            name for name in found.keys() | self.files if found.get(name) != self.files.get(name)
        )

    def holds(self, after: Mapping[str, str | None]) -> bool:
        """Whether these files are so on the disk."""
        for name, text in after.items():
            path = self.folder / name
            if (path.read_text("utf-8") if path.is_file() else None) != text:
                return False
        return True

    def adopt(self) -> None:
        """Take what is there for what must be there: after a run that is known to be wrong."""
        for name in self.amiss():
            path = self.folder / name
            self.expect({name: path.read_text("utf-8") if path.is_file() else None})


@dataclass(frozen=True)
class Job:
    """One goal, and what is right."""

    kind: str
    goal: str
    after: Mapping[str, str | None] = field(default_factory=dict)
    """What files must hold afterwards; None: not be there."""
    answer: str = ""
    """What the answer must hold."""
    fails: bool = False
    """It cannot be done."""
    mode: str = "AUTO"
    agent: str | None = None
    turns: tuple[Turn, ...] = ()
    in_session: bool = False
    undoable: bool = False
    """Now and then it is taken back."""

    def right(self, result: RunResult, desk: Desk) -> bool:
        """Whether a run that says it was a success was one, by the files and the answer."""
        return desk.holds(self.after) and self.answer in result.output


Make = Callable[[Desk, Random], Job]
"""Makes the next job of a kind, and edits the person's files as a person would before it."""

# --- goals of a kind ---------------------------------------------------------------------------


def note(desk: Desk, rng: Random) -> Job:
    """One write; the crons make a tool of them."""
    n = desk.next()
    title = f"{rng.choice(WORDS).capitalize()} {rng.choice(WORDS)} {n}"
    place = f"notes/{rng.choice(WORDS)}-{n}.md"
    return Job("note", note_goal(title, place), {place: f"# {title}\n"}, undoable=True)


def note_goal(title: str, place: str) -> str:
    """The goal of a note."""
    return f'Write a note called "{title}" to {place}'


def port(desk: Desk, rng: Random) -> Job:
    """A read and an edit."""
    n, old = desk.next(), rng.randrange(1024, 30_000)
    name, new = f"srv/{rng.choice(WORDS)}{n}.ini", old + rng.randrange(1, 99)
    desk.put(name, _server(old))
    goal = f"Change the port in {name} from {old} to {new}"
    return Job("port", goal, {name: _server(new)}, undoable=True)


def _server(number: int) -> str:
    return f"[server]\nhost = localhost\nport = {number}\nworkers = 4\n"


def count(desk: Desk, rng: Random) -> Job:
    """A question about a file."""
    name, errors = f"logs/{rng.choice(WORDS)}{desk.next()}.log", rng.randrange(1, 10)
    lines = [f"{k:02d} ERROR disk" if k < errors else f"{k:02d} INFO ok" for k in range(30)]
    rng.shuffle(lines)
    desk.put(name, "\n".join(lines) + "\n")
    return Job("count", f"How many lines of {name} say ERROR?", answer=f"{name}:{errors}")


def gauge(desk: Desk, rng: Random) -> Job:
    """A question to a plugin's tool, which the model must find among many."""
    word, mark = rng.choice(WORDS), rng.randrange(400)
    goal = f"Which level does the {word} gauge have at mark {mark}?"
    return Job("gauge", goal, answer=level(word, mark))


def level(word: str, mark: int) -> str:
    """What a gauge shows."""
    return f"{len(word) * 7 + mark * 13 + ord(word[0])} mm"


# --- the same goals again ------------------------------------------------------------------------

THEMES = 6


def theme(desk: Desk, rng: Random) -> Job:
    """The same goal as before, with the file as it was before."""
    return _theme(desk, rng, "theme", "colour = none\nsize = 3\n")


def theme_edited(desk: Desk, rng: Random) -> Job:
    """The same goal, and somebody has edited the file: a replay must stop."""
    edited = f"# edited {desk.next()}\ncolour = none\nsize = {rng.randrange(4, 99)}\n"
    return _theme(desk, rng, "edited", edited)


def theme_done(desk: Desk, rng: Random) -> Job:
    """The same goal, and it has been done already."""
    return _theme(desk, rng, "again", None)


def _theme(desk: Desk, rng: Random, kind: str, text: str | None) -> Job:
    which = rng.randrange(THEMES)
    name, colour = f"theme/{WORDS[which]}.css", COLOURS[which]
    if text is not None or name not in desk.files:
        desk.put(name, text or "colour = none\nsize = 3\n")
    after = desk.files[name].replace("colour = none", f"colour = {colour}")
    return Job(kind, f"Set the colour in {name} to {colour}", {name: after})


def motto(desk: Desk, rng: Random) -> Job:
    """The same question; now and then the answer is another one by now."""
    name = f"motto/{rng.choice(WORDS[:5])}.txt"
    if name not in desk.files or rng.random() < 0.1:
        desk.put(name, f"{rng.choice(WORDS)} above all, {desk.next()}\n")
    return Job("motto", f"What does {name} say?", answer=desk.files[name].strip())


# --- goals that only a model can do --------------------------------------------------------------


def sketch(desk: Desk, rng: Random) -> Job:
    """A text that follows from nothing."""
    return _sketch(desk, rng, "sketch", None)


def sketch_by_any(desk: Desk, rng: Random) -> Job:
    """The same, by whichever agent is best at it."""
    return _sketch(desk, rng, "agent", "auto")


def _sketch(desk: Desk, rng: Random, kind: str, agent: str | None) -> Job:
    goal, after = _drawn(desk, rng)
    return Job(kind, goal, after, agent=agent)


def _drawn(desk: Desk, rng: Random) -> tuple[str, dict[str, str | None]]:
    place = f"art/{desk.next()}.md"
    goal = f"Sketch the {rng.choice(COLOURS)} {rng.choice(WORDS)} into {place}"
    return goal, {place: invented(goal)}


def invented(goal: str) -> str:
    """What the script that stands for a model makes up; nobody else can know it."""
    return f"A sketch, {hashlib.sha256(goal.encode()).hexdigest()[:24]}"


def talk(desk: Desk, rng: Random) -> Job:
    """A turn of a session."""
    goal, after = _drawn(desk, rng)
    return Job("turn", goal, after, in_session=True)


def talk_on(desk: Desk, earlier: Job) -> Job:
    """The turn after it, which refers to it."""
    place = f"art/{desk.next()}-copy.md"
    turn = Turn(earlier.goal, "Sketched.")
    after = {place: invented(earlier.goal)}
    return Job("turn", f"Write the same to {place}", after, turns=(turn,), in_session=True)


def tell(desk: Desk, rng: Random) -> Job:
    """Something to be remembered."""
    kiln, paint = f"K{desk.next()}", rng.choice(COLOURS)
    desk.told[kiln] = paint
    return Job("tell", f"Remember that the paint of kiln {kiln} is {paint}")


def ask(desk: Desk, rng: Random) -> Job:
    """Something that was said before, and stands nowhere else."""
    if not desk.told:
        return tell(desk, rng)
    kiln = rng.choice(list(desk.told))
    return Job("ask", f"Which paint is that of kiln {kiln}?", answer=desk.told[kiln])


# --- plans and failures --------------------------------------------------------------------------

TRIPS = 5
NEEDED = ("tickets", "maps", "snacks")


def trip(desk: Desk, rng: Random) -> Job:
    """A plan of three parts; some are planned again."""
    n = rng.randrange(TRIPS) if rng.random() < 0.5 else TRIPS + desk.next()
    after: dict[str, str | None] = {}
    for what in NEEDED:
        place = f"trips/{n}/{what}.md"
        desk.take(place)
        after[place] = f"# Trip {n} {what}\n"
    goal = f"Prepare trip {n}"
    mode = "AUTO" if goal in desk.planned else "ORCHESTRATOR"
    desk.planned.add(goal)
    return Job("plan", goal, after, mode=mode)


def trip_parts(goal: str) -> list[dict[str, str]]:
    """The parts of a plan, as a model says them."""
    n = goal.split()[-1]
    return [
        {"id": what, "goal": note_goal(f"Trip {n} {what}", f"trips/{n}/{what}.md")}
        for what in NEEDED
    ]


def moon(desk: Desk, rng: Random) -> Job:
    """Nobody can do it."""
    return Job("fail", f"Fetch the moon rock {desk.next()} to moon.txt", fails=True)


def missing(desk: Desk, rng: Random) -> Job:
    """A tool fails, and so does the run."""
    goal = f"Change the port in gone/{desk.next()}.ini from 80 to 81"
    return Job("fail", goal, fails=True)


MIXTURE: Mapping[Make, int] = {
    note: 20,
    port: 11,
    count: 7,
    gauge: 5,
    theme: 16,
    theme_done: 4,
    theme_edited: 5,
    motto: 8,
    sketch: 6,
    sketch_by_any: 3,
    talk: 2,
    tell: 2,
    ask: 3,
    trip: 3,
    moon: 2,
    missing: 1,
}
"""How many of about a hundred goals are of a kind; a `talk` has a second turn."""
