"""A number as it leaves the library: with what is needed to trust it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Protocol = Literal["corrected", "published"]


@dataclass(frozen=True)
class Measurement:
    """One measured value.

    ``n`` is the number of samples (data points) behind it; ``standard_error`` and
    ``noise_floor`` are in the value's unit, and None where the value is no estimate.
    """

    measure: str
    value: float
    unit: str
    n: int
    protocol: Protocol = "corrected"
    standard_error: float | None = None
    noise_floor: float | None = None


def document(family: str, measurements: Iterable[Measurement], **provenance: Any) -> dict:
    """Return the JSON document of one family of measures (resources/measures.schema.json)."""
    return {
        "family": family,
        "measures": [asdict(measurement) for measurement in measurements],
        **provenance,
    }
