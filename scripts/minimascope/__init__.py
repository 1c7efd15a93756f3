"""Sharpness of minima and what it says about a network."""

__version__ = "0.5.0"
