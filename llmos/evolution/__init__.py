"""How artifacts improve: recurring traces become verified, parameterised tools."""
