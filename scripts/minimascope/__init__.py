"""Sharpness of minima and what it says about a network."""

import signal
import sys
from typing import Any

from .kernels import choose_kernels

__version__ = "0.5.0"

choose_kernels()

# A job that is stopped while it still imports has nothing to tell; `jobs.job` takes over.
if hasattr(sys.modules["__main__"], "snakemake"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def __getattr__(name: str) -> Any:
    # Found when it is first asked for: torch takes seconds to import, and most jobs do without.
    if name == "measure":
        from .sharpness import measure

        return measure
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
