"""A model with a thousand tools is given the few that its goal needs, and a search for the rest."""
