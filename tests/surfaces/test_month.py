"""The month of the demo: it happens in the store, day by day, and is taken back."""

from __future__ import annotations

from pathlib import Path

from llmos.surfaces.demo.month import Month
from llmos.surfaces.demo.teller import Teller


async def test_the_month_goes_as_it_is_told(tmp_path: Path) -> None:
    teller = Teller(None)
    month = Month(tmp_path / "month", teller)
    await month.tell()
    assert [claim.text for claim in teller.claims if not claim.held] == []
    assert len(teller.claims) == 8
    days = [claim.text.partition(":")[0] for claim in teller.claims]
    assert (days[0], days[-1]) == ("day 2", "day 30")
    facts = month.facts
    assert [t["kind"] for t in facts["learned"]] == ["tool", "insight"]
    assert "promotion" in [t["kind"] for t in facts["shared"]]
    assert "promotion" in [t["kind"] for t in facts["everybody"]]
    assert facts["recalled"] == ["team/engineering", "system/system"]
    assert facts["report"].startswith("1 job became a tool; 2 tools were shared; 5 runs were free.")
