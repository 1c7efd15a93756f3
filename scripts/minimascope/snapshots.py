"""When weights are kept that a training passes through. No torch is imported here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal, Self

Unit = Literal["epoch", "step"]
# Written for a ladder of epochs whose steps grow with them.
LADDER = "log"


@dataclass(frozen=True)
class Moment:
    """The weights after so many epochs, or so many steps; 0 for those that training begins with."""

    unit: Unit
    count: int

    @property
    def name(self) -> str:
        """What files of it are called."""
        return f"{self.unit}{self.count}"

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the moment of a `name`.

        >>> Moment.named("epoch20")
        Moment(unit='epoch', count=20)
        """
        unit = name.rstrip("0123456789")
        return cls(unit, int(name.removeprefix(unit)))


def ladder(last: int) -> list[int]:
    """Return 0, 1, 2, 5, 10, 20, 50, … up to a last one, which belongs to it.

    >>> ladder(30)
    [0, 1, 2, 5, 10, 20, 30]
    """
    found = [0]
    for power in count():
        for first in (1, 2, 5):
            if (step := first * 10**power) >= last:
                return [*found, last]
            found.append(step)


def kept_moments(keep: Sequence[int] | str | Mapping[str, Any] | None, epochs: int) -> list[Moment]:
    """Return the moments of a setting ``training.keep``, in their order.

    Args:
        keep: epochs, ``log`` for a `ladder` of them, ``{"steps": […]}``, or None for none.
        epochs: of the training.
    """
    if keep is None:
        return []
    if isinstance(keep, Mapping):
        return [Moment("step", step) for step in sorted(keep["steps"])]
    return [Moment("epoch", each) for each in (ladder(epochs) if keep == LADDER else sorted(keep))]
