"""``WebFetch`` against a real server on loopback."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmos.plugins import ToolContext, ToolError, invoke
from llmos.plugins.builtin import web
from llmos.plugins.builtin.web import host_of, html_to_text, is_public, web_fetch_tool
from tests.plugins.conftest import Run

PAGE = b"""<!DOCTYPE html><html><head><title>A  page</title><style>p {color: red}</style>
<script>var secret = "<p>script</p>";</script></head>
<body><nav><ul><li>One</li><li>Two</li></ul></nav>
<h2>Head &amp; line</h2><p>Some <b>bold</b>
text, a <a href="https://example.org/x">link</a>.</p><p>Next<br>line</p></body></html>"""


BOMB = gzip.compress(b"x" * 20_000_000)


@dataclass
class Site:
    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Host header of every request."""


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append((self.path, self.headers["Host"]))
            if self.path == "/endless":
                return self.stream()
            status, headers, body = answer(self.path, made)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return

        def stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65_536)
            except OSError:
                return

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    made.url = f"http://localhost:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


def answer(path: str, site: Site) -> tuple[int, dict[str, str], bytes]:
    port = site.url.rsplit(":", 1)[1]
    return {
        "/page": (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE),
        "/latin": (200, {"Content-Type": "text/plain; charset=latin-1"}, b"caf\xe9"),
        "/odd": (200, {"Content-Type": "text/plain; charset=no-such"}, b"odd"),
        "/json?q=1": (200, {"Content-Type": "application/json"}, b'{"a": 1}'),
        "/gone": (404, {}, b""),
        "/image": (200, {"Content-Type": "image/png"}, b"\x89PNG"),
        "/long": (200, {"Content-Type": "text/plain"}, b"x" * 60_000),
        "/bomb": (
            200,
            {"Content-Type": "text/plain", "Content-Encoding": "gzip"},
            BOMB,
        ),
        "/moved": (302, {"Location": "/page"}, b""),
        "/away": (302, {"Location": f"http://127.0.0.1:{port}/page"}, b""),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
        "/circle": (302, {"Location": "/circle"}, b""),
    }[path]


LOCAL = web_fetch_tool(private=True)
OPEN = web_fetch_tool()


async def test_page_comes_as_text(site: Site, run: Run) -> None:
    assert await run(LOCAL, url=f"{site.url}/page", prompt="what is it about?") == (
        "# A page\n\n- One\n- Two\n\n## Head & line\n\nSome bold text, a link "
        "(https://example.org/x).\n\nNext\nline"
    )
    assert site.asked == [("/page", site.url.removeprefix("http://"))]


async def test_other_text_comes_as_it_is(site: Site, run: Run) -> None:
    assert await run(LOCAL, url=f"{site.url}/latin") == "café"
    assert await run(LOCAL, url=f"{site.url}/odd") == "odd"
    assert await run(LOCAL, url=f"{site.url}/json?q=1#part") == '{"a": 1}'


async def test_redirect_on_the_same_host_is_followed(site: Site, run: Run) -> None:
    assert (await run(LOCAL, url=f"{site.url}/moved")).startswith("# A page")


async def test_redirect_to_another_host_is_told_and_not_followed(site: Site, run: Run) -> None:
    said = await run(LOCAL, url=f"{site.url}/away")
    assert said.startswith(
        "localhost redirects to another host. To read it, fetch: http://127.0.0.1:"
    )
    assert [path for path, _ in site.asked] == ["/away"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/gone", "/gone answered 404 Not Found"),
        ("/image", "/image is image/png: only text can be read"),
        ("/file", "only http and https"),
        ("/circle", "redirects more than 5 times"),
    ],
)
async def test_what_cannot_be_read_is_a_clear_error(
    site: Site, run: Run, path: str, said: str
) -> None:
    with pytest.raises(ToolError) as e:
        await run(LOCAL, url=site.url + path)
    assert said in e.value.message


async def test_long_page_is_cut(site: Site, run: Run) -> None:
    text = await run(LOCAL, url=f"{site.url}/long")
    assert text == "x" * web.MAX_TEXT + "\n(… the rest of the page is left out)"


async def test_page_without_end_is_read_only_to_the_limit(site: Site, run: Run) -> None:
    assert (await run(LOCAL, url=f"{site.url}/endless")).endswith("left out)")


async def test_compressed_bomb_is_read_only_to_the_limit(site: Site, run: Run) -> None:
    assert (await run(LOCAL, url=f"{site.url}/bomb")).endswith("left out)")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "example.org",
        "http://",
        "http://alice:secret@example.org/",
        "http://example.org\\@other.org/",
        "http://exa mple.org/",
        "http://example.org:port/",
        "http://[::1/",
        "javascript:alert(1)",
        "",
    ],
)
async def test_what_is_no_plain_web_address_is_refused(run: Run, url: str) -> None:
    with pytest.raises(ToolError, match=r"web address"):
        await run(LOCAL, url=url)


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "127.1", "2130706433"]
)
async def test_this_machine_is_not_fetched_from(site: Site, run: Run, host: str) -> None:
    port = site.url.rsplit(":", 1)[1]
    with pytest.raises(ToolError, match=r"this machine or its network|there is no host"):
        await run(OPEN, url=f"http://{host}:{port}/page")
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("10.0.0.1", False),
        ("172.16.3.4", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("127.0.0.2", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
    ],
)
def test_only_the_open_internet_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public


async def test_host_that_does_not_exist_is_a_clear_error(run: Run) -> None:
    with pytest.raises(ToolError, match=r"there is no host 'no-such-host\.invalid'"):
        await run(OPEN, url="http://no-such-host.invalid/")


async def test_server_that_hangs_or_talks_nonsense_is_a_clear_error(
    context: ToolContext,
) -> None:
    from dataclasses import replace

    server = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    values = LOCAL.validate({"url": url})
    with pytest.raises(ToolError, match="did not answer in time"):
        await invoke(LOCAL, replace(context, timeout_s=0.3), values, 20.0)

    def nonsense() -> None:
        server.accept()[0].close()  # the one that waited in vain
        connection, _ = server.accept()
        connection.recv(1000)
        connection.sendall(b"nonsense\r\n\r\n")
        connection.close()

    thread = threading.Thread(target=nonsense, daemon=True)
    thread.start()
    with pytest.raises(ToolError, match="cannot be fetched"):
        await invoke(LOCAL, context, values, 20.0)
    thread.join(5)
    server.close()
    with pytest.raises(ToolError, match="cannot be fetched"):
        await invoke(LOCAL, context, values, 20.0)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Example.ORG/x", "example.org"),
        ("https://example.org.:443/", "example.org"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("http://[::1]:80/", "::1"),
    ],
)
def test_host_is_told_in_one_form(url: str, host: str) -> None:
    assert host_of(url) == host


@given(st.text(alphabet="<>/abhpscript \n&;\"'=!-", max_size=200))
def test_any_html_gives_some_text(html: str) -> None:
    text = html_to_text(html)
    assert text == text.strip()
    assert "\n\n\n" not in text


def test_end_of_a_silent_part_ends_what_was_left_open_in_it() -> None:
    assert html_to_text("<script>x<p></script><p>seen</p>") == "seen"
    assert (
        html_to_text("<p>before <svg><noscript><title>t</title>in</svg>after</p>") == "before after"
    )
