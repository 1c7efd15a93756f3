"""The one exception that speaks to the user, and how it hints at the right name."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in a configuration or a file: one line that names it and says what to do."""


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint at the valid name that comes closest, or at all of them."""
    names = list(map(str, names))
    close = difflib.get_close_matches(str(name), names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"valid: {', '.join(names) or 'none'}"
