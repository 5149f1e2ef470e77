"""How budgets are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmos.errors import UserError
from llmos.surfaces.cli.output import dollars, one_line, print_table, to_json, when
from llmos.values import Json

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.kernel.ledger import LedgerRow


def limit_of(words: Sequence[str]) -> tuple[str, float | None]:
    """Scope and limit that ``budget set`` names: ``20``, or ``user:alice 5``, or ``… none``.

    Raises:
        UserError: They are none.
    """
    *scopes, amount = words
    if len(scopes) > 1:
        raise UserError("too many words", "llmos budget set [SCOPE] USD")
    scope = scopes[0] if scopes else "system"
    if amount == "none":
        if scope == "system":
            raise UserError("the system's budget needs a number", "llmos budget set 1000")
        return scope, None
    try:
        return scope, float(amount.removeprefix("$"))
    except ValueError as e:
        raise UserError(
            f"{amount!r} is not an amount of US dollars", "llmos budget set [SCOPE] USD"
        ) from e


def scopes_of(os: LLMOS, *more: str) -> dict[str, Json]:
    """Where the scopes of this user stand, by name."""
    team = [f"team:{os.team_id}"] if os.team_id else []
    names = dict.fromkeys(["system", *team, f"user:{os.user_id}", *more])
    return {name: to_json(os.kernel.economy.status(name)) for name in names}


def show_budget(os: LLMOS, *more: str) -> None:
    """Print where the scopes of this user stand."""
    rows = []
    for name, status in scopes_of(os, *more).items():
        limit, left = status["limit_usd"], status["left_usd"]
        rows.append(
            (
                "no limit" if limit is None else dollars(limit),
                dollars(status["spent_usd"]),
                dollars(status["reserved_usd"]),
                "" if left is None else dollars(left),
                name,
            )
        )
    print_table((">LIMIT", ">SPENT", ">HELD", ">LEFT", "SCOPE"), rows)


def quotas_of(home: Path, scope: str | None) -> dict[str, Json]:
    """The quotas that stand in the settings: all, or that of one scope."""
    from llmos.config import LLMOSConfig

    quotas = dict(LLMOSConfig.load(home).quotas)
    return quotas if scope is None else {scope: quotas.get(scope, {})}


def show_quotas(quotas: Mapping[str, Json]) -> None:
    """Print quotas."""
    if not quotas:
        print("No quotas. Set one: llmos budget quota user:NAME --runs 2 --usd-per-day 1")
        return
    rows = []
    for scope, said in quotas.items():
        usd = said.get("usd_per_day")
        rows.append(
            (
                str(said.get("runs", "no bound")),
                "no bound" if usd is None else dollars(usd),
                one_line(scope),
            )
        )
    print_table((">RUNS AT ONCE", ">A DAY", "SCOPE"), rows)


def show_history(rows: Sequence[LedgerRow]) -> None:
    """Print lines of the ledger."""
    if not rows:
        print("Nothing was spent.")
        return
    shown = [
        (
            when(row.at),
            dollars(row.usd),
            "limit" if row.kind == "topup" else "spent",
            next((s for s in row.scopes if s.startswith(("user:", "team:"))), row.scopes[0]),
            one_line(row.note),
        )
        for row in rows
    ]
    print_table(("WHEN", ">USD", "KIND", "SCOPE", "FOR"), shown)
