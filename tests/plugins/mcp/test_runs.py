"""Goals that use servers made with the library: learnt, followed, stopped, in doubt."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmos import LLMOSConfig, Mode
from llmos.plugins import ToolError
from tests.conftest import MakeOS, recording
from tests.plugins.mcp.conftest import HERE, PAY, Odd

BANK = str(HERE / "bank.py")
ASK = recording("What does alice hold?", ("bank.balance", {"account": "alice"}))
SEND = recording("Pay alice", ("bank.pay", {"to": "alice"}))
TRUSTED = {"balance": "read"}


@pytest.fixture
def balance(tmp_path: Path) -> Path:
    path = tmp_path / "balance"
    path.write_text("40")
    return path


def config(raw: dict[str, Any], **more: Any) -> LLMOSConfig:
    return LLMOSConfig(mcp_servers={"bank": raw}, **more)


@pytest.fixture
def http(balance: Path) -> Iterator[str]:
    """A server on a loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, BANK, str(balance), str(port), "t0p"]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.kill()
        server.wait()


async def listening(url: str) -> None:
    port = int(url.rsplit(":", 1)[1].split("/")[0])
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def test_a_goal_is_learnt_from_a_server_and_followed(make_os: MakeOS, balance: Path) -> None:
    raw = {"command": sys.executable, "args": [BANK, str(balance)], "effects": TRUSTED}
    os = await make_os([ASK], config=config(raw))
    first = await os.execute(ASK.goal)
    assert (first.mode, first.steps[0].observation) == (Mode.LEARNER, {"alice": 40})
    second = await os.execute(ASK.goal)
    assert (second.mode, second.success) == (Mode.FOLLOWER, True)
    balance.write_text("41")
    third = await os.execute(ASK.goal)
    assert third.side_exit is not None and third.steps[-1].observation == {"alice": 41}


async def test_a_server_over_http(
    make_os: MakeOS, http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await listening(http)
    headers = {"Authorization": "Bearer ${LLMOS_TEST_TOKEN}"}
    raw = {"url": http, "effects": TRUSTED, "headers": headers}
    monkeypatch.setenv("LLMOS_TEST_TOKEN", "another")
    stranger = await make_os([ASK], config=config(raw))
    with pytest.raises(ToolError, match="401 Unauthorized"):
        await stranger._kernel.mcp.read("bank")
    monkeypatch.setenv("LLMOS_TEST_TOKEN", "t0p")
    os = await make_os([ASK], config=config(raw))
    first = await os.execute(ASK.goal)
    assert first.steps[0].observation == {"alice": 40}
    assert (await os.execute(ASK.goal)).mode is Mode.FOLLOWER


async def test_deciding_starts_no_server(make_os: MakeOS, odd: Odd) -> None:
    write = recording("Note it", ("Write", {"file_path": "a.txt", "content": "a"}))
    first = await make_os([write], config=config(odd.raw))
    assert odd.noted("started") == []
    first.explain(SEND.goal)
    assert odd.noted("started") == []
    await first.execute(write.goal)
    assert len(odd.noted("started")) == 1, "a model is shown what there is"
    await first.shutdown()
    again = await make_os([write], config=config(odd.raw))
    await again.execute(write.goal)
    assert len(odd.noted("started")) == 1


async def test_a_hint_of_a_server_opens_no_door(make_os: MakeOS, odd: Odd) -> None:
    os = await make_os([SEND], config=config(odd.raw))
    result = await os.execute(SEND.goal)
    assert not result.success and odd.noted("tool") == []
    await os.shutdown()
    trusting = await make_os([SEND], config=config({**odd.raw, "effects": {"pay": "open_read"}}))
    assert (await trusting.execute(SEND.goal)).success
    assert odd.noted("tool") == ["pay"]


async def test_a_changed_tool_takes_its_traces_out_of_use(make_os: MakeOS, odd: Odd) -> None:
    os = await make_os([SEND], config=config({**odd.raw, "effects": {"pay": "read"}}))
    await os.execute(SEND.goal)
    assert os.explain(SEND.goal)[0].mode is Mode.FOLLOWER
    odd.say({**PAY, "description": "Pay, and tell."})
    await os._kernel.mcp.read("bank")
    decision, _ = os.explain(SEND.goal)
    assert decision.mode is not Mode.FOLLOWER
    assert "bank.pay" in decision.reason


async def test_a_server_that_changes_while_a_trace_is_followed_stops_it_before_the_call(
    make_os: MakeOS, odd: Odd
) -> None:
    raw = {**odd.raw, "effects": {"pay": "read"}}
    first = await make_os([SEND], config=config(raw))
    await first.execute(SEND.goal)
    await first.shutdown()
    odd.say({**PAY, "description": "Pay, and tell."})
    os = await make_os([SEND], config=config(raw))
    result = await os.execute(SEND.goal)
    assert result.side_exit is not None
    assert len(odd.noted("tool")) == 2, "once when it was learnt, once by the model that took over"


async def test_an_external_call_that_a_server_dies_in_is_in_doubt_and_not_repeated(
    make_os: MakeOS, odd: Odd
) -> None:
    os = await make_os([SEND], config=config(odd.raw, allow=("bank.pay",)))
    await os._kernel.mcp.read("bank")
    odd.say(mood="die")
    result = await os.execute(SEND.goal)
    assert not result.success
    (doubt,) = os.kernel.writes_in_doubt()
    assert doubt.tool == "bank.pay"
    odd.say()
    assert not (await os.execute(SEND.goal)).success
    assert odd.noted("tool") == ["pay"]
