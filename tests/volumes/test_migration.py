"""A home of the version before is brought up to date and keeps what it had."""

from __future__ import annotations

import pytest
from sqlalchemy import select

import llmos.store.migrate as migrate
from llmos.store.schema import events
from llmos.values import ArtifactType, EventType
from tests.support.databases import Database
from tests.volumes.people import of_alice


def test_an_older_home_gets_the_tables_and_keeps_its_rows(
    new_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import command

    upgrade = command.upgrade
    with monkeypatch.context() as m:
        m.setattr(migrate, "REVISIONS", ("0001_first",))
        m.setattr(command, "upgrade", lambda config, to: upgrade(config, "0001_first"))
        with new_database.open() as store:
            was = store.write(lambda tx: tx.event(EventType.HEALTH_CHECK, owner="alice"))
    with new_database.open() as store:
        assert store.read(lambda c: c.scalar(select(events.c.id))) == was
        volume = of_alice(store)
        made = volume.put(None, ArtifactType.TOOL, "f", {"code": "pass"}, author="alice")
    with new_database.open() as store:
        assert of_alice(store).get(ArtifactType.TOOL, "f") == made
