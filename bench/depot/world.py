"""The tables of a mail-order warehouse, made from a seed: reset cheaply, compared by content.

Rows are never changed in place: a tool that changes one puts a new dict where the old one was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from llmos.values import Json

Row = dict[str, Json]
State = dict[str, tuple[Row, ...]]

NOW = datetime(2025, 3, 12, 10, 30, tzinfo=UTC)
"""A Wednesday; drifted worlds have another clock."""

CREATED = ("tickets", "mails", "purchases")
"""Tables that rows are added to: neither their order nor the number they get is anyone's wish."""

CATEGORIES = {
    "garden": ("rake", "hose", "planter", "trowel", "bench"),
    "kitchen": ("pan", "bowl", "kettle", "grater", "tray"),
    "lighting": ("lamp", "lantern", "spotlight", "candle holder", "torch"),
    "tools": ("hammer", "saw", "drill", "clamp", "file"),
    "storage": ("box", "basket", "shelf", "rack", "chest"),
    "cleaning": ("bucket", "brush", "mop", "broom", "duster"),
    "camping": ("tent", "stove", "mat", "cooler", "flask"),
}
MATERIALS = ("Steel", "Oak", "Copper", "Canvas", "Bamboo", "Zinc", "Birch", "Enamel")
SUPPLIERS = (
    "Nordholt", "Bruck & Sons", "Castellan", "Halvard Mills", "Ivory Lane", "Pinecrest", "Tallis",
    "Wexmoor",
)  # fmt: skip
CITIES = ("Leeds", "Bergen", "Graz", "Porto", "Ghent", "Turku")
NAMES = (
    "Ada", "Ben", "Carla", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June", "Kai", "Lena",
    "Max", "Nora", "Otto", "Pia", "Quinn", "Rosa", "Sam", "Tess", "Uma", "Vera", "Will", "Yara",
)  # fmt: skip
TEAMS = ("picking", "packing", "returns", "office")
SHIFTS = ("early", "late", "night")
CARRIERS = ("Swiftline", "Parcelway", "Redcart", "Bluepost")
STATUSES = ("open", "on hold", "packed", "shipped", "cancelled")
REASONS = ("damaged", "wrong size", "unwanted", "missing parts")
QUEUES = ("inbound", "outbound", "complaints", "facilities")
TIERS = ("basic", "silver", "gold")
PROBLEMS = (
    "Label missing", "Pallet blocked", "Scanner broken", "Door stuck", "Box crushed", "Wrong count",
    "Printer jam", "Cold aisle", "Leaking can", "Lost key",
)  # fmt: skip


class World:
    """Everything that the tools read and write.

    Args:
        tables: Rows by table; to be left alone from now on.
        now: What the clock says, aware.
    """

    def __init__(self, tables: Mapping[str, Sequence[Row]], now: datetime) -> None:
        self.now = now
        self._made = tables
        self.tables = {name: list(rows) for name, rows in tables.items()}

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables[table]

    def fresh(self) -> World:
        """A world as this one was when it was made, whatever has been done to it since."""
        return World(self._made, self.now)

    def state(self) -> State:
        """The present state; later calls do not change it."""
        return {name: tuple(rows) for name, rows in self.tables.items()}

    def put(self, table: str, old: Row, **new: Json) -> None:
        """Change some columns of a row."""
        rows = self.tables[table]
        rows[next(i for i, row in enumerate(rows) if row is old)] = {**old, **new}

    def add(self, table: str, **row: Json) -> int:
        """Add a row; its number is told, and stands in the column ``id``."""
        rows = self.tables[table]
        number = int(max((r["id"] for r in rows), default=0)) + 1
        rows.append({"id": number, **row})
        return number


def same_state(a: State, b: State) -> bool:
    """Whether two final states count as the same."""
    return all(
        _unordered(a[name]) == _unordered(b[name]) if name in CREATED else a[name] == b[name]
        for name in a
    )


def _unordered(rows: Sequence[Row]) -> Counter[str]:
    return Counter(repr(sorted((k, v) for k, v in row.items() if k != "id")) for row in rows)


# --- making one --------------------------------------------------------------------------------


def make_world(seed: int, now: datetime = NOW) -> World:
    """The tables that a seed stands for, with everything dated around ``now``."""
    rng = Random(f"depot {seed}")
    tables: dict[str, list[Row]] = {"suppliers": _suppliers(rng), "customers": _customers(rng)}
    tables["products"] = _products(rng)
    tables["orders"] = _orders(rng, tables, now)
    tables["shipments"] = _shipments(rng, tables["orders"], now)
    tables["returns"] = _returns(rng, tables["orders"], now)
    tables["staff"] = _staff(rng)
    tables["tickets"] = _tickets(rng, tables["staff"], now)
    return World({**tables, "mails": [], "purchases": []}, now)


def _suppliers(rng: Random) -> list[Row]:
    return [
        {
            "name": name,
            "city": rng.choice(CITIES),
            "email": f"orders@{name.split()[0].lower()}.example",
            "lead_days": rng.randint(2, 21),
            "minimum": rng.choice((1, 5, 10)),
        }
        for name in SUPPLIERS
    ]


