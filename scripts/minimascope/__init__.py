"""Sharpness of minima and what it says about a network."""

import signal
import sys

from .kernels import choose_kernels

__version__ = "0.5.0"

choose_kernels()

# A job that is stopped while it still imports has nothing to tell; `jobs.job` takes over.
if hasattr(sys.modules["__main__"], "snakemake"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
