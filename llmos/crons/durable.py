"""Cycles as DBOS workflows: each step is checkpointed, and what a dead process left goes on.

DBOS is one object per process. It keeps its tables in a file of its own beside a SQLite store:
one of them is called ``notifications``, and so is one of ours. In PostgreSQL they have a schema.
See docs/decisions/017.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import URL

from llmos.crons.carriers import Carrier, End, PlainCarrier, Work
from llmos.crons.cycle import CycleReport
from llmos.crons.memory import report_from
from llmos.crons.states import Cycle
from llmos.store import Store

_VERSION = "cycle-1"
"""Of the workflow's steps. DBOS goes on only with workflows of its own version."""

_WORKFLOW = "llmos.cycle"

_taking = threading.Lock()
_carrier: DurableCarrier | None = None
"""The one that has the DBOS of this process."""
_workflow: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def best_carrier(store: Store) -> Carrier:
    """A durable carrier; a plain one where the DBOS of this process is somebody else's."""
    with _taking:
        return PlainCarrier() if _is_taken() else DurableCarrier(store)


def system_database(store: Store) -> str:
    """Where DBOS keeps its tables: the database of the store, if that can tell them apart."""
    url = store.url
    if url is None or url.get_backend_name() == "sqlite":
        return f"sqlite:///{store.home / 'crons.db'}"
    plain: URL = url.set(drivername=url.get_backend_name())
    return plain.render_as_string(hide_password=False)


class DurableCarrier:
    """Carries cycles through as DBOS workflows of the steps ``work`` and ``end``.

    Args:
        store: Whose home.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._work: Work | None = None
        self._end: End | None = None

    def open(self, work: Work, end: End) -> list[Cycle]:
        """Launch DBOS; the cycles that were under way when their process died."""
        global _carrier
        self._work, self._end = work, end
        with _taking:
            _launch(self._store)
            _carrier = self
        return self._left()

    def _left(self) -> list[Cycle]:
        from dbos import DBOS

        known = DBOS.list_workflows(name=_WORKFLOW)
        alive = [w for w in known if w.status in ("PENDING", "ENQUEUED")]
        ended = [w.workflow_id for w in known if w not in alive]
        if ended:
            DBOS.delete_workflows(ended)
        return [Cycle.from_dict(w.input["args"][0]) for w in alive if w.input]

    def forget(self, cycles: Collection[Cycle]) -> None:
        """Delete their workflows."""
        from dbos import DBOS

        if cycles:
            DBOS.delete_workflows([c.id for c in cycles])

    def run(self, cycle: Cycle) -> CycleReport:
        """Carry a new cycle through, in the calling thread."""
        from dbos import DBOS, SetWorkflowID

        assert _workflow is not None
        with SetWorkflowID(cycle.id):
            told = _workflow(cycle.as_dict())
        # Its report is in the store by now: a row for every cycle would only pile up.
        DBOS.delete_workflow(cycle.id)
        return report_from(told)

    def go_on(self, cycle: Cycle) -> CycleReport:
        """Take a cycle over from the process that died, and wait for it."""
        from dbos import DBOS

        told: dict[str, Any] = DBOS.resume_workflow(cycle.id).get_result()
        DBOS.delete_workflow(cycle.id)
        return report_from(told)

    def carry(self, told: dict[str, Any]) -> dict[str, Any]:
        """The workflow."""
        from dbos import DBOS

        assert self._work is not None and self._end is not None
        work, end, cycle = self._work, self._end, Cycle.from_dict(told)
        report: dict[str, Any] = DBOS.run_step({"name": "work"}, lambda: work(cycle).as_dict())
        DBOS.run_step({"name": "end"}, lambda: end(cycle, report_from(report)))
        return report

    def close(self) -> None:
        """Shut DBOS down; takes almost a second."""
        global _carrier
        from dbos import DBOS

        with _taking:
            DBOS.destroy()
            _carrier = None


def _is_taken() -> bool:
    """Whether DBOS runs in this process already: for another home, or for the host program."""
    import dbos._dbos

    return _carrier is not None or dbos._dbos._dbos_global_instance is not None


def _launch(store: Store) -> None:
    global _workflow
    from dbos import DBOS

    _drop_closed_handlers()
    DBOS(
        config={
            "name": "llmos",
            "system_database_url": system_database(store),
            "application_version": _VERSION,
            # Two processes with one id would run a live workflow twice.
            "executor_id": store.process_id,
            "log_level": "ERROR",
        }
    )
    if _workflow is None:
        _workflow = DBOS.workflow(name=_WORKFLOW)(_carry)
    DBOS.launch()


def _drop_closed_handlers() -> None:
    """Take away what DBOS logs to and is closed: it flushes all of them when it begins anew.

    It has bound them to what standard error was when it began the first time in this process.
    """
    logger = logging.getLogger("dbos")
    for handler in list(logger.handlers):
        if isinstance(handler, logging.StreamHandler) and handler.stream.closed:
            logger.removeHandler(handler)


def _carry(told: dict[str, Any]) -> dict[str, Any]:
    assert _carrier is not None
    return _carrier.carry(told)
