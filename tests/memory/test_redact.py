from __future__ import annotations

import json
import random
import string
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llmos
from llmos.memory.redact import redact, redact_text

ALNUM = string.ascii_letters + string.digits
Draw = random.Random


def drawn(rng: Draw, size: int, alphabet: str = ALNUM) -> str:
    """A word drawn by lot that holds a letter and a digit, and begins with a letter."""
    body = [rng.choice(alphabet) for _ in range(size - 2)]
    return "".join([rng.choice("bdfghk"), *body, rng.choice("23456789")])


def b64(rng: Draw, size: int) -> str:
    return drawn(rng, size, f"{ALNUM}-_")


def pem(rng: Draw) -> str:
    lines = "\n".join(drawn(rng, 64, f"{ALNUM}+/") for _ in range(3))
    return f"-----BEGIN RSA PRIVATE KEY-----\n{lines}\n-----END RSA PRIVATE KEY-----"


BY_FORM: dict[str, tuple[str, Callable[[Draw], str]]] = {
    "openai": ("api-key", lambda r: f"sk-{drawn(r, 48)}"),
    "openai project": ("api-key", lambda r: f"sk-proj-{b64(r, 60)}"),
    "anthropic": ("api-key", lambda r: f"sk-ant-api03-{b64(r, 80)}"),
    "stripe": ("api-key", lambda r: f"sk_live_{drawn(r, 24)}"),
    "hub": ("api-key", lambda r: f"hf_{drawn(r, 34)}"),
    "gitlab": ("api-key", lambda r: f"glpat-{b64(r, 20)}"),
    "aws": ("aws-key", lambda r: "AKIA" + drawn(r, 16).upper()),
    "github": ("github-token", lambda r: f"gh{r.choice('pousr')}_{drawn(r, 36)}"),
    "github fine": ("github-token", lambda r: f"github_pat_{drawn(r, 22)}_{drawn(r, 59)}"),
    "slack": (
        "slack-token",
        lambda r: f"xox{r.choice('abprs')}-{r.randrange(10**11)}-{drawn(r, 24)}",
    ),
    "google": ("google-key", lambda r: f"AIza{b64(r, 35)}"),
    "jwt": ("jwt", lambda r: f"eyJ{b64(r, 20)}.eyJ{b64(r, 40)}.{b64(r, 43)}"),
    "pem": ("private-key", pem),
}
"""Secrets that are known by their own form, wherever they stand."""

PASSWORDS = f"{ALNUM}!#%^*-_+~@"
BY_PLACE: dict[str, tuple[str, str]] = {
    "assignment": ("password", "password={}"),
    "python": ("password", 'connect(host="db", password="{}")'),
    "json": ("password", '{{"user": "bob", "password": "{}"}}'),
    "json in json": ("password", '{{\\"user\\": \\"bob\\", \\"passwd\\": \\"{}\\"}}'),
    "yaml": ("password", "db:\n  password: {}\n  port: 5432"),
    "told": ("password", "the password is {}"),
    "environment": ("password", "export DB_PASSWORD={}"),
    "numbered": ("password", "     7→DB_PASSWORD={}\n     8→DB_PORT=1"),
    "flag": ("password", "mysql -u root --password {} shop"),
    "flag with =": ("password", "mysql -u root --password={} shop"),
    "curl": ("password", "curl -u bob:{} https://example.org"),
    "dsn": ("password", "host=db user=bob password={} dbname=shop"),
    "token": ("secret", "token: {}"),
    "api key": ("secret", "X-Api-Key: {}"),
    "client secret": ("secret", 'client_secret = "{}"'),
    "django": ("secret", "SECRET_KEY = '{}'"),
    "query": ("secret", "GET /items?page=2&access_token={}"),
    "header": ("authorization", "Authorization: Bearer {}"),
    "basic": ("authorization", "curl -H 'Authorization: Basic {}' https://example.org"),
    "url": ("url-password", "postgresql://bob:{}@db.example.org:5432/shop"),
    "any name": ("env-value", "LOG_LEVEL=debug\nSHOP_SIGNING={}\n"),
}
"""Places whose name tells that a secret stands there."""

PROSE = st.lists(
    st.sampled_from(["the", "token", "is", "read", "from", "a file", "then", "password", "."]),
    max_size=12,
).map(" ".join)


@pytest.mark.parametrize("name", BY_FORM)
@given(seed=st.integers(0, 2**32), before=PROSE, after=PROSE)
@settings(max_examples=10, deadline=None)
def test_a_secret_with_a_form_of_its_own_never_survives(
    name: str, seed: int, before: str, after: str
) -> None:
    kind, make = BY_FORM[name]
    secret, found = make(Draw(seed)), Counter[str]()
    for text in (
        f"{before} {secret} {after}",
        f'{before}("{secret}"){after}',
        f"{before}\n{secret}\n{after}",
    ):
        clean = redact_text(text, found)
        assert secret not in clean
        assert clean == text.replace(secret, f"[redacted:{kind}]")
    assert found == {kind: 3}


