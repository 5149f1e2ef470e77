"""`@tool`: a typed, documented Python function becomes a system call.

The decorator keeps the function as it is and attaches a `Tool`. Schema and validation come from
the signature (pydantic), descriptions from the docstring's ``Args:`` section.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints, overload

from llmos.errors import UserError
from llmos.plugins.arguments import build_model, field_name, json_schema
from llmos.plugins.digest import feed_code, feed_signature
from llmos.plugins.docstring import description, parameter_docs
from llmos.values import Effect, Json, Resources, ToolSpec

if TYPE_CHECKING:
    from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., Any])

_TOOL_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What the kernel hands to a tool that asks for it.

    A tool asks by a parameter annotated `ToolContext`; the model never sees that parameter.
    """

    cwd: Path
    """The run's working directory, resolved."""
    home: Path
    """Home of LLM OS. No tool may touch it."""
    now: datetime
    """The run's clock."""
    run_id: str = ""
    timeout_s: float = 120.0
    hidden: Callable[[Path], bool] | None = None
    """Whether a path must not be looked at while walking a folder (`Permissions.hides`)."""


Declared = Callable[[ToolContext, Mapping[str, Json]], Sequence[str]] | Sequence[str] | None
"""Resources of a call: fixed names, a function of context and arguments, or None for unknown."""

Compare = Callable[[Json, Json], bool]
"""``(recorded, live)`` observations: do they tell the same?"""


