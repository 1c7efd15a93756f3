"""What a refused input looks like: one line, soon, and for little memory."""

import math
import os
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import pytest

from minimascope.errors import InputError

MEGABYTE = 2**20


class MakesFolder:
    """A pickle that makes a folder when it is loaded as pickles usually are."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@contextmanager
def refused(*texts: str, memory: float = math.inf):
    """Expect one line that holds these texts, for no more than these megabytes of memory."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError) as caught:
            yield
        peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert all(text in message for text in texts), message
    assert message.isprintable()
    assert peak < memory
