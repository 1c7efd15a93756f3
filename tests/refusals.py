"""What a refused input looks like: one line, soon, and for little memory."""

import tracemalloc
from contextlib import contextmanager

import pytest

from minimascope.errors import InputError

MEGABYTE = 2**20


@contextmanager
def refused(*texts: str, memory: float = 50):
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
