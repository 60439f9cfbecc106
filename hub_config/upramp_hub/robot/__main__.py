"""Run robots: ``python -m upramp_hub.robot``."""

import sys

from .command import main

sys.exit(main())
