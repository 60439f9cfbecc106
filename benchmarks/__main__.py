"""``python -m benchmarks`` runs them all."""

from __future__ import annotations

from benchmarks.run import main

main()
