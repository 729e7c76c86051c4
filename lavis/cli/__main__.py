"""`python -m lavis.cli` is the `lavis` command."""

import sys

from lavis.cli.main import main

sys.exit(main())
