"""Create a REST API with FastAPI."""
