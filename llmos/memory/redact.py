"""Secrets are taken out of foreign text before it is stored.

What looks like a key, token or password becomes ``[redacted:kind]``. In doubt a word is taken for
a secret only where its form or its name says so: source code that merely speaks of a ``token`` or
a ``password`` stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from llmos.memory.secret_words import KEY, is_credential, is_lot, is_real, is_secret, kind_of
from llmos.values import Json

MARK = "[redacted:"
"""How what stands in place of a secret begins; its kind and ``]`` come after it."""

_SHORTEST = 8
"""Characters. No shorter text holds both a name and a secret."""

_CAPITALS = {c: c + 32 for c in range(ord("A"), ord("Z") + 1)}


def redact(value: Json, found: Counter[str] | None = None) -> Json:
    """``value`` without the secrets in its texts, also in keys of objects. Idempotent.

    Args:
        value: Any JSON value.
        found: Counts what was taken out, by kind.
    """
    counts: Counter[str] = Counter() if found is None else found
    if isinstance(value, str):
        return redact_text(value, counts)
    if isinstance(value, dict):
        return {redact_text(k, counts): _member(k, v, counts) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [redact(v, counts) for v in value]
    return value


def redact_text(text: str, found: Counter[str] | None = None) -> str:
    """`redact` for a text."""
    if len(text) < _SHORTEST:
        return text
    counts: Counter[str] = Counter() if found is None else found
    small = _small(text)
    for rule in _RULES:
        clean = rule.apply(text, small, counts)
        if clean is not text:
            text, small = clean, _small(clean)
    return text


def _member(key: str, value: Json, counts: Counter[str]) -> Json:
    named = _KEY_ALONE.search(key) if isinstance(value, str) and MARK not in value else None
    if named is None or not is_secret(named["key"], value, quoted=True, bare=False):
        return redact(value, counts)
    kind = kind_of(named["key"])
    counts[kind] += 1
    return f"{MARK}{kind}]"


def _small(text: str) -> str:
    small = text.lower()
    # Some letters are two when they are small, and places in both texts must be the same.
    return small if len(small) == len(text) else text.translate(_CAPITALS)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a kind of secret looks like. Searching for a fixed text first makes it 50 times faster.

    The pattern is tried where a needle stands, and its group ``s`` is replaced.
    """

    kind: str
    """``""``: as the group ``key`` says."""
    needles: tuple[str, ...]
    """In small letters."""
    pattern: re.Pattern[str]
    judge: Callable[[re.Match[str]], bool] = lambda m: True
    """Whether a match is a secret."""

    def apply(self, text: str, small: str, counts: Counter[str]) -> str:
        """``text`` itself if there is nothing in it."""
        parts: list[str] = []
        done = 0
        for start in self._starts(small):
            m = self.pattern.match(text, start) if start >= done else None
            if m is None or MARK in m["s"] or not self.judge(m):
                continue
            kind = self.kind or kind_of(m["key"])
            counts[kind] += 1
            parts += (text[done : m.start("s")], MARK, kind, "]")
            done = m.end("s")
        return "".join((*parts, text[done:])) if parts else text

    def _starts(self, small: str) -> list[int]:
        found: list[int] = []
        for needle in self.needles:
            at = small.find(needle)
            while at >= 0:
                found.append(at)
                at = small.find(needle, at + 1)
        found.sort()
        return found


def _assigned(m: re.Match[str]) -> bool:
    """Whether what is assigned to a telling name is a secret, and no code."""
    after = m.string[m.end() : m.end() + 1]
    if "\n" in m["op"] and "is" in m["op"] and not _is_line(m["s"], after):
        return False
    if m["q"]:
        return is_secret(m["key"], m["s"], quoted=True, bare=False)
    if after and after in "([":
        return False
    # "password: word" at the end of a line is data; elsewhere a word may be a name or a type.
    data = m["op"] not in (":", "=") and m["op"].startswith(":") and after in ("", "\n", "\r")
    tight = m["op"] == "=" and after in ("", " ", "\n", "&", "'", '"')
    bare = tight or (data and kind_of(m["key"]) == "password")
    return is_secret(m["key"], m["s"], quoted=False, bare=bare)


def _is_line(word: str, after: str) -> bool:
    """Whether what follows "the password is" on the next line is all of it, and names no other."""
    return after in ("", "\n", "\r") and _NAMES.match(word) is None


def _word(m: re.Match[str]) -> bool:
    return is_secret(m["key"], m["s"], quoted=False, bare="=" in m["op"])


def _env_value(m: re.Match[str]) -> bool:
    """Whether a line of an environment file gives a name something drawn by lot."""
    begin = m.string.rfind("\n", 0, m.start()) + 1
    name = _ENV_NAME.fullmatch(m.string, begin, m.start())
    return name is not None and is_lot(name["name"], m["s"])


# --- rules ---------------------------------------------------------------------------------------

