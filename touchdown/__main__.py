"""``python -m touchdown``: the same as the ``touchdown`` command."""

import sys

from touchdown.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
