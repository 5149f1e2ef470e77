"""Tells OpenTelemetry what was recorded: a finished run is a trace, a cycle of a cron a span.

It listens to committed events and reads from the store what they are about. It has a thread and
a bounded queue of its own: a run never waits for it and never fails of it.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, select
from ulid import ULID

from llmos.config import LLMOSConfig
from llmos.errors import ConfigError
from llmos.kernel.admission import HookCall, Hooks
from llmos.observability.spans import Span, Terms, cycle_span, run_span
from llmos.observability.tally import ENDED
from llmos.store import EventRow, Store
from llmos.store.schema import steps, traces
from llmos.values import EventType, Json

if TYPE_CHECKING:
    from llmos.observability.otlp import Sender

_log = logging.getLogger(__name__)

MOST = 1_000
"""Ended runs and cycles that wait to be told; what comes beyond is dropped."""
_CLOSING_S = 6.0
_PACKAGE = "opentelemetry.exporter.otlp.proto.http"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_MISSING = "OpenTelemetry is not installed"
_INSTALL = "pip install 'llmos[otel]'"


class _Told(NamedTuple):
    event: EventRow
    ends: Sequence[float]
    """Of a run: for each call how long before the event it ended, in seconds."""


class Telemetry:
    """Sends what one opened store records.

    Args:
        sender: Makes what sends it, on the thread of the telemetry.
        terms: How it is told.
    """

    def __init__(self, sender: Callable[[], Sender], terms: Terms) -> None:
        self._make = sender
        self._terms = terms
        self._queue: queue.Queue[_Told | None] = queue.Queue(MOST)
        self._ends: dict[str, list[float]] = {}
        self._thread: threading.Thread | None = None
        self._stop: Callable[[], None] = lambda: None
        self.dropped = 0
        """Runs and cycles that were too many at once to be told."""

    def around(self, hooks: Hooks) -> Hooks:
        """The hooks, with one that notes when calls end: the store has only how long they took."""
        return replace(hooks, post_tool_use=(*hooks.post_tool_use, self._called))

    def listen(self, store: Store) -> None:
        """Tell what ``store`` commits from now on."""
        self._thread = threading.Thread(
            target=self._work, args=(store,), name="llmos-telemetry", daemon=True
        )
        self._thread.start()
        self._stop = store.on_events(self._committed)

    def close(self) -> None:
        """Send what is left, for some seconds at most. Must come before the store is closed."""
        self._stop()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        try:
            self._queue.put(None, timeout=_CLOSING_S)
        except queue.Full:
            return
        thread.join(_CLOSING_S)

    # --- on the threads of others: quick -------------------------------------------------------

    async def _called(self, call: HookCall) -> None:
        self._ends.setdefault(call.run_id, []).append(time.perf_counter())

    def _committed(self, events: Sequence[EventRow]) -> None:
        for event in events:
            if event.type in ENDED:
                now = time.perf_counter()
                self._offer(event, [now - at for at in self._ends.pop(event.subject, ())])
            elif event.type is EventType.CYCLE_END and event.payload.get("began_at"):
                self._offer(event, ())

    def _offer(self, event: EventRow, ends: Sequence[float]) -> None:
        try:
            self._queue.put_nowait(_Told(event, ends))
        except queue.Full:
            self.dropped += 1

    # --- on its own thread ---------------------------------------------------------------------

    def _work(self, store: Store) -> None:
        sender: Sender | None = None
        while (told := self._queue.get()) is not None:
            try:
                sender = sender or self._make()
                span = self._span(store, told)
                if span is not None:
                    sender.send(span, ULID.from_str(told.event.subject).to_uuid().int)
            except Exception as e:
                # Whatever is wrong with it, nobody's run is the worse for it.
                _log.warning("telemetry of %s was not sent: %s", told.event.subject, e)
        if sender is not None:
            sender.close()

    def _span(self, store: Store, told: _Told) -> Span | None:
        if told.event.type is EventType.CYCLE_END:
            return cycle_span(told.event, self._terms)

        def read(c: Connection) -> Span | None:
            row = c.execute(select(traces).where(traces.c.id == told.event.subject)).first()
            mine = select(steps).where(steps.c.trace_id == told.event.subject)
            calls = c.execute(mine.order_by(steps.c.idx)).all()
            return run_span(row, calls, told.ends, self._terms) if row is not None else None

        span = store.read(read)
        if span is not None and told.event.payload.get("looked"):
            span.attributes["llmos.looked_ahead"] = True
        return span


def telemetry_of(
    config: LLMOSConfig, environ: Mapping[str, str], clean: Callable[[Json], Json]
) -> Telemetry | None:
    """What the settings and the ``OTEL_*`` variables ask for; None where that is nothing.

    Args:
        config: The settings.
        environ: The variables.
        clean: Takes secrets out of a value.

    Raises:
        ConfigError: It is switched on in the settings, and the packages are not there.
    """
    asked = config.telemetry or any(environ.get(name) for name in _ENDPOINTS)
    if not asked or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if not _installed():
        if config.telemetry:
            raise ConfigError(f"setting 'telemetry' is on, but {_MISSING}", _INSTALL)
        # The variables are there for all programs of this machine, so that this one goes on.
        _log.warning("%s, so that nothing is sent: %s", _MISSING, _INSTALL)
        return None

    def sender() -> Sender:
        from llmos.observability.otlp import Sender

        return Sender(endpoint=config.telemetry_endpoint)

    return Telemetry(sender, Terms(config.telemetry_content, clean, config.model))


def _installed() -> bool:
    try:
        return find_spec(_PACKAGE) is not None and find_spec("opentelemetry.sdk") is not None
    except ModuleNotFoundError:
        return False
