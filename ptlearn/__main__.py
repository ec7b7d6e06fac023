"""``python -m ptlearn`` is the same as ``ptlearn``."""

from .cli.app import main

if __name__ == "__main__":
    main()
