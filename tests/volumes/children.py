"""What the other processes of the tests do."""

from llmos.values import ArtifactType
from llmos.volumes import Volume
from tests.support.databases import Database


def put_many(database: Database, author: str, times: int) -> None:
    """Put ``times`` contents of one's own under one shared name."""
    with database.open() as store:
        volume = Volume(store, "user", "alice")
        for i in range(times):
            volume.put(None, ArtifactType.TOOL, "shared", {"by": author, "n": i}, author=author)