_KEY_ALONE = re.compile(rf"{KEY}\Z")
_NAMES = re.compile(rf"\w*?{KEY}[:=]|[A-Z][A-Z0-9_]{{2,60}}=[^=]")
_KEY_NEEDLES = (
    *("pass", "pwd", "secret", "token", "credential"),
    *("api", "access", "private", "account", "auth", "encryption"),
)
_PEM = (
    r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?s:.*?)(?:-----END (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|\Z)"
)
_API = (
    r"(?<![A-Za-z0-9_])(?:sk-ant-[\w-]{16,}|sk-(?=[A-Za-z_-]*\d)[\w-]{16,}"
    r"|[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{24,}|npm_[A-Za-z0-9]{30,}"
    r"|pypi-[\w-]{40,}|glpat-[\w-]{16,}|dop_v1_[a-f0-9]{40,}|SG\.[\w-]{16,}\.[\w-]{16,})"
)
_API_NEEDLES = (
    *("sk-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "pk_live_", "pk_test_"),
    *("hf_", "npm_", "pypi-", "glpat-", "dop_v1_", "sg."),
)
_GITHUB = r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"
_SLACK = r"(?<![A-Za-z0-9])(?:xox[a-z]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[\w/]{12,})"
_AUTH = (
    r"(?i)authorization\\?[\"']?\s{0,2}[:=]\s{0,3}\\?[\"']?"
    r"(?P<scheme>(?:bearer|basic|token|digest|apikey)\s+)?(?P<s>[^\s\"',;`\\]{6,})"
)
_BEARER = r"(?i)(?<!\w)(?P<scheme>bearer)\s+(?P<s>[\w.~+/=-]{16,})"
_QUOTED = r"(?:(?!(?P=q))[^\n]){1,300}"
_ASSIGNED = (
    rf"{KEY}\\?[\"']?(?P<op>\s{{0,2}}(?:[:=]{{1,3}}>?|\bis\b)\s{{0,3}})"
    # A quote counts only where another one closes it on the same line.
    rf"(?:(?P<q>\\?[\"'])(?={_QUOTED}(?P=q)))?(?P<s>(?(q){_QUOTED}|[^\s\"'`,;<>(){{}}|\\]{{4,300}}))"
)
# In a shell or an environment file a value ends with the word, whatever is in it.
_SHELL = rf"(?=[A-Z]){KEY}(?P<op>=)(?P<s>[^\s\"'`]{{4,300}})"
_FLAG = rf"(?<![^\s\"'])--(?:[a-z-]{{0,30}}-)?{KEY}(?P<op>=|[ ]+)[\"']?(?P<s>[^\s\"'`]{{4,300}})"
_URL = r"://[^\s/:@\"'<>]{0,80}:(?P<s>[^\s/@\"'<>]{3,200})@"
_CURL = r"(?<=\s)(?:-u|--user)[ =]?[\"']?[^\s:\"'/]{1,60}:(?P<s>[^\s\"']{3,})"
_COOKIE = r"(?i)cookie:\s{0,3}(?P<s>[\w.-]+=[^\r\n\"']{6,})"
_ENV_NAME = re.compile(
    r"[ ]{0,12}(?:\d{1,7}[\t→])?(?:export +|set +)?(?P<name>[A-Z][A-Z0-9_]{2,60})"
)
"""Begin of a line of a file, or of one that ``Read`` has numbered."""
_ENV = r"(?<=[A-Z0-9_])=[\"']?(?P<s>[A-Za-z0-9+/=_.-]{24,})[\"']?[ \t]*(?m:$)"


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(f"(?P<s>{pattern})")


_RULES = (
    _Rule("private-key", ("-----begin ",), _whole(_PEM)),
    _Rule("jwt", ("eyj",), _whole(r"(?<!\w)eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*")),
    _Rule("api-key", _API_NEEDLES, _whole(_API)),
    _Rule("aws-key", ("akia", "asia"), _whole(r"(?<![A-Z0-9])A(?:KI|SI)A[A-Z0-9]{16}(?!\w)")),
    _Rule("github-token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"), _whole(_GITHUB)),
    _Rule("slack-token", ("xox", "hooks.slack.com"), _whole(_SLACK)),
    _Rule("google-key", ("aiza", "ya29."), _whole(r"(?<!\w)(?:AIza|ya29\.)[\w-]{30,}")),
    _Rule("url-password", ("://",), re.compile(_URL), is_real),
    _Rule("authorization", ("authorization",), re.compile(_AUTH), is_credential),
    _Rule("authorization", ("bearer ",), re.compile(_BEARER), is_credential),
    _Rule("cookie", ("cookie:",), re.compile(_COOKIE)),
    _Rule("password", ("-u", "--user"), re.compile(_CURL), is_real),
    _Rule("", ("--",), re.compile(_FLAG), _word),
    _Rule("", _KEY_NEEDLES, re.compile(_SHELL), _word),
    _Rule("", _KEY_NEEDLES, re.compile(_ASSIGNED), _assigned),
    _Rule("env-value", ("=",), re.compile(_ENV), _env_value),
)
