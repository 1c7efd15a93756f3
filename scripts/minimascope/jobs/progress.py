"""Progress: lines in the log of a job, a bar where somebody else asks for one, or nothing."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar

from tqdm import tqdm

NOTHING, LINES, BAR = "nothing", "lines", "bar"
# A log has a line for each step, but none before so many seconds and this share of all steps.
SECONDS = 1.0
SHARE = 0.05

_SHOWN = ContextVar("shown", default=NOTHING)


@contextmanager
def progress_shown(how: str = BAR) -> Iterator[None]:
    """Show the progress of the block as ``LINES`` or a ``BAR``, or ``NOTHING`` of it."""
    token = _SHOWN.set(how)
    try:
        yield
    finally:
        _SHOWN.reset(token)


def say(text: str) -> None:
    """Print a line, also while a progress bar is shown."""
    tqdm.write(text)


def progress(
    items: Iterable, description: str, unit: str, done: int = 0, total: int | None = None
) -> Iterable:
    """Return the items, and tell on standard error how many are done, if that is to be shown.

    Args:
        items: what is iterated over.
        description: what is done.
        unit: what an item is.
        done: how many items were finished earlier, by an interrupted job.
        total: how many there are with those; by their length if not given, and only counted where
            they have none.
    """
    if total is None and isinstance(items, Sized):
        total = len(items) + done
    if _SHOWN.get() == LINES:
        return _told(items, f"{description}: {unit}", total, done)
    looks = {"unit": unit, "mininterval": 1, "ascii": True, "disable": _SHOWN.get() == NOTHING}
    return tqdm(items, description, total, initial=done, **looks)


def _told(items: Iterable, what: str, total: int | None, done: int) -> Iterator:
    start = last = time.monotonic()
    number = told = done
    _print(what, done, total, "")
    for number, item in enumerate(items, done + 1):
        yield item
        now = time.monotonic()
        if now - last >= SECONDS and number - told >= SHARE * (total or 0) and number != total:
            left = (now - start) / (number - done) * (total - number) if total else None
            _print(what, number, total, _times(now - start, left))
            last, told = now, number
    if number != told:
        _print(what, number, total, _times(time.monotonic() - start, None))


def _print(what: str, number: int, total: int | None, times: str) -> None:
    of_all = f" of {total}" if total is not None else ""
    print(f"{what} {number}{of_all}{times}", file=sys.stderr, flush=True)


def _times(seconds: float, left: float | None) -> str:
    after = f" after {tqdm.format_interval(seconds)}"
    return after if left is None else f"{after}, about {tqdm.format_interval(left)} left"
