"""Contents: canonical JSON, its digest, and how a person reads and compares it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping

from llmos.errors import UserError
from llmos.values import Json


def canonical(content: Mapping[str, Json], what: str) -> str:
    """``content`` as the JSON text that its digest is of: sorted keys, no spaces, not escaped.

    Args:
        content: A JSON object.
        what: What it is the content of, for the error.

    Raises:
        UserError: It has no JSON form, or has text that is no Unicode.
    """
    try:
        text = json.dumps(
            dict(content),
            ensure_ascii=False,
            sort_keys=True,
            separators=(",", ":"),
            allow_nan=False,
        )
        text.encode()
    except (TypeError, ValueError, RecursionError) as e:
        raise UserError(
            f"the content of {what} has no JSON form: {e}",
            "use text, numbers, true, false, null, lists and objects with text keys",
        ) from e
    return text


def digest_of(text: str) -> str:
    """SHA-256 hex of a content's canonical JSON."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def render(content: Mapping[str, Json]) -> str:
    """``content`` as people read it: sorted YAML, then the code as code.

    Two contents that differ are rendered differently.
    """
    rest = dict(content)
    code = rest.pop("code", None)
    if not isinstance(code, str):
        return as_yaml(content)
    # No YAML of the rest has an empty line after this one: what follows can only be code.
    return (as_yaml(rest) if rest else "") + f"code:\n\n{code}"


def diff(a: Mapping[str, Json], b: Mapping[str, Json], a_label: str, b_label: str) -> str:
    """A unified diff of two rendered contents, ``""`` when they are equal."""
    # Not splitlines: it takes a form feed inside a line for the end of it, and forgets the last.
    before, after = render(a).split("\n"), render(b).split("\n")
    return "\n".join(difflib.unified_diff(before, after, a_label, b_label, lineterm=""))


def as_yaml(content: Mapping[str, Json]) -> str:
    """``content`` as sorted YAML, text of several lines as lines."""
    import yaml  # loaded only where somebody reads

    class Readable(yaml.SafeDumper):
        """Writes text of several lines as lines."""

        def ignore_aliases(self, data: object) -> bool:
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Readable.add_representer(str, text)
    # Through JSON: what is read is what is stored, with tuples as lists and keys as text.
    plain = json.loads(json.dumps(content))
    written = yaml.dump(plain, Dumper=Readable, sort_keys=True, allow_unicode=True, width=1 << 20)
    return str(written)
