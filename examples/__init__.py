"""The use cases of LLM OS, each a folder that runs: ``python -m examples.csv_summary``."""
