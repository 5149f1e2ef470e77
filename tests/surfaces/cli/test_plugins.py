"""``llmos plugins`` as people use it."""

from __future__ import annotations

from pathlib import Path

from tests.plugins.test_folder import PLUGIN
from tests.surfaces.cli.conftest import Cli


def test_what_there_is_and_what_is_wrong(cli: Cli, home: Path) -> None:
    (home / "plugins").mkdir(parents=True)
    (home / "plugins" / "good.py").write_text(PLUGIN.format(name="tell", text="one"))
    (home / "plugins" / "bad.py").write_text("def (")
    rows = {row["name"]: row for row in cli("plugins", "--json").json}
    assert "Read" in rows["llmos"]["tools"]
    assert rows["good.py"]["tools"] == {"tell": "read"}
    assert "is not Python" in rows["bad.py"]["problems"][0]
    said = cli("plugins", "list")
    assert said.code == 0 and "tell (read)" in said.out and "bad.py: line 1" in said.err
    assert cli("plugins", "reload").code == 1
    (home / "plugins" / "bad.py").unlink()
    said = cli("plugins", "reload", "--json")
    assert said.code == 0 and len(said.json) == len(cli("plugins", "--json").json)
