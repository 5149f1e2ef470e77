"""How things are shown to people: one module for each kind of thing."""
