"""What begins with a slash is a command to the prompt, not a goal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmos.errors import UserError
from llmos.surfaces.cli.output import err

if TYPE_CHECKING:
    from llmos.surfaces.cli.prompt.loop import Conversation

_HELP = (
    ("a sentence", "a goal: it is done, by replay where it is known"),
    ("/explain [GOAL]", "how a goal would be done, and what a free run would write"),
    ("/undo [RUN]", "take back what a run changed; the last one when left out"),
    ("/budget", "what may be spent, and what was"),
    ("/feed", "what happened, and what you have not acknowledged"),
    ("/help", "this list"),
    ("/quit", "leave; so does Ctrl-D"),
    ("Ctrl-C", "stop the run"),
)


def command(conversation: Conversation, line: str) -> bool:
    """Do what ``line`` says; False when the prompt is to end.

    Raises:
        UserError: There is no such command.
    """
    name, _, argument = line.partition(" ")
    argument = argument.strip()
    match name.lower():
        case "/quit" | "/exit" | "/q":
            return False
        case "/help" | "/?":
            for what, meaning in _HELP:
                err().print(f"  {what:<16}  {meaning}")
        case "/explain":
            _explain(conversation, argument)
        case "/undo":
            conversation.undo(argument or "last")
        case "/budget":
            from llmos.surfaces.cli.views.budget import show_budget

            show_budget(conversation.os)
        case "/feed":
            from llmos.surfaces.cli.views.feed import show_feed

            kernel = conversation.os.kernel
            pending = kernel.hub.get_pending_notifications(20)
            show_feed(pending, kernel.get_activity_feed(limit=20), 24)
        case _:
            raise UserError(f"there is no command {name[:40]!r}", "see /help")
    return True


def _explain(conversation: Conversation, goal: str) -> None:
    from llmos.surfaces.cli.opening import working_directory
    from llmos.surfaces.cli.views.decision import explained, show_explained

    if not goal and conversation.last is not None:
        goal = conversation.last.goal
    os = conversation.os
    turns = conversation.turns_for(goal)
    show_explained(explained(os, goal, "AUTO", working_directory(os.cwd), turns), diff=True)
