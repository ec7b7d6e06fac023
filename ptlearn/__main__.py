"""``python -m ptlearn`` is the same as ``ptlearn``."""

from ptlearn.cli import main

if __name__ == "__main__":
    main()
