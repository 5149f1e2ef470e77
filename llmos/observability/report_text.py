"""A report as plain text for a terminal, and as Markdown."""

from __future__ import annotations

import textwrap

from llmos.observability.harmless import columns, markdown
from llmos.observability.report import ActivityReport
from llmos.observability.window import Line, Section

WIDTH = 100
"""Columns of the text at most, but where one word is longer."""
_GAP = 3


def as_text(report: ActivityReport) -> str:
    """The report as plain text; a night without anything is one line."""
    if report.is_empty:
        return report.headline
    told = [*_wrapped(report.headline, ""), f"{period(report)}, {report.user_id}"]
    for section in report.sections:
        told += ["", section.title, *_section(section)]
    return "\n".join(told)


def as_markdown(report: ActivityReport) -> str:
    """The report as Markdown; text of strangers is escaped in it."""
    told = [f"# {markdown(report.headline)}", "", f"{period(report)}, {report.user_id}"]
    for section in report.sections:
        told += ["", f"## {section.title}", ""]
        for line in section.lines:
            command = f" `{line.command}`" if line.command else ""
            evidence = f"  \n  {markdown(line.evidence)}" if line.evidence else ""
            told.append(f"- {markdown(line.text)}{command}{evidence}")
        if section.left_out:
            told.append(f"- {section.left_out.removesuffix(section.command)}`{section.command}`")
    return "\n".join(told) + "\n"


def period(report: ActivityReport) -> str:
    """From when to when, where the reader is."""
    since, until = report.since.astimezone(), report.until.astimezone()
    return f"{since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M}"


def _section(section: Section) -> list[str]:
    texts = max(columns(line.text) for line in section.lines)
    commands = max(columns(line.command) for line in section.lines)
    beside = 2 + texts + _GAP + commands <= WIDTH
    told = []
    for line in section.lines:
        told += _beside(line, texts) if beside else _below(line)
    return [*told, f"  {section.left_out}"] if section.left_out else told


def _beside(line: Line, width: int) -> list[str]:
    blanks = " " * (width - columns(line.text) + _GAP)
    first = f"  {line.text}{blanks}{line.command}".rstrip()
    return [first, *_wrapped(line.evidence, "    ")]


def _below(line: Line) -> list[str]:
    first = _wrapped(line.text, "  ", "    ")
    command = [f"    {line.command}"] if line.command else []
    return [*first, *_wrapped(line.evidence, "    "), *command]


def _wrapped(text: str, indent: str, then: str | None = None) -> list[str]:
    # A wide character takes two columns: lines that hold some are wrapped earlier.
    width = WIDTH if columns(text) == len(text) else WIDTH // 2
    later = indent if then is None else then
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=later)
