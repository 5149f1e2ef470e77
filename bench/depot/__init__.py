"""A made mail-order warehouse, to measure learning where nobody has looked before."""
