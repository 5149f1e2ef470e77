"""The goals, the files they start from, and what has to come of them."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

from examples.inputs import files_in, verify_with
from llmos.surfaces.demo.jobs import Files, Job
from llmos.values import Json

HERE = Path(__file__).resolve().parent
SHOPS = ("north", "south", "east", "west")
_SOLD_LATER = "2026-04-30,soap,1000.00\n"


def totals(files: Files) -> dict[str, str]:
    """Amount per product over all CSV files, computed exactly and without any model."""
    found: dict[str, Decimal] = {}
    for name, content in files.items():
        if name.endswith(".csv"):
            for row in csv.DictReader(content.splitlines()):
                found[row["product"]] = found.get(row["product"], Decimal()) + Decimal(
                    row["amount"]
                )
    return {product: str(total) for product, total in sorted(found.items())}


def shop(name: str) -> Job:
    """The job of one shop: two CSV files in a folder, and a summary of both."""
    files = {f"sales/{name}/{k}": v for k, v in files_in(HERE / "inputs" / name).items()}

    def expect(given: Files) -> Json:
        return {"summary": f"{name}.md", "totals": totals(given)}

    april = f"sales/{name}/april.csv"
    return Job(
        f"csv-{name}",
        f"Parse the CSV files in sales/{name} and write {name}.md "
        "with the total amount per product",
        verify_with(HERE / "check.py"),
        files,
        expect,
        keeps=tuple(files),
        edits={april: files[april] + _SOLD_LATER},
    )


NORTH, SOUTH, EAST, WEST = (shop(name) for name in SHOPS)
