"""Summarise papers that are given as files."""
