"""``WebFetch``: one page as text. Never reads from this machine or its network."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket
import ssl
from collections.abc import Sequence
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urljoin, urlsplit

from llmos.plugins.invoke import ToolError
from llmos.plugins.tool import Tool, ToolContext, tool, tool_of

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 5 * 1024 * 1024
"""How much of a page is loaded."""

MAX_TEXT = 50_000
"""Characters of a page that are told."""

MAX_HOPS = 5
"""Redirects that are followed."""


def web_fetch_tool(private: bool = False) -> Tool:
    """The ``WebFetch`` tool.

    Args:
        private: Whether addresses of this machine and its network may be fetched.
    """

    @tool(name="WebFetch", effects="open_read", version="1")
    async def web_fetch(url: str, context: ToolContext, prompt: str = "") -> str:
        """Fetch a web page and return its text.

        A redirect to another host is not followed but told, so that it can be decided on.

        Args:
            url: An http or https address.
            prompt: What is looked for; kept in the record, the page is returned as a whole.
            context: Handed in by the kernel.
        """
        # Once per process, and not in the event loop: together they take a quarter of a second.
        await asyncio.to_thread(_certificates)
        import httpx

        try:
            return await _fetch(url, private, context.timeout_s * 0.95)
        except httpx.TimeoutException as e:
            raise ToolError(f"{url} did not answer in time") from e
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise ToolError(f"{url} cannot be fetched: {e or type(e).__name__}") from e

    return tool_of(web_fetch)


@functools.cache
def _certificates() -> ssl.SSLContext:
    import httpx

    return httpx.create_ssl_context()


def parse_url(url: str) -> SplitResult:
    """Split an address; only what every program reads alike is let through.

    Raises:
        ToolError: Not http or https, no host, a user name, or characters that confuse.
    """
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError as e:
        raise ToolError(f"{url[:200]!r} is no web address: {e}") from e
    if parts.scheme not in ("http", "https"):
        raise ToolError(f"{url[:200]!r} is no web address: only http and https can be fetched")
    if (
        not parts.hostname
        or parts.username is not None
        or re.search(r"[\\\s\x00-\x1f]", url.strip())
    ):
        raise ToolError(f"{url[:200]!r} is no plain web address")
    return parts


def host_of(url: str) -> str:
    """The host of an address in the form that rules are compared with.

    Raises:
        ToolError: As `parse_url`.
    """
    host = (parse_url(url).hostname or "").rstrip(".").lower()
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as e:
        raise ToolError(f"{host!r} is no host name") from e


async def _fetch(url: str, private: bool, timeout_s: float) -> str:
    import httpx

    first = host_of(url)
    # No proxies from the environment: the address that is checked is the one that is asked.
    async with httpx.AsyncClient(
        timeout=timeout_s, trust_env=False, verify=_certificates()
    ) as client:
        for _ in range(MAX_HOPS + 1):
            host = host_of(url)
            if host != first:
                return f"{first} redirects to another host. To read it, fetch: {url}"
            request = _request(client, url, host, await _address(host, private))
            response = await client.send(request, stream=True)
            try:
                if not response.is_redirect:
                    return await _text_of(response, url)
                url = urljoin(url, response.headers["location"])
            finally:
                await response.aclose()
    raise ToolError(f"{url} redirects more than {MAX_HOPS} times")


def _request(client: httpx.AsyncClient, url: str, host: str, address: str) -> httpx.Request:
    """A request to the very address that was checked: the name is not looked up again."""
    parts = parse_url(url)
    port = f":{parts.port}" if parts.port else ""
    where = f"[{address}]" if ":" in address else address
    named = f"[{host}]" if ":" in host else host
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return client.build_request(
        "GET",
        f"{parts.scheme}://{where}{port}{path}",
        headers={"Host": f"{named}{port}", "User-Agent": "llmos", "Accept": "text/*, */*;q=0.5"},
        extensions={"sni_hostname": host},
    )


async def _address(host: str, private: bool) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        raise ToolError(f"there is no host {host!r}") from e
    addresses = [str(entry[4][0]) for entry in found]
    if not private and not all(map(is_public, addresses)):
        raise ToolError(f"{host} is an address of this machine or its network: not fetched")
    return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, also behind IPv6 translations."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        translated = ipaddress.ip_network("64:ff9b::/96")
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in translated:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


async def _text_of(response: httpx.Response, url: str) -> str:
    kind = response.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
    if response.status_code >= 400:
        raise ToolError(f"{url} answered {response.status_code} {response.reason_phrase}")
    if not re.fullmatch(r"text/.+|application/(.+\+)?(json|xml|javascript|yaml)", kind):
        raise ToolError(f"{url} is {kind}: only text can be read")
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            break
    text = _decoded(bytes(data[:MAX_BYTES]), response.charset_encoding)
    if kind in ("text/html", "application/xhtml+xml"):
        text = html_to_text(text)
    cut = len(data) > MAX_BYTES or len(text) > MAX_TEXT
    return text[:MAX_TEXT] + ("\n(… the rest of the page is left out)" if cut else "")


def _decoded(data: bytes, charset: str | None) -> str:
    try:
        return data.decode(charset or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def html_to_text(html: str) -> str:
    """The text of a page: blocks on lines of their own, headings marked, links with address."""
    reader = _Page()
    reader.feed(html)
    reader.close()
    return reader.text()


_BLOCK = re.compile(
    "address|article|aside|blockquote|br|d[dlt]|div|fieldset|figure|footer|form|h[1-6]|header|hr"
    "|li|main|nav|[ou]l|p|pre|section|table|tbody|t[dhr]|thead"
)
_SILENT = re.compile("script|style|noscript|template|svg|head")


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._silent: list[str] = []
        self._link = ""
        self._title = False

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._title = tag == "title" and "svg" not in self._silent
        if _SILENT.fullmatch(tag):
            self._silent.append(tag)
        elif _BLOCK.fullmatch(tag):
            self._parts.append("\n")
            if re.fullmatch(r"h[1-6]", tag):
                self._parts.append("#" * int(tag[1]) + " ")
            elif tag == "li":
                self._parts.append("- ")
        elif tag == "a":
            self._link = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        self._title = False
        if tag in self._silent:
            # Up to the tag that is closed: what was left open inside it ends too.
            del self._silent[self._silent.index(tag) :]
        elif _BLOCK.fullmatch(tag) and tag != "li":
            self._parts.append("\n")
        elif tag == "a" and self._link.startswith(("http://", "https://")):
            self._parts.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        if self._title:
            self._parts.append(f"# {' '.join(data.split())}\n")
        elif not self._silent:
            self._parts.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        lines = [" ".join(line.split()) for line in "".join(self._parts).split("\n")]
        kept = [line for i, line in enumerate(lines) if line or (i and lines[i - 1])]
        return "\n".join(kept).strip()
