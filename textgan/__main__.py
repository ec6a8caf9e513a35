"""`python -m textgan`."""

import sys

from textgan.cli.main import main

sys.exit(main())
