"""Progress bars, which the jobs of the workflow send to their logs."""

from collections.abc import Iterable, Sized

from tqdm import tqdm


def say(text: str) -> None:
    """Print a line, also while a progress bar is shown."""
    tqdm.write(text)


def progress(items: Iterable, description: str, unit: str, done: int = 0) -> tqdm:
    """Return the items behind a progress bar on standard error.

    Args:
        items: what is iterated over; where it has no length, the bar counts only.
        description: stands before the bar.
        unit: what an item is.
        done: how many items were finished earlier, by an interrupted job.
    """
    total = len(items) + done if isinstance(items, Sized) else None
    return tqdm(items, description, total, unit=unit, initial=done, mininterval=1, ascii=True)
