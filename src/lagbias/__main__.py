"""Run the command line as ``python -m lagbias``."""

import sys

from lagbias.cli import main

sys.exit(main())
