"""``python -m upramp_hub.culler``."""

from __future__ import annotations

from .command import main

raise SystemExit(main())
