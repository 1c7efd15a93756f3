"""Which family gives a measure, those at further radii among them. No torch is imported here."""

from collections.abc import Mapping
from typing import Any

from ..registry import SHARPNESS
from .radii import PERTURBATION, AtRadius, names_at_radii


def family_of(measure: str) -> str | None:
    """Return the registered family that gives a measure of a network, or None.

    >>> family_of("sam_sharpness_0p025")
    'perturbation'
    """
    at = AtRadius.parse(measure)
    name = at.measure if at else measure
    return next((family for family, own in SHARPNESS.items() if name in own.gives), None)


def measures_of_family(family: str, settings: Mapping[str, Any]) -> list[str]:
    """Return the names of all that a registered family can give with its settings."""
    more = names_at_radii(settings) if family == PERTURBATION else ()
    return [*SHARPNESS[family].gives, *more]
