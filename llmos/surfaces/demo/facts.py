"""What happened in a run: as JSON, and in few words."""

from __future__ import annotations

import difflib
from pathlib import Path

from llmos.surfaces.demo.price import Price
from llmos.values import Json, RunResult, Step


def of(result: RunResult, cwd: Path, price: Price) -> dict[str, Json]:
    """One run, as ``--json`` tells it.

    Args:
        result: How it ended.
        cwd: Where it worked; paths are shown relative to it.
        price: For what its tokens would cost.
    """
    usage = result.usage
    return {
        "trace_id": result.trace_id,
        "mode": result.mode.value,
        "verdict": result.verdict.value,
        "success": result.success,
        "already_done": result.already_done,
        "tokens": usage.total_tokens,
        "input_tokens": usage.total_tokens - usage.output_tokens,
        "output_tokens": usage.output_tokens,
        "paid_usd": result.cost_usd,
        "at_price_usd": price.of(usage),
        "seconds": result.duration_s,
        "steps": [brief(step, cwd) for step in result.steps],
        "side_exit": reason(result, cwd) if result.side_exit else None,
        "error": result.error,
    }


def brief(step: Step, cwd: Path) -> str:
    """One call on one line."""
    named = (step.arguments.get(name) for name in ("command", "file_path", "pattern", "path"))
    shown = " ".join(inside(str(next(filter(None, named), "")), cwd).split())
    return f"{step.tool} {shown if len(shown) <= 60 else shown[:59] + '…'}".strip()


def reason(result: RunResult, cwd: Path) -> str:
    """Why a replay stopped."""
    if result.side_exit is None:
        return f"it did not stop ({result.error or result.verdict.value})"
    return inside(result.side_exit.reason, cwd).replace(str(cwd), "the folder")


def unless_good(result: RunResult) -> str:
    """What went wrong, in brackets; nothing for a success."""
    return "" if result.success else f" ({result.error or result.verdict.value})"


def difference(old: str, new: str) -> list[str]:
    """The lines that differ, as ``diff`` marks them."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def inside(text: str, cwd: Path) -> str:
    """``text`` with paths relative to ``cwd``."""
    return text.replace(f"{cwd}/", "")


def ms(seconds: float) -> str:
    """A short time."""
    return f"{seconds * 1000:.0f} ms"
