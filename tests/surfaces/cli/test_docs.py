"""The page on the command line says what the command line says."""

from __future__ import annotations

from llmos.surfaces.cli.app import app
from scripts.cli_docs import TARGET, commands, page


def test_the_page_is_current() -> None:
    assert TARGET.read_text("utf-8") == page(), "say: python scripts/cli_docs.py"


def test_every_command_is_on_the_page_and_says_what_it_does() -> None:
    named, told = list(commands()), TARGET.read_text("utf-8")
    assert ("budget", "set") in named
    assert len(named) > len(app.registered_commands)
    for words in named:
        assert f"Usage: {' '.join(('llmos', *words))} [OPTIONS]" in told
