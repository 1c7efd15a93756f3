"""The command ``minimascope``: measures of a network, wherever it was trained.

Its words, and what is wrong with them, are known without torch, which takes seconds to import.
"""

import errno
import os
import sys
from collections.abc import Sequence

from ..errors import InputError
from ..jobs.job import INTERRUPTED, REMEDIES
from .arguments import parsed


def main(given: Sequence[str] | None = None) -> None:
    """Run the command and exit: with 2 for words that it does not know, 1 for other errors.

    Every mistake of a user is one line on standard error.
    """
    try:
        arguments = parsed(given)
        from .run import run

        run(arguments)
    except KeyboardInterrupt:
        print("stopped by the user", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except InputError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        if error.errno not in {*REMEDIES, errno.ENOENT, errno.ENOTDIR, errno.EISDIR}:
            raise
        remedy = REMEDIES.get(error.errno, "correct the path")
        sys.exit(f"error: {error.filename}: {os.strerror(error.errno)}; {remedy}")
