"""The commands, one module for each group. They import what they use when they are called."""
