"""Writes a program as a readable Python module that the sandbox runs.

The module is complete in itself: the functions of the runtime that the program uses, and one
function that makes the calls. It says what the program says by its simplest expressions; whether
the rivals of these agree is asked before it runs (see `llmos.evolution.plan`). What is not as any
trace had it ends the function by an exception, like every other side exit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmos.evolution import emit_runtime
from llmos.evolution.emit_body import Body
from llmos.evolution.emit_flow import written
from llmos.evolution.emit_names import check_function, function_name, parameter_names
from llmos.evolution.emit_text import INDENT, group, laid
from llmos.evolution.emit_text import docstring as docstring_lines
from llmos.evolution.ir import Call, Const, Expr, Now, Program, Read, Slot, parts

__all__ = ["allowed_tools", "emit", "function_name", "parameter_names"]


def emit(program: Program, *, name: str, parameters: Sequence[str], docstring: str) -> str:
    """The source of a module that does what ``program`` does.

    Its function takes ``now``, the wall clock as ISO text without a zone and with whole seconds,
    and the slots of the goal by the names that `parameter_names` gives them; a slot that the
    wording of the goal does not have is None. It returns the answer, "" if there is none.

    Args:
        program: What to write; of every place, the simplest candidate.
        name: Name of the function.
        parameters: Slots of the goal, in order.
        docstring: What the function says of itself. Any text.

    Raises:
        ValueError: ``name`` is not usable (`function_name` makes one that is), a slot that the
            program needs is not among ``parameters``, or the program is no valid one.
    """
    check_function(name)
    slots = parameter_names(parameters)
    head = group(f"def {name}", "now: str", *(f"{p}: str | None" for p in slots.values()))
    lines = [
        *laid("", head, " -> str:", 0),
        *docstring_lines(docstring, INDENT),
        *Body(program, slots).lines(INDENT),
    ]
    said = any(isinstance(p, Slot) for e in written(program) for p in parts(e))
    carried = emit_runtime.bundle(_functions(program), slots=said)
    return "\n\n\n".join(filter(None, [carried, "\n".join(lines)])) + "\n"


def allowed_tools(program: Program) -> frozenset[str]:
    """Every tool that the emitted function of a program may call.

    A tool is named by a constant or chosen from a table of them. One that is named otherwise,
    for example by what a call returned, is not among these, and the sandbox refuses it.
    """
    return frozenset(tool for node in program.nodes for tool in _tools(node.tool[0]))


def _tools(expr: Expr) -> Iterator[str]:
    match expr:
        case Const():
            named = [expr.value]
        case Call("mapped", (_, Const() as table)) if isinstance(table.value, dict):
            named = list(table.value.values())
        case _:
            return
    yield from (tool for tool in named if isinstance(tool, str))


def _functions(program: Program) -> Iterator[str]:
    """Functions of the runtime that the emitted function calls itself."""
    for expr in written(program):
        for part in parts(expr):
            if isinstance(part, Call) and not _is_not(part):
                yield part.function
            elif isinstance(part, Now):
                yield "moment"
    if any(isinstance(n, Read) and n.cap and n.paging for n in program.nodes):
        yield "union"


def _is_not(expr: Call) -> bool:
    # Written as `not`.
    return expr.function == "negated" and len(expr.arguments) == 1
