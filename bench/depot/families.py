"""What a family of goals is, and what its oracle and its expert are given to work with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any, ClassVar, TypeVar

from bench.depot.plugins import TOOLS, call
from bench.depot.world import NAMES, Row, World
from llmos.values import Json, Step

T = TypeVar("T")
Slots = dict[str, Any]
Call = tuple[str, dict[str, Json]]


class Undefined(Exception):
    """The goal has no single right outcome in this world: it is not asked there."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is right: writes, or an answer that the final text must carry."""

    calls: Sequence[Call] = ()
    answer: str | int | float | None = None


NOTHING = Truth()


class Family:
    """Goals that differ in their slots. The docstring begins with the kind of the family.

    The oracle looks into the tables; the expert only at what tools show. So each checks the other.
    """

    all: ClassVar[dict[str, Family]] = {}
    wordings: ClassVar[tuple[str, ...]]
    near: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Words of the wordings, and those that turn the goal: its truth is then that of ``flip``."""

    def __init_subclass__(cls) -> None:
        name = re.sub(r"(?<=.)([A-Z])", r"-\1", cls.__name__).lower()
        Family.all[name] = cls()

    @property
    def kind(self) -> str:
        """Such as ``Branch``."""
        return (self.__doc__ or "").split(":")[0]

    def draw(self, d: Draw) -> Slots:
        """Slots of another goal, that make sense in the world."""
        raise NotImplementedError

    def oracle(self, w: World, s: Slots, flip: bool) -> Truth:
        """What is right.

        Raises:
            Undefined: Nothing is.
        """
        raise NotImplementedError

    def expert(self, a: Agent, s: Slots) -> str:
        """Do it, and tell so."""
        raise NotImplementedError


# --- for drawing -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draw:
    """Values that people would name."""

    rng: Random
    world: World

    def row(self, table: str, where: Callable[[Row], bool] = lambda row: True) -> Row:
        """A row of those that fit; any when none does."""
        rows = self.world[table]
        return self.rng.choice([row for row in rows if where(row)] or rows)

    def of(self, values: Iterable[T]) -> T:
        """One of them."""
        return self.rng.choice(list(values))

    def number(self, low: int, high: int, step: int = 1) -> int:
        """A number, the ends included."""
        return self.rng.randrange(low, high + 1, step)

    def day(self, low: int, high: int) -> date:
        """A day, counted from today."""
        return self.world.now.date() + timedelta(days=self.number(low, high))

    def address(self) -> str:
        """Someone of the staff."""
        return f"{self.of(NAMES).lower()}@depot.example"


# --- for oracles -------------------------------------------------------------------------------


def one(w: World, table: str, **wanted: Json) -> Row:
    """The only row with these values.

    Raises:
        Undefined: There is none, or several.
    """
    rows = [row for row in w[table] if all(row[c] == v for c, v in wanted.items())]
    if len(rows) != 1:
        raise Undefined
    return rows[0]


def extreme(rows: Iterable[Row], key: Callable[[Row], Any], greatest: bool) -> Row:
    """The row with the least or the greatest key.

    Raises:
        Undefined: There is none, or several.
    """
    ordered = sorted(rows, key=key, reverse=greatest)
    if not ordered or (len(ordered) > 1 and key(ordered[0]) == key(ordered[1])):
        raise Undefined
    return ordered[0]


def cents(value: float) -> float:
    """An amount as it is paid.

    Raises:
        Undefined: It lies between two cents.
    """
    if abs(value * 100 % 1 - 0.5) < 1e-6:
        raise Undefined
    return round(value, 2)


def mail(to: str | list[str], subject: str, body: str) -> Call:
    """A mail that is to be sent."""
    return "mail.send", {
        "to": [to] if isinstance(to, str) else to,
        "subject": subject,
        "body": body,
    }


# --- for experts -------------------------------------------------------------------------------

DONE, NOT_NEEDED = "Done.", "Nothing had to be done."
_PERSON = re.compile(r"(\w+) <(\S+)>, (\w+) shift, (\d+) open tickets")


class Agent:
    """Calls tools, and keeps a record of it.

    Args:
        world: Is worked on.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.today = world.now.date()
        self.steps: list[Step] = []

    def __call__(self, tool: str, **arguments: Json) -> Any:
        """What the tool shows.

        Raises:
            ValueError: The tool refuses: an expert makes no mistakes.
        """
        result = call(self._world, tool, arguments)
        if result.is_error:
            raise ValueError(f"{tool}: {result.text}")
        shown = result.observation
        self.steps.append(Step(tool, arguments, shown, effect=TOOLS[tool].effect))
        return shown

    def product(self, name: str) -> Row:
        """The product of exactly this name; others may have it in theirs."""
        return next(row for row in self("products.search", text=name) if row["name"] == name)

    def orders(self, status: str) -> list[Row]:
        """The orders of a status, from all pages."""
        page: int | None = 1
        found: list[Row] = []
        while page:
            shown = self("orders.list", status=status, page=page)
            found += shown["orders"]
            page = shown["next_page"]
        return found

    def parcels(self, carrier: str, delivered: bool) -> list[Row]:
        """The parcels of a carrier, looked at one by one."""
        ids = self("shipments.find", carrier=carrier, delivered=delivered)
        return [self("shipments.get", shipment_id=id_) for id_ in ids]

    def team(self, team: str) -> list[Row]:
        """The people of a team, as the lines tell."""
        return [
            {"name": name, "address": address, "shift": shift, "busy": int(busy)}
            for name, address, shift, busy in _PERSON.findall(self("staff.roster", team=team))
        ]

    def mail(self, to: str | list[str], subject: str, body: str) -> None:
        """Send a mail."""
        self("mail.send", to=[to] if isinstance(to, str) else to, subject=subject, body=body)
