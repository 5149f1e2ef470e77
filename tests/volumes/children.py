"""What the other processes of the tests do."""

from llmos.values import ArtifactType
from tests.support.databases import Database
from tests.volumes.people import of_alice


def put_many(database: Database, author: str, times: int) -> None:
    """Put ``times`` contents of one's own under one shared name."""
    with database.open() as store:
        volume = of_alice(store, author)
        for i in range(times):
            volume.put(None, ArtifactType.TOOL, "shared", {"by": author, "n": i}, author=author)
