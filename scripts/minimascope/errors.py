"""The one exception that speaks to the user, and how it hints at the right name."""

import difflib
from collections.abc import Iterable

# Longer messages lose their middle: what is at fault comes first, the remedy last.
LONGEST_MESSAGE = 1000


class InputError(ValueError):
    """A mistake in a configuration or a file: one line that names it and says what to do.

    What the line quotes may be anything: what cannot be published is shown as an escape.
    """

    def __init__(self, message: str):
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
        if len(shown) > LONGEST_MESSAGE:
            half = LONGEST_MESSAGE // 2
            shown = f"{shown[:half]} … {shown[-half:]}"
        super().__init__(shown)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint at the valid name that comes closest, or at all of them."""
    names = sorted(map(str, names))
    in_lower_case = {each.casefold(): each for each in names}
    close = difflib.get_close_matches(str(name).casefold(), in_lower_case, n=1)
    if close:
        return f"did you mean '{in_lower_case[close[0]]}'?"
    return f"valid: {', '.join(names) or 'none'}"
