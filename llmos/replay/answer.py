"""What a replayed run answers.

The recorded text is given back only where everything it was made from has just been seen again.
Otherwise the answer is made from what was done now.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmos.replay.compare import Renames
from llmos.values import CallResult, Effect, Step, Trace

_SHOWN = 2000
"""Characters of the last observation that a rendered answer quotes."""


def answer(trace: Trace, live: Sequence[Step], renames: Renames) -> str:
    """The answer of a replay that went through.

    Args:
        trace: The recorded run.
        live: Its steps as they were made now, in the recorded order.
        renames: Fresh ids of this replay.
    """
    open_source = any(s.effect is Effect.OPEN_READ for s in trace.steps)
    # A recorded text may quote an elapsed time or an id that came out otherwise now.
    same = all(
        renames.apply(then.observation, ()) == now.observation
        for then, now in zip(trace.steps, live, strict=True)
    )
    if same and not open_source:
        return str(renames.apply(trace.output, ()))
    return rendered(live)


def rendered(live: Sequence[Step]) -> str:
    """An answer made of the observations alone."""
    lines = ["Done again, step by step:"]
    for step in live:
        if step.effect.writes:
            lines.append(f"- {step.tool}({brief(step)})")
    last = CallResult(live[-1].observation).text if live else ""
    cut = last if len(last) <= _SHOWN else f"{last[:_SHOWN]} …"
    return "\n".join([*lines, "", cut]).strip()


def done_before(trace: Trace) -> str:
    """The answer when the world is already as the recorded run left it."""
    names = sorted({c.resource.partition(":")[2] for s in trace.steps for c in s.footprint.writes})
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    verb = "is" if len(names) == 1 else "are"
    return f"Already done: {shown} {verb} as the run of {trace.now:%Y-%m-%d %H:%M} left it."


def dated(trace: Trace) -> str:
    """A recorded answer that nothing guards, labelled with its date."""
    return f"{trace.output}\n\n(answer of {trace.now:%Y-%m-%d %H:%M}, not checked since)"


def brief(step: Step) -> str:
    """What a step is about, short enough for one line."""
    for name in ("file_path", "command", "path", "url"):
        if name in step.arguments:
            text = " ".join(str(step.arguments[name]).split())
            return text if len(text) <= 80 else f"{text[:79]}…"
    return ", ".join(f"{k}={str(v)[:30]!r}" for k, v in list(step.arguments.items())[:3])
