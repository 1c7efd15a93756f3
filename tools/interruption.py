"""Imported first by programs that a person waits for: Ctrl-C ends them with one line."""

import sys
from types import TracebackType


def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Show an exception that nothing has caught, as Python does but for interruptions."""
    if issubclass(kind, KeyboardInterrupt):
        print("stopped by the user", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = tell
