"""Sharpness of minima and what it says about a network."""

from .kernels import choose_kernels

__version__ = "0.5.0"

choose_kernels()
