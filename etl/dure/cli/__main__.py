"""`python -m dure.cli`, for where the `dure` script is not on the path."""

import sys

from dure.cli import main

sys.exit(main())
