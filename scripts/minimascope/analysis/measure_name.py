"""What a measure's name for readers holds."""

from dataclasses import dataclass
from typing import Literal, get_args

from .smallest_difference import SmallestDifference

Category = Literal["sharpness", "evaluation", "training", "complexity", "diagnostic"]
CATEGORIES: tuple[Category, ...] = get_args(Category)
# Of measures in which conditions are compared.
COMPARED: tuple[Category, ...] = ("evaluation", "sharpness", "training", "complexity")
Direction = Literal["higher is better", "lower is better", "none"]
HIGHER, LOWER = "higher is better", "lower is better"
# Of measures whose values differ by factors, such as losses: what is less than that of the
# reference is below what repeating a training with other seeds changes.
FIVE_PERCENT = SmallestDifference(0.05, relative=True)


@dataclass(frozen=True)
class MeasureName:
    """How a measure is presented.

    Attributes:
        label: name for readers.
        description: one sentence.
        category: what it is about; figures set evaluations against sharpness, and leave out what
            is kept to check another measure (``diagnostic``). ``complexity`` is what the function
            looks like near the data, and what else generalisation may be predicted by.
        unit: as it is published; ``–`` for a number without unit.
        direction: which values are better; ``none`` for sharpness, where that is the question, and
            for gaps, which are near zero also where a network learnt nothing.
        log_axis: whether values of different conditions usually differ by factors.
        smallest_difference: how large a difference has to be to matter.
    """

    label: str
    description: str
    category: Category
    unit: str = "–"
    direction: Direction = "none"
    log_axis: bool = False
    smallest_difference: SmallestDifference = FIVE_PERCENT

    @property
    def has_extreme(self) -> bool:
        """Whether one value is the best, or the sharpest."""
        ranked = self.direction != "none" and self.category != "diagnostic"
        return self.category == "sharpness" or ranked

    @property
    def axis_label(self) -> str:
        """The label with its unit in brackets."""
        return f"{self.label} ({self.unit})"

    @property
    def column_label(self) -> str:
        """The label for a table, where only units that scale the number are published."""
        return self.axis_label if self.unit in ("%", "pp") else self.label
