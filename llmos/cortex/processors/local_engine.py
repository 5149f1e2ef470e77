"""A GGUF model in this process, through xllamacpp. Blocking: it is called from threads.

xllamacpp brings llama.cpp's server, which insists on a listening socket. It gets a Unix socket
whose name is gone as soon as the model is loaded, and a random key: nobody else can reach it.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from llmos.values import Json, Usage

BATCH = 64
"""Tokens of a prompt that are worked on at once. A batch cannot be interrupted: this is about a
second of two slow cores, and costs a tenth of the speed of large ones."""
_FORMAT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""No free whitespace in replies: it is a fifth of the tokens of a short one."""
_NO_LOOPS = {
    "dry_multiplier": 0.6,
    "dry_base": 1.5,
    "dry_allowed_length": 16,
    "dry_penalty_last_n": 1024,
}
"""Sampling that makes long repetitions unlikely; a small model falls into them."""


class EngineError(Exception):
    """The engine could not load or complete; one line for a person."""


class ContextOverflow(EngineError):
    """The prompt is longer than the context."""


@dataclass(frozen=True, slots=True)
class Completion:
    """What came of one call of the model."""

    text: str
    usage: Usage
    finish: Literal["stop", "length", "stopped"]
    """``stopped``: the caller set the event."""


class Engine(Protocol):
    """The boundary to the model."""

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Json],
        max_tokens: int,
        stop: threading.Event,
        temperature: float = 0.0,
    ) -> Completion:
        """Complete a conversation by one JSON value of ``schema``. Blocks; loads at first use.

        Raises:
            ContextOverflow: The conversation does not fit.
            EngineError: Anything else.
        """
        ...

    def close(self) -> None:
        """Free the model, after the call that is going on. Idempotent."""
        ...


class LlamaEngine:
    """One model, one conversation at a time; the others wait.

    Args:
        path: The GGUF file.
        threads: CPU threads; all cores when None.
        context: Tokens of prompt and reply together.
    """

    def __init__(self, path: Path, threads: int | None, context: int) -> None:
        self._path = path
        self._threads = threads
        self._context = context
        self._server: Any = None
        self._lock = threading.Lock()

    def complete(
        self,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Json],
        max_tokens: int,
        stop: threading.Event,
        temperature: float = 0.0,
    ) -> Completion:
        """See `Engine`."""
        while not self._lock.acquire(timeout=0.1):
            if stop.is_set():
                return Completion("", Usage(), "stopped")
        try:
            if stop.is_set():
                return Completion("", Usage(), "stopped")
            if self._server is None:
                self._server = self._load()
            return self._complete(messages, schema, max_tokens, stop, temperature)
        finally:
            self._lock.release()

    def close(self) -> None:
        """See `Engine`."""
        with self._lock:
            self._server = None  # its destructor ends the server's thread and frees the model

    def _load(self) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(self._path)
        params.n_ctx = self._context
        params.n_parallel = 1
        params.n_batch = params.n_ubatch = BATCH
        params.cache_ram_mib = 0
        params.verbosity = -1
        params.warmup = params.fit_params = params.ui = params.endpoint_slots = False
        params.api_keys = [secrets.token_urlsafe(32)]
        if self._threads is not None:
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = self._threads
        with tempfile.TemporaryDirectory(prefix="llmos-") as folder:
            params.hostnames = [f"{folder}/llama.sock"]  # a path, by its ending
            try:
                return xllamacpp.Server(params)
            except Exception as e:
                raise EngineError(f"the model {self._path.name} could not be loaded: {e}") from e

    def _complete(
        self,
        messages: Sequence[Mapping[str, str]],
        schema: Mapping[str, Json],
        max_tokens: int,
        stop: threading.Event,
        temperature: float,
    ) -> Completion:
        import xllamacpp

        heard = _Heard(stop)
        request = {
            "messages": [dict(message) for message in messages],
            "grammar": xllamacpp.json_schema_to_grammar({**schema, "x-guidance": _FORMAT}),
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": 1,
            "stream": True,
            "stream_options": {"include_usage": True},
            "return_progress": True,
            **_NO_LOOPS,
        }
        try:
            self._server.handle_chat_completions(request, heard)
        except Exception as e:
            raise EngineError(f"the model could not be asked: {e}") from e
        return heard.completion()


class _Heard:
    """Takes the pieces of a streamed completion; returning True ends it."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._texts: list[str] = []
        self._finish = ""
        self._prompt = self._cached = self._told = 0
        self._error: dict[str, Any] | None = None
        self._raised: Exception | None = None

    def __call__(self, chunk: dict[str, Any]) -> bool:
        try:
            self._hear(chunk)
        except Exception as e:  # the caller, C code, would swallow it
            self._raised = e
            return True
        return self._stop.is_set()

    def _hear(self, chunk: dict[str, Any]) -> None:
        self._error = chunk.get("error") or self._error
        if progress := chunk.get("prompt_progress"):
            self._cached, self._prompt = progress["cache"], progress["processed"]
        if usage := chunk.get("usage"):
            self._prompt, self._told = usage["prompt_tokens"], usage["completion_tokens"]
            details = usage.get("prompt_tokens_details") or {}
            self._cached = details.get("cached_tokens", 0)
        for choice in chunk.get("choices", ()):
            if text := choice["delta"].get("content"):
                self._texts.append(text)
            self._finish = choice.get("finish_reason") or self._finish

    def completion(self) -> Completion:
        if self._raised is not None:
            raise EngineError(f"the model's reply could not be read: {self._raised!r}")
        if self._error is not None:
            kind = self._error.get("type")
            error = ContextOverflow if kind == "exceed_context_size_error" else EngineError
            raise error(str(self._error.get("message") or json.dumps(self._error)))
        # A stream that was stopped tells no usage: a piece is a token then.
        told = self._told or len(self._texts)
        usage = Usage(max(0, self._prompt - self._cached), told, self._cached)
        finish: Literal["stop", "length", "stopped"] = "stopped"
        if self._finish:
            finish = "length" if self._finish == "length" else "stop"
        return Completion("".join(self._texts), usage, finish)
