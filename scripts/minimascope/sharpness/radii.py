"""What SAM-sharpness at further radii is called. No torch is imported here."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from ..attacks.spec import in_name

SAM, SIGNED = "sam_sharpness", "sam_sharpness_signed"
# The family, and the setting that asks for them.
PERTURBATION, MORE_RADII = "perturbation", "more_radii"
_NAME = re.compile(rf"({SAM}|{SIGNED})_(\d+(?:p\d+)?)")


class AtRadius(NamedTuple):
    """What the name of a measure at a further radius says: of which measure, and the radius."""

    measure: str
    radius: float

    @property
    def name(self) -> str:
        """The name of the measure.

        >>> AtRadius(SAM, 0.025).name
        'sam_sharpness_0p025'
        """
        return f"{self.measure}_{in_name(float(self.radius))}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Return what a name says, or None for that of another measure.

        >>> AtRadius.parse("sam_sharpness_signed_0p025").radius
        0.025
        """
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        at = cls(found[1], float(found[2].replace("p", ".")))
        # A radius has one name, so that none is measured twice.
        return at if at.name == name and at.radius > 0 else None


def names_at_radii(settings: Mapping[str, Any]) -> list[str]:
    """Return the names of what settings of the family measure at further radii."""
    radii = settings.get(MORE_RADII) or ()
    return [AtRadius(measure, radius).name for radius in radii for measure in (SAM, SIGNED)]
