"""Does summary.md tell the main results of every paper, and briefly?"""

import pathlib
import re
import sys


def check(expected: dict) -> None:
    """End with an error unless every paper is covered in a part of its own.

    Args:
        expected: For each paper its ``title`` and ``facts``, each fact a list of spellings of
            which one must be there; and the ``length`` that a summary may have, in characters.
    """
    path = pathlib.Path("summary.md")
    if not path.is_file():
        sys.exit("there is no summary.md")
    text = plain(path.read_text("utf-8"))
    if len(text) > expected["length"]:
        sys.exit(f"{len(text)} characters are no summary: at most {expected['length']}")
    papers = expected["papers"]
    places = {paper["title"]: text.find(plain(paper["title"])) for paper in papers}
    for paper in papers:
        begin = places[paper["title"]]
        if begin < 0:
            sys.exit(f"summary.md does not name {paper['title']!r}")
        end = min((place for place in places.values() if place > begin), default=len(text))
        for fact in paper["facts"]:
            if not any(plain(spelling) in text[begin:end] for spelling in fact):
                sys.exit(f"summary.md does not say of {paper['title']!r}: {fact[0]}")


def plain(text: str) -> str:
    """The text without what does not matter: capitals, spaces, marks, the sign for per cent."""
    text = re.sub(r"\s*(?:%|per ?cent)", " %", text.lower())
    return " ".join(re.sub(r"[*_#`\"“”]", "", text).split())
