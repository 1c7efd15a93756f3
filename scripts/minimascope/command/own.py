"""A user's own functions, named as ``file.py:function`` on the command line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import own_parts
from ..errors import InputError, nearest
from ..study.parts_file import names_in


def is_own(name: str) -> bool:
    """Return whether a name is that of a function in a file of the user's."""
    return ".py:" in name


def own_function(name: str, option: str) -> Callable[..., Any]:
    """Run a file and return a function of it.

    Args:
        name: ``file.py:function``.
        option: of the command, for messages.

    Raises:
        InputError: no such file, or no such function in it.
    """
    place, _, function = name.rpartition(":")
    path = Path(place).absolute()
    if not path.is_file():
        raise InputError(f"{option}: no file {place}; correct the path")
    if function not in (known := names_in(path)):
        raise InputError(f"{option}: {place} has no {function}; {nearest(function, known)}")
    return own_parts.load(path, function)
