"""What one run of a program may use up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProgramLimits:
    """What one run of a program may use up; beyond it the run ends with a `SandboxError`."""

    wall_s: float = 10.0
    """Seconds of its own; the clock stands while a call is made."""
    memory_mb: int = 64
    """Megabytes of values that it holds at one time."""
    calls: int = 500
    """Tool calls."""
    output_bytes: int = 1_000_000
    """JSON bytes of its result, and of the arguments of any one call."""
    source_bytes: int = 200_000
    """Bytes of its text."""
