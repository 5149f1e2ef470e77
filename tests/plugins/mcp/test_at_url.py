"""Servers at a URL: their headers, what they refuse, and what is in doubt after an odd answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from llmos.errors import ConfigError
from llmos.plugins import ToolContext, ToolError
from llmos.plugins.invoke import ToolFailed
from llmos.plugins.mcp import parse_server
from llmos.values import Effect
from tests.plugins.mcp.at_url import Desk, desk

TOKEN = {"Authorization": "Bearer ${LLMOS_TEST_TOKEN}"}


@pytest.fixture
def shop() -> Iterator[Desk]:
    with desk() as state:
        yield state


async def test_a_header_is_filled_from_a_variable_and_sent_with_each_request(
    shop: Desk, opened: Any, context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = opened(shop={"url": shop.url, "headers": TOKEN})
    with pytest.raises(ToolError, match=r"needs the variable LLMOS_TEST_TOKEN.*export LLMOS_TEST"):
        await servers.servers.read("shop")
    assert shop.authorization == set(), "nothing was asked"
    monkeypatch.setenv("LLMOS_TEST_TOKEN", "t0p")
    await servers.servers.read("shop")
    assert servers.registry.get("shop.pay").effect is Effect.EXTERNAL
    assert await servers.call(context, "shop.pay", to="bob") == "paid"
    assert shop.authorization == {"Bearer t0p"}


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, r"401 Unauthorized: it wants to know who asks \(headers sent: none; .*--header"),
        (403, "403 Forbidden: .*OAuth"),
        (404, "404 Not Found: is the path of its URL right"),
        (500, "500 Internal Server Error"),
        (200, "text/html"),
        (202, "202 Accepted"),
    ],
)
async def test_a_server_that_is_none_or_lets_nobody_in_is_told(
    shop: Desk, opened: Any, status: int, says: str
) -> None:
    shop.status = {"initialize": status, "server/discover": status}
    servers = opened(shop={"url": shop.url})
    with pytest.raises(ToolError, match=rf"(?s){says}.*llmos mcp show shop"):
        await servers.servers.read("shop")


async def test_headers_do_not_go_where_a_redirect_leads(
    shop: Desk, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOS_TEST_TOKEN", "t0p")
    with desk() as other:
        shop.status = {"initialize": 307, "server/discover": 307}
        shop.location = other.url
        servers = opened(shop={"url": shop.url, "headers": TOKEN})
        with pytest.raises(ToolError, match="Redirect to"):
            await servers.servers.read("shop")
        assert other.authorization == set()


async def test_a_server_that_was_started_anew_is_asked_again_and_does_it_once(
    shop: Desk, opened: Any, context: ToolContext
) -> None:
    servers = opened(shop={"url": shop.url})
    await servers.servers.read("shop")
    shop.session = "two"
    assert await servers.call(context, "shop.pay", to="bob") == "paid"
    assert shop.did == [{"to": "bob"}]


@pytest.mark.parametrize("status", [200, 202, 500, 502])
async def test_after_an_answer_that_is_no_message_nobody_knows_what_was_done(
    shop: Desk, opened: Any, context: ToolContext, status: int
) -> None:
    servers = opened(shop={"url": shop.url})
    await servers.servers.read("shop")
    shop.status = {"tools/call": status}
    with pytest.raises(ToolFailed) as failed:
        await servers.call(context, "shop.pay", to="bob")
    assert not isinstance(failed.value, ToolError), "a tool error says that nothing was done"
    assert shop.did == [{"to": "bob"}], "it was done, and not twice"
    shop.status = {}
    assert await servers.call(context, "shop.pay", to="alice") == "paid"


async def test_what_a_server_refuses_by_its_own_word_was_not_made(
    shop: Desk, opened: Any, context: ToolContext
) -> None:
    servers = opened(shop={"url": shop.url})
    await servers.servers.read("shop")
    del shop.results["tools/call"]
    with pytest.raises(ToolError, match="no such method"):
        await servers.call(context, "shop.pay", to="bob")


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_call_that_was_not_let_in_was_not_made_and_others_meanwhile_are_in_doubt(
    shop: Desk, opened: Any, context: ToolContext, status: int
) -> None:
    servers = opened(shop={"url": shop.url})
    await servers.servers.read("shop")
    shop.status = {"tools/call": status}
    with pytest.raises(ToolError, match=f"it answered {status}"):
        await servers.call(context, "shop.pay", to="bob")
    shop.moods = [status, 500]
    both = [servers.call(context, "shop.pay", to=to) for to in ("alice", "bob")]
    ended = await asyncio.gather(*both, return_exceptions=True)
    told = {isinstance(e, ToolError): str(e) for e in ended}
    assert f"it answered {status}" in told[True] and "it answered 500" in told[False]


@pytest.mark.parametrize("url", ["http://[bad/mcp", "http:///mcp", "ftp://h/mcp"])
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        parse_server("shop", {"url": url})
