"""How an artifact looks as a file, and what of such a file is a person's to edit.

Names and texts may come from strangers: a name is checked before it becomes part of a path, and no
text can leave the comment, the list item or the block that it stands in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from llmos.errors import UserError
from llmos.values import ArtifactType, Json, check_name
from llmos.volumes.content import as_yaml
from llmos.volumes.records import Place, Version

FORMAT = 1
"""Raised when files look otherwise than before: all are rendered anew then."""

FOLDERS = {
    ArtifactType.TRACE: ("traces", ".yaml"),
    ArtifactType.TOOL: ("tools", ".py"),
    ArtifactType.AGENT: ("agents", ".md"),
    ArtifactType.INSIGHT: ("insights", ".md"),
    ArtifactType.SUGGESTION: ("suggestions", ".md"),
}
"""Folder and ending of the files of each type."""

EDITABLE = (ArtifactType.TOOL, ArtifactType.AGENT)
"""Types whose edited files `Mirror.push` takes back."""

BESIDE = ".new"
"""Ending of what is put beside an edited file. No artifact's file has it, whatever its name."""

CODE_BEGINS = "# ---- the code begins below this line; what stands above is written by LLM OS ----"

_TEMPLATES = 20
"""Goals that the head of a tool's file tells."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_SPECIAL = re.compile(r"[\\`*_\[\]<>&|~#]")
_LINE_START = re.compile(r"^([ \t]*(?:\d+(?=[.)]))?)([-+=.)])", re.M)


def file_of(type: ArtifactType, name: str) -> str:
    """The path of an artifact's file within the folder of its volume.

    Raises:
        UserError: ``name`` is not a usable name.
    """
    folder, ending = FOLDERS[type]
    return f"{folder}/{check_name(name, f'{type.value} name')}{ending}"


def is_file(path: str) -> bool:
    """Whether a path within the folder of a volume is one that `file_of` may give."""
    folder, _, name = path.partition("/")
    ending = dict(FOLDERS.values()).get(folder)
    return ending is not None and name.endswith(ending) and usable(name.removesuffix(ending))


def usable(name: str) -> bool:
    """Whether `check_name` lets a name pass."""
    try:
        check_name(name, "name")
    except UserError:
        return False
    return True


def folder_of(place: Place) -> tuple[str, ...]:
    """The folder of a volume, below that of all volumes."""
    if place.volume == "system":
        return ("system",)
    within = ("projects", place.project) if place.project else ()
    return (f"{place.volume}s", place.holder, *within)


def rendered(version: Version, place: Place) -> bytes:
    """The file of an artifact's current version."""
    return _RENDERERS[version.type](version, place).encode("utf-8", "replace")


def editable_part(type: ArtifactType, content: Mapping[str, Json]) -> str:
    """What of a content its file lets a person edit: the code of a tool, the text of an agent."""
    part = content.get("code" if type is ArtifactType.TOOL else "text")
    return part if isinstance(part, str) else ""


def edited_part(type: ArtifactType, text: str) -> str:
    """The same part, of a file."""
    return _below_head(text) if type is ArtifactType.TOOL else text


def unproven(type: ArtifactType, part: str) -> dict[str, Json]:
    """The content of what a person wrote. It has no program and no proof, so nothing runs it."""
    return {"code" if type is ArtifactType.TOOL else "text": part}


def _below_head(text: str) -> str:
    lines = text.split("\n")
    for k, line in enumerate(lines):
        if line.rstrip() == CODE_BEGINS:
            return "\n".join(lines[k + 1 :])
        if not line.startswith("#"):
            break
    return text


# --- tools ---------------------------------------------------------------------------------------


def _tool(version: Version, place: Place) -> str:
    head = "\n".join(f"# {_one_line(line)}".rstrip() for line in _head(version, place))
    return f"{head}\n{CODE_BEGINS}\n{editable_part(version.type, version.content)}"


