"""The prompt: one goal after the other, in one session."""
