"""What the Makefile calls: `python3 -m ops VERB`.

Standard library only, because it runs before anything is installed.
"""

import sys

# Before every other import, in words that any Python 3 understands, so that an old one says this and no traceback.
if sys.version_info < (3, 11):  # noqa: UP036 - older ones reach this line and no further
    sys.exit(
        "make: needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 names one"
    )
