"""Live events inside one process: bounded, and deaf to slow listeners.

The store is the truth; the bus only tells those who listen now. A subscriber that does not keep
up loses its oldest events and is told how many; the kernel never waits for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Subscription(Generic[T]):
    """One listener's queue. Iterate it; `close` ends the iteration."""

    def __init__(self, bus: Bus[T], size: int) -> None:
        self._bus = bus
        self._queue: deque[T] = deque(maxlen=size)
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Events lost because this listener did not keep up."""

    def offer(self, items: Sequence[T]) -> None:
        """Hand over ``items`` from any thread; the oldest give way to them."""
        with self._lock:
            if self._closed:
                return
            self.dropped += max(0, len(self._queue) + len(items) - (self._queue.maxlen or 0))
            waiting = not self._queue
            self._queue.extend(items)
        if waiting:
            self._awake()

    def close(self) -> None:
        """Stop listening; what is queued can still be read. Idempotent, from any thread."""
        with self._lock:
            self._closed = True
        self._bus.unsubscribe(self)
        self._awake()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            self._wake.clear()
            with self._lock:
                if self._queue:
                    return self._queue.popleft()
                if self._closed:
                    raise StopAsyncIteration
            await self._wake.wait()

    def _awake(self) -> None:
        with suppress(RuntimeError):  # the listener's loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self._wake.set)


class Bus(Generic[T]):
    """Tells every subscriber what was published."""

    def __init__(self) -> None:
        self._listeners: tuple[Subscription[T], ...] = ()
        self._changing = threading.Lock()

    def subscribe(self, size: int = 1000) -> Subscription[T]:
        """Listen from now on. Must be called on a running loop.

        Args:
            size: Events kept for a listener that is behind.
        """
        listener = Subscription(self, size)
        with self._changing:
            self._listeners = (*self._listeners, listener)
        return listener

    def unsubscribe(self, listener: Subscription[T]) -> None:
        """Forget ``listener``. Idempotent."""
        with self._changing:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def publish(self, items: Sequence[T]) -> None:
        """Tell everybody; returns at once. Safe from any thread."""
        for listener in self._listeners:
            listener.offer(items)
