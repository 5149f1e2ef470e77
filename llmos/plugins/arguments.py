"""From a function's parameters to a pydantic model of its arguments, and to their JSON schema."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmos.errors import UserError
from llmos.values import Json

if TYPE_CHECKING:
    from pydantic import BaseModel


@dataclass(frozen=True, slots=True)
class Alias:
    """What the model calls a parameter, where that is no Python name.

    ``ignore_case: Annotated[bool, Alias("-i")] = False``
    """

    name: str


def build_model(
    tool: str, parameters: Sequence[inspect.Parameter], described: Mapping[str, str]
) -> type[BaseModel]:
    """A pydantic model with one field per parameter; unknown arguments are an error.

    Raises:
        UserError: A parameter's type has no JSON form.
    """
    from pydantic import ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    for p in parameters:
        known = {"description": described.get(p.name), "alias": _alias(p)}
        # Only what is known: what is left out may come from an annotation's own Field.
        given: dict[str, Any] = {k: v for k, v in known.items() if v is not None}
        default = ... if p.default is inspect.Parameter.empty else p.default
        fields[field_name(p.name)] = (p.annotation, Field(default, **given))
    with _json_types(tool):
        return create_model(
            re.sub(r"\W", "_", tool), __config__=ConfigDict(extra="forbid"), **fields
        )


def json_schema(tool: str, model: type[BaseModel]) -> dict[str, Json]:
    """The model's JSON schema without the titles that pydantic makes up.

    Raises:
        UserError: A parameter's type has no JSON form.
    """
    with _json_types(tool):
        schema = model.model_json_schema()
    schema.pop("title", None)
    for entry in schema.get("properties", {}).values():
        entry.pop("title", None)
    return schema


def field_name(parameter: str) -> str:
    """The model's field for a parameter: another name where pydantic uses that one itself."""
    from pydantic import BaseModel

    if parameter.startswith(("_", "model_")) or hasattr(BaseModel, parameter):
        return f"argument_{parameter.lstrip('_')}"
    return parameter


def _alias(parameter: inspect.Parameter) -> str | None:
    for extra in getattr(parameter.annotation, "__metadata__", ()):
        if isinstance(extra, Alias):
            return extra.name
    return parameter.name if field_name(parameter.name) != parameter.name else None


@contextmanager
def _json_types(tool: str) -> Iterator[None]:
    from pydantic.errors import PydanticUserError

    try:
        yield
    except PydanticUserError as e:
        raise UserError(
            f"tool {tool!r}: a parameter's type has no JSON form: {str(e).splitlines()[0]}",
            "use str, int, float, bool, list, dict, Literal, dataclasses or pydantic models",
        ) from e