@pytest.mark.parametrize("name", BY_PLACE)
@given(seed=st.integers(0, 2**32), before=PROSE, after=PROSE)
@settings(max_examples=10, deadline=None)
def test_a_secret_in_a_telling_place_never_survives(
    name: str, seed: int, before: str, after: str
) -> None:
    kind, place = BY_PLACE[name]
    rng = Draw(seed)
    free = kind == "password" and name != "url"
    secret = drawn(rng, rng.randrange(8, 20), PASSWORDS) if free else drawn(rng, 32)
    text = f"{before}\n{place.format(secret)}\n{after}"
    found = Counter[str]()
    clean = redact_text(text, found)
    assert secret not in clean
    assert clean == text.replace(secret, f"[redacted:{kind}]")
    assert found == {kind: 1}


def test_a_secret_on_the_line_after_its_name_does_not_survive() -> None:
    for end in ("", "\n", "\r\n", "\nand more"):
        text = f"the password is\nhunter2!x7Q{end}"
        assert redact_text(text) == f"the password is\n[redacted:password]{end}"


def test_a_line_that_only_follows_the_name_of_a_secret_keeps_its_other_words() -> None:
    for line in ("host=db1.example.org:5432 user=bob", "host=db password={} user=bob", "token={}"):
        told = redact_text("the password is\n" + line.format("hunter2!x7Q"))
        assert "hunter2!x7Q" not in told
        assert told.split("[redacted")[0] == "the password is\n" + line.split("{}")[0]


@given(seed=st.integers(0, 2**32), names=st.lists(st.sampled_from(sorted(BY_FORM)), max_size=4))
@settings(max_examples=50, deadline=None)
def test_no_secret_survives_anywhere_in_a_value_and_twice_is_once(
    seed: int, names: list[str]
) -> None:
    rng = Draw(seed)
    secrets = [BY_FORM[name][1](rng) for name in names]
    value: dict[str, Any] = {
        "command": f"echo {' '.join(secrets)}",
        "edits": [{"new": s} for s in secrets],
    }
    value |= {s: 1 for s in secrets}
    clean = redact(value)
    assert not any(json.dumps(s)[1:-1] in json.dumps(clean) for s in secrets)
    assert redact(clean) == clean


@pytest.mark.parametrize("key", ["password", "API_KEY", "accessToken", "db_pass", "client-secret"])
def test_a_telling_member_of_an_object_is_taken_out(key: str) -> None:
    clean = redact({"env": {key: "correct7horse", "HOME": "/home/bob"}})
    assert clean["env"][key].startswith("[redacted:")
    assert clean["env"]["HOME"] == "/home/bob"


# --- text that stays as it is --------------------------------------------------------------------

HARMLESS = [
    "def login(user, password=None, token: str = ''):",
    "token = tokens[1]\npassword = getpass()\nsecret = settings.SECRET_KEY",
    "connect(password=password, token=self._token)",
    "password: Optional[str]\napi_key: string;",
    "max_tokens: 32000, token_count=12345678, total_tokens = 9",
    "PASSWORD=$(cat /run/secrets/db) TOKEN=${TOKEN} API_KEY=<your key>",
    "PWD=/home/bob/shop OLDPWD=/tmp",
    "COMMIT_SHA=da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "http://localhost:8080/users/@me and git@example.org:bob/shop.git",
    "postgresql://user:password@host/db and redis://:$PASSWORD@host",
    'label: "Enter your password", placeholder="Password"',
    "Authorization: Bearer $TOKEN\nAuthorization: required",
    "the secret is simple: write the token out loud. A password is needed",
    "task-force-one-two-three disk-usage-report-2026 risk-assessment-1234567",
    "x = {'token_type': 'bearer', 'secret_name': 'db'}",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "git commit -m 'Pass the token on' && curl -u",
    "[redacted:password] stays, password=[redacted:password] too",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_text_without_a_secret_is_unchanged(text: str) -> None:
    found = Counter[str]()
    assert redact_text(text, found) == text
    assert not found


@given(st.text(max_size=300))
def test_any_text_of_a_few_characters_is_unchanged(text: str) -> None:
    assert redact_text(text) == text


def test_source_code_that_deals_with_secrets_is_unchanged() -> None:
    for path in Path(llmos.__file__).parent.rglob("*.py"):
        text = path.read_text("utf-8")
        assert redact_text(text) == text, path.name


def test_a_cookie_header_is_taken_out_as_a_whole() -> None:
    text = 'curl -H "Cookie: session=a8d7f6; theme=dark" https://example.org'
    assert redact_text(text) == 'curl -H "Cookie: [redacted:cookie]" https://example.org'


def test_letters_that_grow_when_they_are_small_move_nothing() -> None:
    assert redact_text("İİİİ password=hunter2222 İ") == "İİİİ password=[redacted:password] İ"


def test_a_private_key_that_was_cut_off_is_taken_out_to_the_end() -> None:
    text = "key:\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n     3\tmore"
    assert redact_text(text) == "key:\n[redacted:private-key]"
