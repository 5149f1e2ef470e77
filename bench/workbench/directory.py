"""The company's directory of addresses."""

from __future__ import annotations

import re

from bench.workbench.rows import Refused
from bench.workbench.world import World


def find_email_address(world: World, name: str | None = "") -> list[str]:
    """Find the addresses of colleagues by name.

    Args:
        name: First or last name, or a part of it.
    """
    if name == "":
        raise Refused("Name not provided.")
    if name is None:
        raise TypeError("name is null; give a name or a part of one")
    search = re.compile(name.lower()).search
    return [row["address"] for row in world.directory if search(row["address"])]


READS = (find_email_address,)
WRITES = ()
