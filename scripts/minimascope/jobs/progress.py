"""Progress bars: shown where somebody asks for them, as the jobs of the workflow do."""

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

_SHOWN = ContextVar("shown", default=False)


@contextmanager
def progress_shown(shown: bool = True) -> Iterator[None]:
    """Show the progress bars of the block, or none of them."""
    token = _SHOWN.set(shown)
    try:
        yield
    finally:
        _SHOWN.reset(token)


def say(text: str) -> None:
    """Print a line, also while a progress bar is shown."""
    tqdm.write(text)


def progress(items: Iterable, description: str, unit: str, done: int = 0) -> tqdm:
    """Return the items behind a progress bar on standard error, if bars are shown.

    Args:
        items: what is iterated over; where it has no length, the bar counts only.
        description: stands before the bar.
        unit: what an item is.
        done: how many items were finished earlier, by an interrupted job.
    """
    total = len(items) + done if isinstance(items, Sized) else None
    looks = {"unit": unit, "mininterval": 1, "ascii": True}
    return tqdm(items, description, total, initial=done, disable=not _SHOWN.get(), **looks)
