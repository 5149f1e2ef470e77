"""``python -m llmos`` is the command ``llmos``."""

from llmos.surfaces.cli import main

if __name__ == "__main__":
    main()
