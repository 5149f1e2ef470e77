"""An MCP server by hand, for what a well-behaved one does not do: ``odd_server.py STATE``.

STATE is a JSON file that is read at every request: ``tools`` to tell, and ``mood``: what to do
when one is called. Calls are noted in the file ``STATE.calls``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STATE = Path(sys.argv[1])


def note(what: Any) -> None:
    with open(f"{STATE}.calls", "a") as f:
        f.write(json.dumps(what) + "\n")


def answer(request: dict[str, Any], **more: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **more}), flush=True)


def call(request: dict[str, Any], mood: str) -> None:
    params = request["params"]
    note({"tool": params["name"], "arguments": params.get("arguments")})
    if mood == "die":
        sys.stderr.write("out of memory\n")
        sys.exit(3)
    if mood == "hang":
        time.sleep(3600)
    if mood == "fail":
        text = {"type": "text", "text": "the ledger is closed"}
        answer(request, result={"content": [text], "isError": True})
    elif mood == "refuse":
        answer(request, error={"code": -32602, "message": "no such account"})
    elif mood == "environment":
        text = {"type": "text", "text": json.dumps(dict(os.environ))}
        answer(request, result={"content": [text]})
    elif mood == "picture":
        part = {"type": "image", "data": "AAAA", "mimeType": "image/png"}
        answer(request, result={"content": [part]})
    else:
        if mood == "loud":
            print("a print that is no message", flush=True)
        told = {"got": params.get("arguments")}
        text = {"type": "text", "text": json.dumps(told)}
        answer(request, result={"content": [text]})


def main() -> None:
    note({"started": os.getpid()})
    for line in sys.stdin:
        request = json.loads(line)
        state = json.loads(STATE.read_text())
        mood = state.get("mood", "")
        method = request.get("method")
        if method == "initialize" and mood == "deaf":
            time.sleep(3600)
        if method == "initialize" and mood == "children":
            child = subprocess.Popen(["sleep", "3600"])
            note({"child": child.pid})
        if method == "initialize":
            answer(
                request,
                result={
                    "protocolVersion": request["params"]["protocolVersion"],
                    "capabilities": {"tools": {"listChanged": True}},
                    "serverInfo": {"name": "odd", "version": "7"},
                },
            )
        elif method == "tools/list":
            note({"listed": True})
            answer(request, result={"tools": state["tools"]})
        elif method == "tools/call":
            call(request, mood)
            if mood == "restless":
                told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
                print(json.dumps(told), flush=True)
        elif "id" in request:
            answer(request, error={"code": -32601, "message": "no such method"})


main()
