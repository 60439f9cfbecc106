"""``python -m upramp_hub``."""

import sys

from .command import main

sys.exit(main())