def _head(version: Version, place: Place) -> Iterator[str]:
    yield f"{version.name} · version {version.seq} · {version.digest[:12]} · {version.status.value}"
    yield from _goals(version.content.get("templates"), version.content.get("labels"))
    yield f"proof: {_proof(version.content.get('proof'))}"
    yield f"rendered from {place}, digest {version.digest};"
    yield "edit the code and say: llmos volumes push"


def _goals(templates: Json, labels: Json) -> Iterator[str]:
    named = labels if isinstance(labels, dict) else {}
    told = [_template(t, named) for t in templates] if isinstance(templates, list) else []
    if told:
        yield "goals:"
    yield from (f"  {text}" for text in told[:_TEMPLATES])
    if len(told) > _TEMPLATES:
        yield f"  … and {len(told) - _TEMPLATES} more: llmos tools show"


def _template(template: Json, labels: Mapping[str, Json]) -> str:
    """A goal template as text; as JSON where it has not the form that learning gives it."""
    try:
        told = [str(template["literals"][0])]
        for (name, *_), literal in zip(template["slots"], template["literals"][1:], strict=True):
            told += [f"{{{labels.get(name, name)}}}", str(literal)]
    except (KeyError, IndexError, TypeError, ValueError):
        return json.dumps(template, ensure_ascii=False)
    return "".join(told)


def _proof(proof: Json) -> str:
    if not isinstance(proof, dict):
        return "none: nothing runs this version"
    runs, agreed, wrong = (proof.get(k, 0) for k in ("runs", "agreed", "disagreed"))
    return (
        f"reproduces all {runs} runs; said {agreed} later runs before seeing them, "
        f"and was wrong of {wrong}"
    )


# --- the others ----------------------------------------------------------------------------------


def _agent(version: Version, place: Place) -> str:
    return editable_part(version.type, version.content)


def _trace(version: Version, place: Place) -> str:
    told = f"{version.name} · version {version.seq} · {version.digest[:12]}"
    return f"# {told}\n# a rendering: it is never read back\n{as_yaml(version.content)}"


def _message(version: Version, place: Place) -> str:
    """An insight or a suggestion: its text is shown, it is never markup."""
    rest: dict[str, Any] = dict(version.content)
    title, text, evidence = (rest.pop(k, None) for k in ("title", "text", "evidence"))
    parts = [f"# {_escaped(_one_line(_plain(title) or version.name))}"]
    if text is not None:
        parts.append(_escaped(_shown(_plain(text))))
    if isinstance(worded := rest.pop("worded", None), dict):
        said = [_escaped(_one_line(_plain(worded.get(k)))) for k in ("title", "why", "by")]
        parts.append("## In a model's words\n\n{}\n\n{}\n\n({})".format(*said))
    if evidence:
        listed = evidence if isinstance(evidence, list) else [evidence]
        items = "\n".join(f"- {_escaped(_one_line(_plain(item)))}" for item in listed)
        parts.append(f"## Evidence\n\n{items}")
    if rest:
        # Every line is set in: a block that none of them can end.
        block = "\n".join(f"    {line}" for line in _shown(as_yaml(rest)).splitlines())
        parts.append(f"## More\n\n{block}")
    parts.append(f"---\n\nversion {version.seq} · {version.digest[:12]} · {version.status.value}")
    return "\n\n".join(parts) + "\n"


_RENDERERS = {
    ArtifactType.TRACE: _trace,
    ArtifactType.TOOL: _tool,
    ArtifactType.AGENT: _agent,
    ArtifactType.INSIGHT: _message,
    ArtifactType.SUGGESTION: _message,
}


def _plain(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _shown(text: str) -> str:
    """``text`` with its control characters spelled out; line ends and tabs stay."""
    return _CONTROL.sub(lambda m: m.group().encode("unicode_escape").decode(), text)


def _one_line(text: str) -> str:
    lead = text[: len(text) - len(text.lstrip(" "))]
    return lead + _shown(" ".join(text.split()))


def _escaped(text: str) -> str:
    """``text`` as Markdown that shows it, and is no markup."""
    return _LINE_START.sub(r"\1\\\2", _SPECIAL.sub(r"\\\g<0>", text))
