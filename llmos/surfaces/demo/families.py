"""Goals that come again with other words each time: what a night is shown to learn from.

The runs that teach were made for this demo: no model did them, and nobody claims a token for them.
They are played through the system calls on real files, and checked, like any other run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmos.cortex.processors import RecordedProcessor
from llmos.surfaces.demo.jobs import Files, lay_out
from llmos.values import Step, Trace

MADE = "made for this demo"
"""Stands where the name of a model would."""


@dataclass(frozen=True)
class Instance:
    """One goal of a family."""

    goal: str
    steps: tuple[Step, ...]
    """What is to be called for it; a model or a learned tool is not shown this."""
    result: Files
    """What the files that change hold afterwards."""


@dataclass(frozen=True)
class Family:
    """A goal with changing parameters."""

    name: str
    files: Files
    """What every goal of it starts from."""
    lessons: tuple[Instance, ...]
    """Done before the night."""
    later: tuple[Instance, ...]
    """Never seen before the night."""
    near_miss: Instance | None = None
    """Nearly of the family, and not the same work."""

    def right(self, instance: Instance, folder: Path) -> bool:
        """Whether the folder holds what it should after ``instance``, and nothing else."""
        return texts(folder) == dict(self.files) | dict(instance.result)

    def lay_out(self, folder: Path) -> Path:
        """Put the family's files into a new folder and return it."""
        return lay_out(self.files, folder)


def texts(folder: Path) -> dict[str, str]:
    """Content of every file below a folder, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in files}


def teacher(families: Mapping[str, Family]) -> RecordedProcessor:
    """Does the lessons, as they were made for this demo."""
    lessons = [lesson for family in families.values() for lesson in family.lessons]
    return RecordedProcessor({x.goal: Trace(x.goal, x.steps, "Done.", model=MADE) for x in lessons})


# --- notes: one Write ------------------------------------------------------------------------


def _note(title: str, place: str) -> Instance:
    content = f"# {title}\n"
    return Instance(
        f'Write a note called "{title}" to {place}',
        (Step("Write", {"file_path": place, "content": content}),),
        {place: content},
    )


NOTES = Family(
    "note",
    {"notes/index.md": "# Notes\n"},
    (
        _note("Water the tomatoes", "notes/garden.md"),
        _note("Call the plumber", "notes/house.md"),
        _note("Buy a kettle", "notes/shopping.md"),
    ),
    (_note("Feed the cat", "notes/pets.md"), _note("Tune the violin", "notes/music/strings.md")),
)

# --- ports: a Read and an Edit ---------------------------------------------------------------

_PORTS = {"app.ini": 8080, "web.ini": 9000, "api.ini": 7000, "mail.ini": 2525, "chat.ini": 6667}


def _server(port: int) -> str:
    return f"[server]\nhost = localhost\nport = {port}\nworkers = 4\n"


def _port(name: str, new: int) -> Instance:
    old = _PORTS[name]
    change = {"old_string": f"port = {old}", "new_string": f"port = {new}"}
    return Instance(
        f"Change the port in {name} from {old} to {new}",
        (Step("Read", {"file_path": name}), Step("Edit", {"file_path": name, **change})),
        {name: _server(new)},
    )


PORTS = Family(
    "port",
    {name: _server(port) for name, port in _PORTS.items()},
    (_port("app.ini", 8081), _port("web.ini", 9100), _port("api.ini", 7070)),
    (_port("mail.ini", 2526), _port("chat.ini", 6697)),
)

# --- tasks: a Read and an Edit; the place in the goal never varies ---------------------------

_HEAD, _REST = "# Tasks\n", "- Sleep\n"


def _task(text: str, name: str, place: int = 1) -> Instance:
    above, below = ("", _REST) if place == 1 else (_REST, "")
    change = {"old_string": f"{_HEAD}{above}", "new_string": f"{_HEAD}{above}- {text}\n"}
    return Instance(
        f'Add "{text}" at place {place} of {name}',
        (Step("Read", {"file_path": name}), Step("Edit", {"file_path": name, **change})),
        {name: f"{_HEAD}{above}- {text}\n{below}"},
    )


TASKS = Family(
    "task",
    {f"{name}.md": f"{_HEAD}{_REST}" for name in ("garden", "house", "shopping", "pets", "music")},
    (
        _task("Water the tomatoes", "garden.md"),
        _task("Call the plumber", "house.md"),
        _task("Buy a kettle", "shopping.md"),
    ),
    (_task("Feed the cat", "pets.md"), _task("Tune the violin", "music.md")),
    _task("Feed the cat", "pets.md", place=2),
)

FAMILIES = {family.name: family for family in (NOTES, PORTS, TASKS)}
"""In the order in which the demo does them."""
