"""Run the proxy: ``python -m upramp_hub.proxy``."""

import sys

from .main import main

sys.exit(main())