@dataclass(frozen=True)
class Tool:
    """A function that can be called through the kernel. Made by `tool`, not by hand."""

    function: Callable[..., Any]
    name: str
    effect: Effect
    description: str
    reads: Declared = None
    writes: Declared = None
    undo: Callable[..., Any] | None = None
    compare: Compare | None = None
    ids: tuple[str, ...] = ()
    idempotency_key: str | None = None
    timeout_s: float | None = None
    version: str = ""
    sandboxed: bool = False
    """Runs in the sandbox, where the home of LLM OS cannot be seen. For built-in tools."""

    @property
    def origin(self) -> str:
        """Where the function is defined: ``path:line``."""
        code = getattr(inspect.unwrap(self.function), "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(self.function)

    @cached_property
    def signature(self) -> inspect.Signature:
        """The function's signature with evaluated annotations."""
        function = inspect.unwrap(self.function)
        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        parameters = [
            p.replace(annotation=hints.get(p.name, Any)) for p in signature.parameters.values()
        ]
        return signature.replace(parameters=parameters)

    @cached_property
    def context_parameter(self) -> str | None:
        """Name of the parameter that takes the `ToolContext`, or None."""
        for parameter in self.signature.parameters.values():
            if parameter.annotation is ToolContext:
                return parameter.name
        return None

    @cached_property
    def model(self) -> type[BaseModel]:
        """A pydantic model of the arguments; unknown arguments are an error.

        Raises:
            UserError: A parameter's type has no JSON form.
        """
        return build_model(self.name, self._arguments, parameter_docs(self.function))

    @cached_property
    def parameters(self) -> dict[str, Json]:
        """JSON schema of the arguments, an object.

        Raises:
            UserError: A parameter's type has no JSON form.
        """
        return json_schema(self.name, self.model)

    @cached_property
    def _arguments(self) -> list[inspect.Parameter]:
        hidden = (self.context_parameter, self.idempotency_key)
        return [p for p in self.signature.parameters.values() if p.name not in hidden]

    @cached_property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""
        return ToolSpec(self.name, self.description, self.parameters, self.effect)

    @cached_property
    def digest(self) -> str:
        """What this tool is: changes with its code, schema or effect, so that old traces notice."""
        h = hashlib.sha256()
        for part in (self.name, self.effect.value, self.version, repr(sorted(self.ids))):
            h.update(part.encode() + b"\0")
        if not self.version:
            function = inspect.unwrap(self.function)
            feed_signature(h, function)
            feed_code(h, function)
        return h.hexdigest()[:16]

    def validate(self, arguments: Mapping[str, Json]) -> dict[str, Any]:
        """Check ``arguments`` against the signature and return typed values.

        Raises:
            UserError: One line that names each wrong argument.
        """
        from pydantic import ValidationError

        try:
            checked = self.model.model_validate(arguments)
        except ValidationError as e:
            problems = "; ".join(
                f"{'.'.join(str(x) for x in err['loc']) or 'arguments'}: {err['msg']}"
                for err in e.errors(include_url=False, include_input=False)[:5]
            )
            known = ", ".join(self.parameters.get("properties", {})) or "none"
            message = " ".join(f"{self.name}: {problems}".split())
            raise UserError(message, f"arguments of {self.name}: {known}") from e
        return {p.name: getattr(checked, field_name(p.name)) for p in self._arguments}

    def resources(self, context: ToolContext, arguments: Mapping[str, Json]) -> Resources | None:
        """What this call declares to read and write; None when the tool declares neither."""
        if self.reads is None and self.writes is None:
            return None
        return Resources(
            _declared(self.reads, context, arguments), _declared(self.writes, context, arguments)
        )


@overload
def tool(function: F) -> F: ...


@overload
def tool(
    *,
    effects: Effect | str = ...,
    name: str | None = ...,
    reads: Declared = ...,
    writes: Declared = ...,
    undo: Callable[..., Any] | None = ...,
    compare: Compare | None = ...,
    ids: Sequence[str] = ...,
    idempotency_key: str | None = ...,
    timeout_s: float | None = ...,
    version: str = ...,
) -> Callable[[F], F]: ...


def tool(
    function: F | None = None,
    *,
    effects: Effect | str = Effect.EXTERNAL,
    name: str | None = None,
    reads: Declared = None,
    writes: Declared = None,
    undo: Callable[..., Any] | None = None,
    compare: Compare | None = None,
    ids: Sequence[str] = (),
    idempotency_key: str | None = None,
    timeout_s: float | None = None,
    version: str = "",
) -> Any:
    """Make a function callable as a tool.

    Args:
        function: A typed, documented function, plain or ``async``. Its result must be JSON.
        effects: ``read``, ``open_read``, ``write`` or ``external``. Unknown means ``external``.
        name: Name of the tool; the function's name when left out.
        reads: Resources a call reads (see `llmos.values.Resources`): names, or a function of
            ``(context, arguments)``. Declaring them lets a replay check this tool early.
        writes: Resources a call writes, likewise.
        undo: ``undo(arguments, observation)`` takes one call back.
        compare: ``compare(recorded, live)`` says whether two observations tell the same; equality
            when left out.
        ids: Names of fields, in results and arguments, that hold ids made by the tool; ``"$"`` is
            a result that is an id as a whole. A replay lets them differ and renames them onwards.
        idempotency_key: Name of a parameter that takes a key; equal keys act at most once.
        timeout_s: Wall clock for one call; the configured default when left out.
        version: Stands for code and signature in `Tool.digest`: set it when they may change
            without changing what the tool does.

    Raises:
        UserError: The function has no docstring, an untyped parameter or an unusable name, or
            an option makes no sense.
    """

    def attach(f: F) -> F:
        made = Tool(
            function=f,
            name=name or f.__name__,
            effect=_effect(effects),
            description=description(f),
            reads=reads,
            writes=writes,
            undo=undo,
            compare=compare,
            ids=tuple(ids),
            idempotency_key=idempotency_key,
            timeout_s=timeout_s,
            version=version,
        )
        _check(made)
        f.__llmos_tool__ = made  # type: ignore[attr-defined]
        return f

    return attach if function is None else attach(function)


def tool_of(function: Callable[..., Any]) -> Tool:
    """The `Tool` attached to a decorated function.

    Raises:
        UserError: The function was not decorated.
    """
    made = getattr(function, "__llmos_tool__", None)
    if not isinstance(made, Tool):
        what = getattr(function, "__name__", repr(function))
        raise UserError(f"{what!r} is not a tool", "decorate it with @tool(effects=…)")
    return made


def _check(made: Tool) -> None:
    if not _TOOL_NAME.fullmatch(made.name):
        raise UserError(f"tool name {made.name!r} is not usable", "letters, digits, '_', '.', '-'")
    if not made.description:
        raise UserError(f"tool {made.name!r} has no docstring", "say in it what the tool does")
    function = inspect.unwrap(made.function)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise UserError(f"tool {made.name!r} yields", "return one value, for example a list")
    parameters = inspect.signature(function).parameters
    for p in parameters.values():
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY):
            raise UserError(f"tool {made.name!r}: parameter {p.name!r} must be a plain named one")
        if p.annotation is inspect.Parameter.empty:
            raise UserError(f"tool {made.name!r}: parameter {p.name!r} has no type")
    if made.idempotency_key is not None and made.idempotency_key not in parameters:
        raise UserError(
            f"tool {made.name!r} has no parameter {made.idempotency_key!r}",
            "idempotency_key= names the parameter that takes the key",
        )
    try:
        _ = made.signature
    except NameError as e:
        raise UserError(
            f"tool {made.name!r}: the type {e.name!r} is not known where the tool is defined",
            "import or define it before the tool, at module level",
        ) from e


def _effect(effects: Effect | str) -> Effect:
    try:
        return Effect(effects)
    except ValueError as e:
        raise UserError(
            f"{effects!r} is not an effect", f"effects: {', '.join(e.value for e in Effect)}"
        ) from e


def _declared(
    what: Declared, context: ToolContext, arguments: Mapping[str, Json]
) -> tuple[str, ...]:
    if what is None:
        return ()
    named = what(context, arguments) if callable(what) else what
    return (named,) if isinstance(named, str) else tuple(named)
