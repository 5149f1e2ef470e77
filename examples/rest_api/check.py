"""Does api.py do what spec.md says? It is started on the loopback address, and called."""

import json
import pathlib
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

PATIENCE_S = 20.0


def need(ok: bool, otherwise: str) -> None:
    """End with an error unless ``ok``."""
    if not ok:
        sys.exit(otherwise)


class Client:
    """Calls the API as any client would."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, object]:
        """Status and answer of one request."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            status, text = e.code, e.read().decode()
        try:
            return status, json.loads(text) if text else None
        except ValueError:
            return status, text


def start() -> Client:
    """Start the app of api.py in this process; returns a client of it."""
    import uvicorn

    sys.path.insert(0, "")
    import api

    need(hasattr(api, "app"), "api.py has no app")
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(api.app, log_level="error", lifespan="on", ws="none")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, args=([listening],), daemon=True).start()
    deadline = time.monotonic() + PATIENCE_S
    while not server.started:
        need(time.monotonic() < deadline, "the API does not start")
        time.sleep(0.01)
    return Client(listening.getsockname()[1])


def check(expected: dict) -> None:
    """End with an error unless every call is answered as the specification says.

    Args:
        expected: What spec.md says of a removed note: its ``status``, and whether it is ``told``.
    """
    need(pathlib.Path("api.py").is_file(), "there is no api.py")
    call = start()

    def answers(what: str, wanted: tuple[int, object], *request: object) -> None:
        got = call(*request)
        need(got == wanted, f"{what}: {request} is answered with {got}, not with {wanted}")

    one, two = {"id": 1, "text": "Water the tomatoes"}, {"id": 2, "text": "Buy a kettle"}
    new = {"id": 1, "text": "Water the beans"}
    answers("no notes yet", (200, []), "GET", "/notes")
    answers("create", (201, one), "POST", "/notes", {"text": one["text"]})
    answers("create another", (201, two), "POST", "/notes", {"text": two["text"]})
    answers("list", (200, [one, two]), "GET", "/notes")
    answers("read", (200, two), "GET", "/notes/2")
    answers("update", (200, new), "PUT", "/notes/1", {"text": new["text"]})
    answers("read again", (200, new), "GET", "/notes/1")
    removed = two if expected["told"] else None
    answers("delete", (expected["status"], removed), "DELETE", "/notes/2")
    answers("list what is left", (200, [new]), "GET", "/notes")
    for request in (
        ("GET", "/notes/2"),
        ("PUT", "/notes/9", {"text": "x"}),
        ("DELETE", "/notes/2"),
    ):
        got = call(*request)[0]
        need(got == 404, f"unknown id: {request} is answered with status {got}, not with 404")
