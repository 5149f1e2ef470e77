"""Questions that one key answers."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prompt_toolkit.key_binding import KeyPressEvent

ENTER, INTERRUPT = "\n", "\x03"


def asker() -> Callable[[Sequence[tuple[str, str]], str], Awaitable[str]]:
    """`one_key` on standard error, so that answers can be piped while questions are asked."""

    async def ask(question: Sequence[tuple[str, str]], keys: str) -> str:
        from prompt_toolkit.application import create_app_session
        from prompt_toolkit.output import create_output

        with create_app_session(output=create_output(stdout=sys.stderr)):
            return await one_key(question, keys)

    return ask


async def one_key(question: Sequence[tuple[str, str]], keys: str, *, others: bool = False) -> str:
    """Ask for one key; the question is gone from the screen when it is answered.

    Args:
        question: Styled pieces of one line: ``(style, text)``.
        keys: The letters that answer, in lower case.
        others: Whether any other letter answers too; else it is ignored.

    Returns:
        The key; `ENTER` for Enter and Escape, `INTERRUPT` for Ctrl-C and Ctrl-D.
    """
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.keys import Keys
    from prompt_toolkit.layout import Layout, Window
    from prompt_toolkit.layout.controls import FormattedTextControl

    bindings = KeyBindings()

    @bindings.add(Keys.Any)
    def letter(event: KeyPressEvent) -> None:
        if event.data in keys or (others and event.data.isprintable()):
            event.app.exit(result=event.data)

    @bindings.add("enter")
    @bindings.add("escape")
    def enter(event: KeyPressEvent) -> None:
        event.app.exit(result=ENTER)

    @bindings.add("c-c")
    @bindings.add("c-d")
    def interrupt(event: KeyPressEvent) -> None:
        event.app.exit(result=INTERRUPT)

    line = Window(FormattedTextControl(list(question)), wrap_lines=True, dont_extend_height=True)
    app: Application[str] = Application(Layout(line), key_bindings=bindings, erase_when_done=True)
    # Not its own handler for Ctrl-C: taking it away again would take asyncio's with it.
    return await app.run_async(handle_sigint=False)
