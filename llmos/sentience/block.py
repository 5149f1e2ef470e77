"""The internal state as a model is told it, where the owner wants that."""

from __future__ import annotations

from llmos.sentience.modes import MEANING, latent_mode
from llmos.sentience.valence import Valence


def internal_state_block(state: Valence) -> str:
    """A few lines for the system prompt: the numbers, the mode, what it means for the work."""
    numbers = " ".join(f"{name}={value:+.1f}" for name, value in state.as_dict().items())
    mode = latent_mode(state)
    return f"[INTERNAL_STATE]\n{numbers}\nmode={mode.value}: {MEANING[mode]}\n[/INTERNAL_STATE]"
