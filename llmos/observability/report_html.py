"""A report as one HTML page: it loads nothing, runs nothing, and every text in it is escaped."""

from __future__ import annotations

from html import escape

from llmos.observability.report import ActivityReport
from llmos.observability.report_text import period
from llmos.observability.window import Line, Section

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; line-height: 1.3; margin-bottom: .2rem }
h2 { font-size: 1rem; margin: 2rem 0 .4rem }
ul { list-style: none; margin: 0; padding: 0 }
li { padding: .5rem 0; border-top: 1px solid #8884 }
p, small { color: #888; margin: 0; display: block }
code { font-size: .85rem; padding: .1rem .35rem; border-radius: .25rem; background: #8882 }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def as_html(report: ActivityReport) -> str:
    """The report as a page of its own."""
    title = escape(report.headline)
    body = "".join(map(_section, report.sections))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{title}</h1>\n<p>{escape(period(report))}, {escape(report.user_id)}</p>\n"
        f"{body}</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    lines = "".join(map(_line, section.lines))
    rest = f"<li>{escape(section.left_out)}</li>\n" if section.left_out else ""
    return f"<h2>{escape(section.title)}</h2>\n<ul>\n{lines}{rest}</ul>\n"


def _line(line: Line) -> str:
    evidence = f"<small>{escape(line.evidence)}</small>" if line.evidence else ""
    command = f" <code>{escape(line.command)}</code>" if line.command else ""
    return f"<li>{escape(line.text)}{command}{evidence}</li>\n"
