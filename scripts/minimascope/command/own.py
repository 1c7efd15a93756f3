"""A user's own functions, named as ``file.py:function`` on the command line."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InputError, nearest


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
    path = Path(place)
    if not path.is_file():
        raise InputError(f"{option}: no file {path}; correct the path")
    module = sys.modules.get(path.stem)
    if module is None or getattr(module, "__file__", None) != str(path.resolve()):
        spec = importlib.util.spec_from_file_location(path.stem, path.resolve())
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        # What the file imports from beside it.
        sys.path.insert(0, str(path.resolve().parent))
        spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        known = [n for n, value in vars(module).items() if callable(value) and n[0] != "_"]
        raise InputError(f"{option}: {path} has no function {function}; {nearest(function, known)}")
    return found
