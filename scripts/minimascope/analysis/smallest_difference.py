"""The smallest difference of a measure that matters: a share of the reference, or in its unit.

Studies are read with it, and that does not wait for numpy.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ..errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_PERCENT = re.compile(r"(\d+(?:\.\d+)?|\.\d+) ?%")


@dataclass(frozen=True)
class SmallestDifference:
    """How large a difference has to be to matter.

    Attributes:
        value: in the measure's unit, or a share.
        relative: whether it is a share of the reference's mean.
    """

    value: float
    relative: bool = False

    @classmethod
    def parse(cls, given: float | str, where: str) -> Self:
        """Return what a study gives: a number in the measure's unit, or a text such as ``5 %``.

        Raises:
            InputError: it is neither, or not above zero; ``where`` is its key.
        """
        percent = _PERCENT.fullmatch(given) if isinstance(given, str) else None
        if isinstance(given, str) and percent is None:
            raise InputError(
                f"{where}: '{given}' is no share; write one as 5 %, or a number in the measure's"
                " unit"
            )
        found = cls(float(percent[1]) / 100, relative=True) if percent else cls(float(given))
        if found.value <= 0:
            raise InputError(f"{where}: must be greater than 0, got {given}")
        return found

    def of(self, reference: "ArrayLike", floor: "ArrayLike" = 0.0) -> "ArrayLike":
        """Return it in the measure's unit, and never below the noise floor of the values.

        Args:
            reference: mean of what is compared with.
            floor: noise floor; NaN where there is none.
        """
        import numpy as np

        own = self.value * np.abs(reference) if self.relative else self.value
        return np.fmax(own, floor)

    def share(self, reference: "ArrayLike", floor: "ArrayLike" = 0.0) -> "ArrayLike":
        """Return the share of the reference's mean that it is, with the sign of that mean.

        It is 0 where it is a number of its own: one in the measure's unit, or the noise floor.
        """
        import numpy as np

        is_share = self.relative & ~(self.value * np.abs(reference) < floor)
        return np.where(is_share, np.sign(reference) * self.value, 0.0)

    def in_words(self, unit: str) -> str:
        """Return it for readers, with the measure's unit if it is no share."""
        if self.relative:
            return f"{100 * self.value:g} % of the reference"
        # A difference of two percentages is one of percentage points.
        shown = {"%": " pp", "–": ""}.get(unit, f" {unit}")
        return f"{self.value:g}{shown}"
