"""Chance that is none: what is drawn always comes out the same."""

from __future__ import annotations

from random import Random


class Never(Random):
    """Draws no audit, whatever the rate below one."""

    def random(self) -> float:
        return 1.0 - 2.0**-53


class Sometimes(Random):
    """Draws what has a rate above a tenth."""

    def random(self) -> float:
        return 0.1


class Always(Random):
    """Draws every audit of a rate above zero."""

    def random(self) -> float:
        return 0.0
