"""The largest value of a function in a ball, of many rows at once, each with a ball of its own."""

from typing import Literal

# Of a row as one vector: Euclidean, or its largest entry.
Norm = Literal["l2", "linf"]
