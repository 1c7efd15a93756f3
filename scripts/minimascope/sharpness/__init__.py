"""Measures of sharpness, by family: what one pass, or one kind of work, can compute together."""

from typing import Any


def __getattr__(name: str) -> Any:
    # Jobs import this package for its families, and do without what reads data of any form.
    if name == "measure":
        from .any_network import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
