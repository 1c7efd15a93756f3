"""What a measure or evaluation of the user's own file returned, as measurements."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from .analysis.measure_names import MEASURES
from .components import Component
from .errors import InputError
from .measurement import Measured, Measurement

WANTED = "a number, a Measurement, a mapping of names to these, or a Measured"


def measured_by_own(component: Component, result: Any, n: int) -> Measured:
    """Return the measurements of a function of the user's own file.

    A number goes by the function's name; those of a mapping by that and their own, such as
    ``curvature_mean``.

    Args:
        component: the function.
        result: what it returned.
        n: number of samples behind a plain number.

    Raises:
        InputError: the result is none of these, or a value not finite, which no document can hold;
            names the function and the remedy.
    """
    name = component.location.partition(":")[2]
    if isinstance(result, Measured):
        found = Measured(tuple(result.measurements), result.details)
        if result.arrays:
            raise InputError(
                f"{component.location} returned arrays, which are not kept; leave them out"
            )
    elif isinstance(result, Mapping):
        found = Measured(tuple(_each(component, name, result, n)))
    else:
        found = Measured((_one(component, name, result, n),))
    for measurement in found.measurements:
        if not math.isfinite(measurement.value):
            raise InputError(
                f"{component.location} returned {measurement.value} for {measurement.measure}; let"
                " it return a finite number, or leave that one out of a mapping"
            )
        if not measurement.measure.startswith(name) or measurement.measure in MEASURES:
            raise InputError(
                f"{component.location} returned {measurement.measure!r}; let the names of its"
                f" measures begin with {name} and be no others' names"
            )
    return found


def _each(component: Component, name: str, result: Mapping, n: int) -> Iterator[Measurement]:
    for key, value in result.items():
        full = str(key) if str(key).startswith(name) else f"{name}_{key}"
        yield _one(component, full, value, n)


def _one(component: Component, name: str, value: Any, n: int) -> Measurement:
    if isinstance(value, Measurement):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        number = None
    if number is None or isinstance(value, str):
        component.checked(value, Measurement, WANTED)
    return Measurement(name, number, "1", n)
