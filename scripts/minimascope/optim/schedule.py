"""Learning rates as a function of time, without state: a resumed run needs nothing restored."""

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes.

    Attributes:
        name: ``constant``, or ``cosine`` (Loshchilov & Hutter 2017, without restarts).
        per: whether the rate changes once per ``epoch`` or once per ``batch``.
        period: steps (epochs or batches) from the full rate to zero; None for the whole run.
            Past it the cosine rises again, as torch's ``CosineAnnealingLR`` does.
    """

    name: Literal["constant", "cosine"] = "constant"
    per: Literal["epoch", "batch"] = "epoch"
    period: int | None = None

    def factor(self, epoch: int, batch: int, epochs: int, batches: int) -> float:
        """Return the factor on the learning rate for one batch of a run.

        Args:
            epoch: epochs finished before this one, 0 … epochs-1.
            batch: batches finished in this epoch, 0 … batches-1.
            epochs: epochs of the run.
            batches: batches per epoch.
        """
        if self.name == "constant":
            return 1.0
        if self.per == "epoch":
            step, whole = epoch, epochs
        else:
            step, whole = epoch * batches + batch, epochs * batches
        return (1 + math.cos(math.pi * step / (self.period or whole))) / 2
