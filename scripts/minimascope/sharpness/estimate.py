"""Means over random draws, with their errors."""

import math
from dataclasses import dataclass

import torch

from ..errors import InputError


def standard_error(values: torch.Tensor) -> float:
    """Return the standard error of the mean of independent values, at least two."""
    return values.std().item() / math.sqrt(len(values))


@dataclass(frozen=True)
class Estimate:
    """A mean over random perturbations.

    Attributes:
        mean: of the absolute loss difference over the radius.
        standard_error: of that mean, from the spread over perturbations.
        standard_deviation: over perturbations (n - 1).
        signed_mean: the same without taking absolute values.
        signed_standard_error: of the signed mean.
        samples: number of perturbations.
        rounding: what rounding alone may contribute to ``mean``; None where that is not known.
    """

    mean: float
    standard_error: float
    standard_deviation: float
    signed_mean: float
    signed_standard_error: float
    samples: int
    rounding: float | None = 0.0

    @classmethod
    def of_differences(
        cls, signed: torch.Tensor, rounding: float | None = 0.0, setting: str = "radius"
    ) -> "Estimate":
        """Summarise loss differences over the radius, one for each perturbation.

        Args:
            signed: the differences over the radius.
            rounding: what that alone may contribute.
            setting: that has the radius, for the message.

        Raises:
            InputError: fewer than two, which have no standard error; one that is not finite.
        """
        if len(signed) < 2:
            raise InputError(f"samples: {len(signed)} gives no standard error; use at least 2")
        if bad := int((~signed.isfinite()).sum()):
            raise InputError(
                f"{setting}: the loss is not finite at {bad} of {len(signed)} perturbations; use a"
                " smaller one, or dtype: float64"
            )
        return cls(
            mean=signed.abs().mean().item(),
            standard_error=standard_error(signed.abs()),
            standard_deviation=signed.abs().std().item(),
            signed_mean=signed.mean().item(),
            signed_standard_error=standard_error(signed),
            samples=len(signed),
            rounding=rounding,
        )
