"""Latent modes: what the four numbers come to, in one word."""

from __future__ import annotations

from enum import StrEnum

from llmos.sentience.valence import Valence


class LatentMode(StrEnum):
    """How a user's system works; the first that fits counts."""

    RECOVERY = "RECOVERY"
    """It has cost or harmed too much: as little as possible by itself."""
    CAUTIOUS = "CAUTIOUS"
    """Something was wrong of late: look twice, ask before what cannot be taken back."""
    AUTO_CREATIVE = "AUTO_CREATIVE"
    """Much is new and it goes well: worth learning more."""
    AUTO_CONTAINED = "AUTO_CONTAINED"
    """Nothing new, or little success: keep to what is proven."""
    BALANCED = "BALANCED"


def latent_mode(valence: Valence) -> LatentMode:
    """The mode that the numbers yield."""
    v = valence
    if v.energy < -0.5 or v.safety < -0.5:
        return LatentMode.RECOVERY
    if v.safety < 0:
        return LatentMode.CAUTIOUS
    if v.curiosity > 0.3 and v.self_confidence > 0.1:
        return LatentMode.AUTO_CREATIVE
    if v.curiosity < -0.3 or v.self_confidence < -0.2:
        return LatentMode.AUTO_CONTAINED
    return LatentMode.BALANCED


MEANING = {
    LatentMode.RECOVERY: "Do only what is asked, in as few calls as you can.",
    LatentMode.CAUTIOUS: "Something was wrong of late: look before you write, check after it.",
    LatentMode.AUTO_CREATIVE: "Much is new and it goes well: a better way is welcome.",
    LatentMode.AUTO_CONTAINED: "Keep to the known way.",
    LatentMode.BALANCED: "Work as usual.",
}
"""What a mode means for a model's work."""
