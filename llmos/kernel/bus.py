"""Live events inside one process: bounded, and deaf to slow listeners.

The store is the truth; the bus only tells those who listen now. A subscriber that does not keep
up loses its oldest events and is told how many; the kernel never waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class Subscription(Generic[T]):
    """One listener's queue. Iterate it; `close` ends the iteration."""

    def __init__(self, bus: Bus[T], size: int) -> None:
        self._bus = bus
        self._queue: deque[T] = deque(maxlen=size)
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Events lost because this listener did not keep up."""

    def put(self, items: Sequence[T]) -> None:
        """Called by the bus, on the listener's loop."""
        for item in items:
            if len(self._queue) == self._queue.maxlen:
                self.dropped += 1
            self._queue.append(item)
        self._wake.set()

    def offer(self, items: Sequence[T]) -> None:
        """Hand over ``items`` from any thread."""
        if not self._closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.put, items)

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._closed = True
        self._bus.unsubscribe(self)
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._queue.popleft()


class Bus(Generic[T]):
    """Tells every subscriber what was published."""

    def __init__(self) -> None:
        self._listeners: tuple[Subscription[T], ...] = ()

    def subscribe(self, size: int = 1000) -> Subscription[T]:
        """Listen from now on. Must be called on a running loop.

        Args:
            size: Events kept for a listener that is behind.
        """
        listener = Subscription(self, size)
        self._listeners = (*self._listeners, listener)
        return listener

    def unsubscribe(self, listener: Subscription[T]) -> None:
        """Forget ``listener``. Idempotent."""
        self._listeners = tuple(each for each in self._listeners if each is not listener)

    def publish(self, items: Sequence[T]) -> None:
        """Tell everybody; returns at once. Safe from any thread."""
        for listener in self._listeners:
            listener.offer(items)
