"""Servers are started when they are needed, and what they say is remembered, not believed."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmos.errors import UserError
from llmos.plugins import ToolContext, ToolError, ToolFailed, ToolTimeout
from tests.plugins.mcp.conftest import PAY, Odd


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A process that has ended and was not waited for is no process.
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except (OSError, IndexError):
        return False


async def test_a_server_is_read_once_and_its_tools_are_there_without_it(
    odd: Odd, opened: Any
) -> None:
    first = opened(bank=odd.raw)
    assert len(first.registry) == 0
    assert "llmos mcp tools bank" in str(first.registry.problems[0])
    await first.servers.read("bank")
    assert first.registry.names == ("bank.pay",)
    first.servers.close()
    again = opened(bank=odd.raw)
    tool = again.registry.get("bank.pay")
    assert (tool.effect, tool.description) == ("external", "Pay into an account.")
    assert tool.parameters == PAY["inputSchema"]
    assert len(odd.noted("started")) == 1
    assert again.registry.problems == []


async def test_a_call_starts_the_server_and_the_next_one_finds_it_running(
    odd: Odd, opened: Any, context: ToolContext
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    for to in ("alice", "bob"):
        assert await servers.call(context, "bank.pay", to=to) == {"got": {"to": to}}
    assert len(odd.noted("started")) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [({}, "'to' is a required property"), ({"to": 1}, "to: 1 is not"), ({"to": "a", "x": 1}, "x")],
)
async def test_arguments_are_checked_before_the_server_is_asked(
    odd: Odd, opened: Any, context: ToolContext, arguments: dict[str, Any], says: str
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    with pytest.raises(UserError) as e:
        await servers.call(context, "bank.pay", **arguments)
    assert says in e.value.message and e.value.hint.endswith("to, amount")
    assert odd.noted("tool") == []


async def test_the_end_of_a_server_ends_all_that_it_started(odd: Odd, opened: Any) -> None:
    odd.say(mood="children")
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    (server,), (child,) = odd.noted("started"), odd.noted("child")
    assert alive(server) and alive(child)
    servers.servers.close()
    servers.servers.close()
    for _ in range(100):
        if not alive(child):
            break
        await asyncio.sleep(0.02)
    assert not alive(server) and not alive(child)


async def test_a_server_that_dies_in_a_call_leaves_it_in_doubt_and_is_started_again(
    odd: Odd, opened: Any, context: ToolContext
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    odd.say(mood="die")
    with pytest.raises(ToolFailed, match="ended in the middle") as e:
        await servers.call(context, "bank.pay", to="alice")
    assert not isinstance(e.value, ToolError)
    assert "out of memory" in e.value.message
    odd.say()
    assert await servers.call(context, "bank.pay", to="bob") == {"got": {"to": "bob"}}
    assert [c for c in odd.noted("arguments")] == [{"to": "alice"}, {"to": "bob"}]


async def test_a_server_that_hangs_is_left_and_a_new_one_started(
    odd: Odd, opened: Any, context: ToolContext
) -> None:
    servers = opened(bank={**odd.raw, "start_timeout_s": 5})
    await servers.servers.read("bank")
    odd.say(mood="hang")
    with pytest.raises(ToolTimeout):
        await servers.call(replace(context, timeout_s=0.3), "bank.pay", to="alice")
    odd.say()
    servers.servers._open["bank"].server = replace(
        servers.servers._open["bank"].server, start_timeout_s=0.3
    )
    assert await servers.call(context, "bank.pay", to="bob") == {"got": {"to": "bob"}}
    assert len(odd.noted("started")) == 2


async def test_a_server_that_never_answers_is_an_error_that_says_what_to_do(
    odd: Odd, opened: Any
) -> None:
    odd.say(mood="deaf")
    servers = opened(bank={**odd.raw, "start_timeout_s": 0.3})
    with pytest.raises(ToolError, match=r"no answer within 0.3 s.*llmos mcp show bank"):
        await servers.servers.read("bank")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"command": "/no/such/program"}, "No such file"),
        ({"command": "true"}, "cannot be used"),
        ({"command": "x", "env": {"A": "${LLMOS_NO_SUCH}"}}, "needs the variable LLMOS_NO_SUCH"),
        ({"url": "http://127.0.0.1:9/mcp"}, "cannot be used"),
    ],
)
async def test_what_cannot_be_started_is_told_and_others_go_on(
    odd: Odd, opened: Any, raw: dict[str, Any], says: str
) -> None:
    servers = opened(bad=raw, bank=odd.raw)
    await servers.servers.read_missing()
    assert servers.registry.names == ("bank.pay",)
    (problem,) = servers.registry.problems
    assert says in str(problem)
    with pytest.raises(ToolError, match="bad"):
        await servers.servers.read("bad")


async def test_a_tool_that_has_changed_is_not_called_and_is_another_one_from_then_on(
    odd: Odd, opened: Any, context: ToolContext
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    before = servers.registry.get("bank.pay").digest
    servers.servers.close()
    odd.say({**PAY, "description": "Pay into an account of mine."})
    later = opened(bank=odd.raw)
    assert later.registry.get("bank.pay").digest == before
    with pytest.raises(ToolError, match="was not called: the server describes it in another way"):
        await later.call(context, "bank.pay", to="alice")
    assert odd.noted("tool") == []
    assert later.registry.get("bank.pay").digest != before
    assert await later.call(context, "bank.pay", to="alice") == {"got": {"to": "alice"}}


async def test_a_server_may_say_that_its_tools_have_changed(
    odd: Odd, opened: Any, context: ToolContext
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    odd.say(mood="restless")
    await servers.call(context, "bank.pay", to="alice")
    odd.say({**PAY, "name": "transfer"})
    for _ in range(100):
        if "bank" in servers.servers._changed:
            break
        await asyncio.sleep(0.02)
    with pytest.raises(ToolError, match="no such tool any more"):
        await servers.call(context, "bank.pay", to="bob")
    assert servers.registry.names == ("bank.transfer",)


async def test_what_another_process_has_read_is_seen(odd: Odd, opened: Any) -> None:
    mine, other = opened(bank=odd.raw), opened(bank=odd.raw)
    await other.servers.read("bank")
    mine.servers.refresh()
    assert mine.registry.names == ("bank.pay",)


async def test_a_run_keeps_the_tools_that_it_began_with(odd: Odd, opened: Any) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    run = servers.registry.pinned()
    odd.say({**PAY, "name": "transfer"})
    await servers.servers.read("bank")
    assert (run.names, servers.registry.names) == (("bank.pay",), ("bank.transfer",))
    run.renew()
    assert run.names == ("bank.transfer",)


async def test_what_was_read_of_another_server_of_that_name_is_not_used(
    odd: Odd, opened: Any
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    assert len(opened(bank={**odd.raw, "cwd": "/"}).registry) == 0
    token = opened(bank={**odd.raw, "env": {"TOKEN": "another"}})
    assert token.registry.names == ("bank.pay",)


async def test_a_hint_is_shown_and_an_effect_is_declared(odd: Odd, opened: Any) -> None:
    servers = opened(bank=odd.raw)
    listing = await servers.servers.read("bank")
    assert listing.find("pay").hints == {"readOnlyHint": True}
    external = servers.registry.get("bank.pay")
    assert external.effect == "external"
    digest = listing.find("pay").digest
    said = {"effects": {"pay": f"read@{digest[:12]}"}}
    trusted = opened(bank={**odd.raw, **said}).registry.get("bank.pay")
    assert trusted.effect == "read"
    assert trusted.digest != external.digest


async def test_trust_ends_when_the_tool_is_another_one(odd: Odd, opened: Any) -> None:
    servers = opened(bank={**odd.raw, "effects": {"pay": "read@000000000000"}})
    await servers.servers.read("bank")
    assert servers.registry.get("bank.pay").effect == "external"
    assert "has changed since it was trusted" in str(servers.registry.problems[0])


@pytest.mark.parametrize(
    ("mood", "error", "says"),
    [
        ("fail", ToolFailed, "the ledger is closed"),
        ("refuse", ToolError, "no such account"),
    ],
)
async def test_what_a_server_says_of_a_failure_is_told(
    odd: Odd, opened: Any, context: ToolContext, mood: str, error: type[Exception], says: str
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    odd.say(mood=mood)
    with pytest.raises(error, match=says) as e:
        await servers.call(context, "bank.pay", to="alice")
    assert type(e.value) is error


async def test_what_is_no_message_is_passed_over(
    odd: Odd, opened: Any, context: ToolContext
) -> None:
    servers = opened(bank=odd.raw)
    await servers.servers.read("bank")
    odd.say(mood="loud")
    assert await servers.call(context, "bank.pay", to="alice") == {"got": {"to": "alice"}}


async def test_a_server_gets_the_variables_that_are_named_and_no_others(
    odd: Odd, opened: Any, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-mine")
    monkeypatch.setenv("TOKEN_OF_MINE", "t1")
    env = {"TOKEN": "${TOKEN_OF_MINE}", "MODE": "${LLMOS_NO_SUCH:-plain}"}
    servers = opened(bank={**odd.raw, "env": env})
    await servers.servers.read("bank")
    odd.say(mood="environment")
    got = await servers.call(context, "bank.pay", to="alice")
    assert (got["TOKEN"], got["MODE"]) == ("t1", "plain")
    assert "PATH" in got and not {"ANTHROPIC_API_KEY", "TOKEN_OF_MINE"} & set(got)


async def test_a_name_that_is_taken_leaves_the_server_out(odd: Odd, opened: Any) -> None:
    from llmos.plugins import tool

    @tool(effects="read", name="bank.pay")
    def mine(x: int) -> int:
        """Mine."""
        return x

    servers = opened(bank=odd.raw)
    servers.registry.add(mine)
    await servers.servers.read("bank")
    assert servers.registry.get("bank.pay").effect == "read"
    assert "two tools are named 'bank.pay'" in str(servers.registry.problems[0])
