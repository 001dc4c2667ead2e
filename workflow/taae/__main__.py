"""`python -m taae`."""

import sys

from taae.cli import main

sys.exit(main())
