"""Internal state as a controller: events move four numbers, and these turn real knobs."""

from llmos.sentience.block import internal_state_block
from llmos.sentience.modes import LatentMode, latent_mode
from llmos.sentience.opportunities import Opportunity, detect_improvement_opportunities
from llmos.sentience.policy import Knob, Policy, policy_of
from llmos.sentience.state import InternalState, Moment, history, internal_state, take_in
from llmos.sentience.triggers import triggers_of
from llmos.sentience.valence import SET_POINT, Trigger, Valence

__all__ = [
    "SET_POINT",
    "InternalState",
    "Knob",
    "LatentMode",
    "Moment",
    "Opportunity",
    "Policy",
    "Trigger",
    "Valence",
    "detect_improvement_opportunities",
    "history",
    "internal_state",
    "internal_state_block",
    "latent_mode",
    "policy_of",
    "take_in",
    "triggers_of",
]
