"""How near in meaning a fact is to a goal, by vectors of English words: `wordllama`.

Of that package only the table of vectors and its tokenizer are read. Its code is not run: it sets
up the logging of the whole program, and downloads what it does not find.

A text is the mean of the vectors of its telling words; near is a small angle. Words with other
letters than those of English, and numbers, have no place in it: the table puts all Russian near
all Russian, and 17 near 30.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmos.config import LLMOSConfig
from llmos.errors import ConfigError
from llmos.memory.facts.words import parts_of, telling

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

LEAST = 0.3
"""Cosine from which on a fact counts as near; chosen by ``python -m bench facts``."""
_DIGITS = 4
"""Of a cosine: beyond them it may differ from one machine to another."""
_TABLE = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_INSTALL = "pip install 'llmos[embeddings]'"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Tells how near sentences are to a goal. Pure: the same texts are always as near."""

    least: float = LEAST
    """What is less near than this is not near at all."""

    def __call__(self, goal: str, sentences: Sequence[str]) -> list[float]:
        """The cosine of each sentence and the goal; 0 where it is not near, or has no words.

        The first call of a process reads the vectors, which takes some tenths of a second.

        Args:
            goal: The user's sentence.
            sentences: Facts; their vectors are kept.
        """
        asked = _vector(goal)
        if asked is None:
            return [0.0] * len(sentences)
        found = []
        for sentence in sentences:
            told = _vector(sentence)
            # One by one: in a product of matrices a row's last bits depend on the other rows.
            cosine = 0.0 if told is None else round(float(asked @ told), _DIGITS)
            found.append(cosine if cosine >= self.least else 0.0)
        return found


def meaning_of(config: LLMOSConfig) -> Meaning | None:
    """What the settings ask for; None where facts are recalled by words alone.

    Args:
        config: The settings.

    Raises:
        ConfigError: It is switched on, and the packages are not there.
    """
    if not config.fact_embeddings:
        return None
    if problem := missing():
        raise ConfigError(f"setting 'fact_embeddings' is on, but {problem}", _INSTALL)
    return Meaning()


def missing() -> str:
    """Why nothing can be said about meaning; ``""`` if it can."""
    for package in ("wordllama", "numpy", "safetensors", "tokenizers"):
        spec = find_spec(package)
        if spec is None or spec.origin is None:  # a folder that was left over has no origin
            return f"the package {package} is not installed"
    for file in (_TABLE, _TOKENIZER):
        if not (_folder() / file).is_file():
            return f"this version of the package wordllama has no {file}"
    return ""


class _Model(NamedTuple):
    table: NDArray[Any]
    """A vector for each token."""
    tokenizer: Any


def _folder() -> Path:
    spec = find_spec("wordllama")
    assert spec is not None and spec.origin is not None, "missing() says so before"
    return Path(spec.origin).parent


@lru_cache(maxsize=1)
def _model() -> _Model:
    from safetensors import safe_open
    from tokenizers import Tokenizer

    with safe_open(_folder() / _TABLE, framework="np") as file:
        table = file.get_tensor("embedding.weight")
    return _Model(table, Tokenizer.from_file(str(_folder() / _TOKENIZER)))


@lru_cache(maxsize=4096)
def _vector(text: str) -> NDArray[float64] | None:
    """Of length 1; None for a text without words that could be known."""
    words = [part for word in telling(text) for part in parts_of(word)]
    known = " ".join(w for w in words if w.isascii() and w.isalpha())
    if not known:
        return None
    model = _model()
    tokens = model.tokenizer.encode(known, add_special_tokens=False).ids
    vector: NDArray[float64] = model.table[tokens].mean(axis=0, dtype="float64")
    length = float(vector @ vector) ** 0.5
    return vector / length if length else None
