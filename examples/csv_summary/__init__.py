"""Parse CSV files and create a summary."""