def _customers(rng: Random) -> list[Row]:
    return [
        {
            "email": f"{name.lower()}{k}@mail.example",
            "name": name,
            "city": rng.choice(CITIES),
            "tier": rng.choice(TIERS),
            "credit": 0.0,
        }
        for name in NAMES
        for k in rng.sample(range(10, 99), 3)
    ]


def _products(rng: Random) -> list[Row]:
    kinds = [(c, noun) for c, nouns in CATEGORIES.items() for noun in nouns]
    named = [(c, f"{m} {noun}") for c, noun in kinds for m in rng.sample(MATERIALS, 3)]
    named += [(c, f"{name} XL") for c, name in rng.sample(named, 25)]
    rng.shuffle(named)
    # No two prices are the same, so that the cheapest is one.
    prices = [99 + 10 * n for n in rng.sample(range(20, 1600), len(named))]
    return [
        {
            "sku": f"SKU-{2000 + 7 * i}",
            "name": name,
            "category": category,
            "supplier": rng.choice(SUPPLIERS),
            "price": prices[i] / 100,
            "main": rng.randint(0, 120),
            "overflow": rng.choice((0, rng.randint(5, 200))),
            "reorder_level": rng.choice((10, 20, 25, 30, 40, 50)),
            "bin": f"{rng.choice('ABCDEF')}-{rng.randint(1, 40):02d}",
        }
        for i, (category, name) in enumerate(named)
    ]


def _orders(rng: Random, tables: Mapping[str, list[Row]], now: datetime) -> list[Row]:
    minutes = sorted(rng.sample(range(30, 60 * 24 * 60), 220), reverse=True)
    orders: list[Row] = []
    for i, before in enumerate(minutes):
        lines = [
            {"sku": p["sku"], "quantity": rng.randint(1, 6), "unit_price": p["price"]}
            for p in rng.sample(tables["products"], rng.randint(1, 4))
        ]
        orders.append(
            {
                "id": f"O-{1001 + i}",
                "customer": rng.choice(tables["customers"])["email"],
                "status": rng.choices(STATUSES, (30, 14, 14, 32, 10))[0],
                "placed_at": (now - timedelta(minutes=before)).strftime("%Y-%m-%d %H:%M"),
                "total": round(sum(x["quantity"] * x["unit_price"] for x in lines), 2),
                "lines": lines,
                "reason": "",
            }
        )
    return orders


def _shipments(rng: Random, orders: Sequence[Row], now: datetime) -> list[Row]:
    shipped = [o for o in orders if o["status"] in ("packed", "shipped")]
    days = (now.date() + timedelta(days=rng.randint(-15, 12)) for _ in shipped)
    return [
        {
            "id": f"S-{301 + i}",
            "order": order["id"],
            "carrier": rng.choice(CARRIERS),
            "due": str(due),
            "delivered": str(due) if due < now.date() and rng.random() < 0.5 else None,
            "weight_kg": rng.randint(3, 300) / 10,
        }
        for i, (order, due) in enumerate(zip(shipped, days, strict=True))
    ]


def _returns(rng: Random, orders: Sequence[Row], now: datetime) -> list[Row]:
    made: list[Row] = []
    for i, order in enumerate(rng.sample([o for o in orders if o["status"] == "shipped"], 45)):
        line = rng.choice(order["lines"])
        quantity = rng.randint(1, line["quantity"])
        made.append(
            {
                "id": f"R-{51 + i}",
                "order": order["id"],
                "sku": line["sku"],
                "quantity": quantity,
                "reason": rng.choice(REASONS),
                "received": str(now.date() - timedelta(days=rng.randint(0, 40))),
                "worth": round(quantity * line["unit_price"], 2),
                "status": rng.choice(("open", "open", "closed")),
                "refunded": 0.0,
            }
        )
    return made


def _staff(rng: Random) -> list[Row]:
    return [
        {
            "name": name,
            "address": f"{name.lower()}@depot.example",
            "team": TEAMS[i % 4],
            "shift": rng.choice(SHIFTS),
        }
        for i, name in enumerate(rng.sample(NAMES, len(NAMES)))
    ]


def _tickets(rng: Random, staff: Sequence[Row], now: datetime) -> list[Row]:
    """In no team two people have equally many open ones, so that the least busy is one."""
    owners = [""] * 55
    for team in TEAMS:
        people = [person["address"] for person in staff if person["team"] == team]
        for many, address in enumerate(rng.sample(people, len(people))):
            owners += [address] * many
    closed = [rng.choice(staff)["address"] for _ in range(25)]
    given = [(owner, "open") for owner in owners] + [(owner, "closed") for owner in closed]
    return [
        {
            "id": 401 + i,
            "queue": rng.choice(QUEUES),
            "title": f"{rng.choice(PROBLEMS)} in aisle {rng.randint(1, 40)}",
            "opened": str(now.date() - timedelta(days=rng.randint(0, 30))),
            "due": None,
            "assignee": owner,
            "urgent": rng.random() < 0.4,
            "status": status,
        }
        for i, (owner, status) in enumerate(rng.sample(given, len(given)))
    ]
