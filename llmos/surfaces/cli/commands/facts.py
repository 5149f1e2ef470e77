"""``llmos facts``: what you have said that holds beyond one run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from llmos.surfaces.cli.options import JsonFlag, Limit, globals_of, group

if TYPE_CHECKING:
    from llmos.boot import LLMOS
    from llmos.memory.facts import FactKind, Noted

app = group("What you have said that holds beyond a run. Without a command: list it.")

Name = Annotated[str, typer.Argument(metavar="FACT", help="Its id, the beginning or end of it.")]
Sentence = Annotated[str, typer.Argument(metavar="SENTENCE", help="One sentence.")]
All = Annotated[bool, typer.Option("--all", help="Those that do not hold any more, too.")]
Kind = Annotated[
    str | None,
    typer.Option(metavar="KIND", help="rule, attribute or note; by the sentence when left out."),
]


@app.callback()
def main(
    ctx: typer.Context, every: All = False, limit: Limit = 50, as_json: JsonFlag = False
) -> None:
    """What you have said that holds beyond a run. Without a command: list it.

    A rule is told to the model for every goal, the rest for goals that share a word with it.
    With --project: the facts of that project and those of all; what is added holds there alone.
    """
    if ctx.invoked_subcommand is None:
        list_facts(ctx, every, limit, as_json)


@app.command("list")
def list_facts(
    ctx: typer.Context, every: All = False, limit: Limit = 50, as_json: JsonFlag = False
) -> None:
    """List facts, the newest first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.facts import print_facts

    async def work(os: LLMOS) -> None:
        found = os.facts.listed(everything=every, limit=limit)
        print_json(found) if as_json else print_facts(found)

    with_os(globals_of(ctx), work)


@app.command("add")
def add(
    ctx: typer.Context, sentence: Sentence, kind: Kind = None, as_json: JsonFlag = False
) -> None:
    """Write a fact down. One about the same subject replaces what was said before."""
    _write(ctx, kind, as_json, lambda os, of: os.facts.add(sentence, of))


@app.command("edit")
def edit(
    ctx: typer.Context,
    fact: Name,
    sentence: Sentence,
    kind: Kind = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what holds instead of a fact; the old one is kept in its history."""
    _write(ctx, kind, as_json, lambda os, of: os.facts.edit(fact, sentence, of))


@app.command("general")
def general(ctx: typer.Context, fact: Name, as_json: JsonFlag = False) -> None:
    """Let a fact of one project hold in all; the same words in others are replaced by it."""
    _write(ctx, None, as_json, lambda os, of: os.facts.generalise(fact))


@app.command("forget")
def forget(ctx: typer.Context, fact: Name, as_json: JsonFlag = False) -> None:
    """Take a fact out of use. It stays in the history; a purge of its run deletes it."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json, printable

    async def work(os: LLMOS) -> None:
        forgotten = os.facts.forget(fact)
        if as_json:
            print_json(forgotten)
        else:
            print(f"forgotten: {printable(forgotten.sentence)}")

    with_os(globals_of(ctx), work)


@app.command("show")
def show(ctx: typer.Context, fact: Name, as_json: JsonFlag = False) -> None:
    """Show a fact: where it was said and whether it holds."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.facts import print_fact

    async def work(os: LLMOS) -> None:
        found = os.facts.get(fact)
        print_json(found) if as_json else print_fact(found)

    with_os(globals_of(ctx), work)


@app.command("history")
def history(ctx: typer.Context, fact: Name, limit: Limit = 50, as_json: JsonFlag = False) -> None:
    """Show what a fact replaced and what replaced it, the oldest first."""
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.facts import print_facts

    async def work(os: LLMOS) -> None:
        found = os.facts.history(fact)[-limit:]
        print_json(found) if as_json else print_facts(found)

    with_os(globals_of(ctx), work)


def _write(
    ctx: typer.Context,
    kind: str | None,
    as_json: bool,
    write: Callable[[LLMOS, FactKind | None], Noted],
) -> None:
    from llmos.surfaces.cli.opening import with_os
    from llmos.surfaces.cli.output import print_json
    from llmos.surfaces.cli.views.facts import print_noted

    async def work(os: LLMOS) -> None:
        noted = write(os, _kind(kind))
        print_json(noted) if as_json else print_noted(noted)

    with_os(globals_of(ctx), work, begins=True)


def _kind(name: str | None) -> FactKind | None:
    from llmos.errors import UserError
    from llmos.memory.facts import FactKind

    if name is None:
        return None
    known = [FactKind.RULE, FactKind.ATTRIBUTE, FactKind.NOTE]
    if name.lower() not in known:
        raise UserError(f"there is no kind of fact {name!r}", f"kinds: {', '.join(known)}")
    return FactKind(name.lower())
