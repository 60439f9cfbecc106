"""``python -m upramp.kernel -f CONNECTION_FILE``: what the kernelspec runs."""

from __future__ import annotations

import sys

from .app import run

if __name__ == "__main__":
    run(sys.argv[1:])
