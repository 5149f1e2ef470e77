"""Does NAME.md say the right total for every product? Run in the folder where the job was done."""

import pathlib
import re
import sys


def check(expected: dict) -> None:
    """End with an error unless the summary holds each total next to its product.

    Args:
        expected: The name of the summary, and its totals by product, as text.
    """
    name, totals = expected["summary"], expected["totals"]
    path = pathlib.Path(name)
    if not path.is_file():
        sys.exit(f"there is no {name}")
    text = path.read_text("utf-8")
    for product, total in totals.items():
        # The first number after the product's name: in a list, a table or below a heading.
        found = re.search(rf"\b{product}\b\D*?(-?[\d,]*\.?\d+)", text, re.I)
        if found is None or abs(float(found[1].replace(",", "")) - float(total)) >= 0.005:
            said = found[1] if found else "nothing"
            sys.exit(f"{name} says {said} for {product}, and it is {total}")
