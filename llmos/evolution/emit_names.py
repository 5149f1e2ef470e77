"""Names for emitted code: identifiers that hide nothing and that nothing can break out of."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

from llmos.evolution import emit_runtime

_LENGTH = 24
"""Characters of a variable."""

_FUNCTION_LENGTH = 60
"""Characters of a function."""


def reserved() -> frozenset[str]:
    """Names that mean something in an emitted tool, whatever the program is."""
    own = {"call", "now", "row"}
    words = {*keyword.kwlist, *keyword.softkwlist, *dir(builtins)}
    return emit_runtime.names() | own | words


def parameter_names(slots: Sequence[str]) -> dict[str, str]:
    """The parameter of an emitted tool that each slot of the goal is given to.

    Args:
        slots: Names of slots, each once, in the order of the parameters.

    Returns:
        Slot to parameter; the same where the slot's name is free to use.
    """
    names = Names()
    return {slot: names.fresh(slot) for slot in slots}


def function_name(wish: str) -> str:
    """A name that an emitted function can have, and that says what ``wish`` says."""
    return Names(longest=_FUNCTION_LENGTH).fresh(wish)


def check_function(name: str) -> None:
    """Refuse a name that an emitted function cannot have.

    Raises:
        ValueError: It is no plain identifier, or means something else there.
    """
    plain = re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name)
    if not plain or name in reserved():
        raise ValueError(
            f"{name[:60]!r} cannot be the name of a tool's function: "
            "give what `function_name` makes of it"
        )


class Names:
    """Names of one function, each given once.

    Args:
        taken: Names that are used already, besides the reserved ones.
        longest: Characters that a name may have, before a number that tells it apart.
    """

    def __init__(self, taken: Iterable[str] = (), *, longest: int = _LENGTH) -> None:
        self._longest = longest
        self._reserved = reserved()
        self._taken = set(taken)

    def fresh(self, wish: str) -> str:
        """A name that is not used yet and says what ``wish`` says."""
        plain = unicodedata.normalize("NFKD", wish).encode("ascii", "ignore").decode()
        base = re.sub("[^A-Za-z0-9]+", "_", plain).strip("_")[: self._longest].rstrip("_")
        if not base or base[0].isdigit():
            base = f"value_{base}".rstrip("_")
        name = f"{base}_" if base in self._reserved else base
        count = 1
        while name in self._taken or name in self._reserved:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name
