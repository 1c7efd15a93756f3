"""A number as it leaves the library: with what is needed to trust it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

Protocol = Literal["corrected", "published"]


@dataclass(frozen=True)
class Measurement:
    """One measured value.

    ``n`` is the number of samples (data points) behind it; ``standard_error`` and
    ``noise_floor`` are in the value's unit, and None where the value is no estimate; ``converged``
    is False where a solver stopped before it had found all that it was asked for.
    """

    measure: str
    value: float
    unit: str
    n: int
    protocol: Protocol = "corrected"
    standard_error: float | None = None
    noise_floor: float | None = None
    converged: bool = True


@dataclass(frozen=True)
class Measured:
    """What a family of measures returns.

    Attributes:
        measurements: the numbers.
        details: how they came about (iterations, convergence, single repetitions), for the JSON.
        arrays: curves and surfaces behind them, by name.
    """

    measurements: Sequence[Measurement]
    details: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


def document(family: str, measured: Measured, **provenance: Any) -> dict:
    """Return the JSON document of one family of measures."""
    return {
        "family": family,
        "measures": [asdict(measurement) for measurement in measured.measurements],
        "details": dict(measured.details),
        **provenance,
    }
