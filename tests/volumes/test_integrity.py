"""What was tampered with is refused by name, and can be left."""

from __future__ import annotations

import pytest
from sqlalchemy import text, update

from llmos.errors import IntegrityError
from llmos.store import Store
from llmos.store.schema import artifacts, versions
from llmos.store.sqlite import Sqlite
from llmos.values import ArtifactType
from llmos.volumes import Status, Version, Volume

TOOL = ArtifactType.TOOL


@pytest.fixture
def tampered(store: Store, volume: Volume) -> Version:
    """The second of two versions; a character of its stored content was changed."""
    volume.put(None, TOOL, "f", {"code": "return 1"}, author="alice")
    made = volume.put(None, TOOL, "f", {"code": "return 2"}, author="alice")
    meant = update(versions).where(versions.c.digest == made.digest)
    store.write(lambda tx: tx.conn.execute(meant.values(content='{"code":"return 3"}')))
    return made


def test_reading_it_is_refused_and_names_the_artifact(volume: Volume, tampered: Version) -> None:
    reads = [
        lambda: volume.get(TOOL, "f"),
        lambda: volume.version(tampered.digest),
        lambda: volume.read_artifact(TOOL, "f"),
        lambda: volume.history(TOOL, "f"),
        lambda: volume.diff(TOOL, "f"),
        lambda: volume.put(None, TOOL, "f", {"code": "return 2"}, author="alice"),
    ]
    for read in reads:
        with pytest.raises(IntegrityError, match=r"tool 'f': version 2") as caught:
            read()
        assert "roll back" in caught.value.hint


def test_it_can_be_quarantined_and_rolled_back(volume: Volume, tampered: Version) -> None:
    volume.set_status(TOOL, "f", Status.QUARANTINED, author="alice", why="damaged")
    assert volume.rollback(TOOL, "f", author="alice").code == "return 1"
    with pytest.raises(IntegrityError):
        volume.rollback(TOOL, "f", 2, author="alice")
    assert volume.get(TOOL, "f").seq == 1


def test_something_else_can_be_put_in_its_place(volume: Volume, tampered: Version) -> None:
    assert volume.put(None, TOOL, "f", {"code": "return 4"}, author="alice").seq == 3
    assert volume.get(TOOL, "f").code == "return 4"


@pytest.mark.usefixtures("tampered")
@pytest.mark.parametrize("content", ["", "{}", '{"code": "return 2"}', b'{"code":"return 2"}'])
def test_anything_but_the_very_text_is_refused(
    store: Store, volume: Volume, content: str | bytes
) -> None:
    if isinstance(content, bytes) and not isinstance(store.database, Sqlite):
        pytest.skip("a text column takes no bytes here")
    sql = text("UPDATE versions SET content = :content WHERE seq = 2")
    store.write(lambda tx: tx.conn.execute(sql, {"content": content}))
    with pytest.raises(IntegrityError):
        volume.get(TOOL, "f")


def test_a_current_version_that_is_not_there_is_refused(store: Store, volume: Volume) -> None:
    volume.put(None, TOOL, "f", {"code": "return 1"}, author="alice")
    store.write(lambda tx: tx.conn.execute(update(artifacts).values(current="0" * 64)))
    with pytest.raises(IntegrityError, match=r"tool 'f': its current version 000000000000"):
        volume.get(TOOL, "f")
    with pytest.raises(IntegrityError, match=r"tool 'f'"):
        volume.archive(TOOL, "f", author="alice")
    assert volume.rollback(TOOL, "f", 1, author="alice").code == "return 1"
