"""What the other processes of the tests do."""

from pathlib import Path

from llmos.store import Store
from llmos.values import ArtifactType
from tests.volumes.people import of_alice


def put_many(home: Path, author: str, times: int) -> None:
    """Put ``times`` contents of one's own under one shared name."""
    with Store.open(home) as store:
        volume = of_alice(store, author)
        for i in range(times):
            volume.put(None, ArtifactType.TOOL, "shared", {"by": author, "n": i}, author=author)
