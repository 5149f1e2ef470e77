"""The money of one run: reserved before the model works, settled after, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from llmos.kernel.economy import Economy, Reservation
from llmos.values import Processor


class Envelope:
    """What one run may spend and has spent.

    Args:
        economy: The ledger.
        scopes: From the widest to the narrowest, without the run's own.
        run_id: The run.
        note: What the ledger says it was for.
    """

    def __init__(self, economy: Economy, scopes: Sequence[str], run_id: str, note: str) -> None:
        self._economy = economy
        self._scopes = [*scopes, f"run:{run_id}"]
        self._note = note
        self._reservation: Reservation | None = None
        self.spent_usd = 0.0
        """What the run has cost so far."""

    @asynccontextmanager
    async def open(self, wanted_usd: float, processor: Processor) -> AsyncIterator[float]:
        """Reserve up to ``wanted_usd`` and yield what was got; what is not spent is freed.

        Raises:
            LowBatteryError: Nothing is left.
        """
        if is_free(processor):
            yield wanted_usd
            return
        got = self.available(wanted_usd)
        if got <= 0:
            # Asking for what is not there makes the economy name the scope and the way out.
            got = min(wanted_usd, 0.000001) or 0.000001
        self._reservation = await self._economy.reserve(self._scopes, got, note=self._note)
        try:
            yield got
        finally:
            await asyncio.shield(self._economy.settle(self._reservation, note=self._note))
            self._reservation = None

    def available(self, wanted_usd: float) -> float:
        """How much of ``wanted_usd`` a model could be given now."""
        return min([wanted_usd, *(self._left(s) for s in self._scopes)])

    async def spend(self, usd: float) -> None:
        """Pay for one model call."""
        self.spent_usd += usd
        if self._reservation is not None and usd:
            await self._economy.spend(self._reservation, usd, self._note)

    async def settle(self, total_usd: float) -> None:
        """Pay what the run cost in all, less what `spend` has paid already."""
        await self.spend(max(0.0, total_usd - self.spent_usd))

    def _left(self, scope: str) -> float:
        left = self._economy.status(scope).left_usd
        return float("inf") if left is None else left


def is_free(processor: Processor) -> bool:
    """Whether the processor says that its tokens cost nothing."""
    return bool(getattr(processor, "free", False))
