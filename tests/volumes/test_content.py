"""What is shown of contents tells them apart."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from llmos.volumes.content import canonical, diff, digest_of, render

TEXT = st.text(st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    ["a\n", "a", "", "code:\n\nx", "a: 1\n", "- 1", "null", "1", "\r\n", " a\nb ", "\x1b[0m\n"]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
CONTENT = st.dictionaries(st.sampled_from(["a", "code", "z"]) | TEXT, JSON, max_size=4)


@given(CONTENT)
def test_the_canonical_text_reads_back_as_the_content(content: dict) -> None:
    text = canonical(content, "x")
    assert json.loads(text) == content
    assert digest_of(canonical(dict(reversed(content.items())), "x")) == digest_of(text)


@given(CONTENT, CONTENT)
def test_two_contents_show_a_difference_exactly_when_they_differ(a: dict, b: dict) -> None:
    same = canonical(a, "x") == canonical(b, "x")
    assert (diff(a, b, "a", "b") == "") == same
    assert (render(a) == render(b)) == same


def test_code_alone_is_not_taken_for_the_rest() -> None:
    assert diff({"a": 1}, {"code": "a: 1\n"}, "a", "b") != ""
    assert diff({"code": "a"}, {"code": "a\n"}, "a", "b") != ""
