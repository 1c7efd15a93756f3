"""Learning rates as a function of time, without state: a resumed run needs nothing restored.

A schedule (`registry.SCHEDULES`) is a function of the step of a run (an epoch, or a batch), of the
number of ``steps`` and of the ``first`` one after the warm-up; it returns the factor on the
learning rate.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, Self

from .errors import InputError
from .registry import find

# Of the one-cycle schedule, as torch has them: the full rate over the first one, and that over the
# last one.
START_DIVISOR, END_DIVISOR = 25.0, 1e4
# What the steps of a run are called.
STEPS = {"epoch": "epochs", "batch": "batches"}


class Fault(NamedTuple):
    """What is wrong with a schedule: its key, the one that it does not go with, and what is said.

    No key stands for the whole schedule, and none beside it for the length of the run.
    """

    key: str
    beside: str
    text: str


def constant() -> float:
    """Return 1."""
    return 1.0


def cosine(step: int, steps: int, first: int, *, period: int | None = None) -> float:
    """Fall along half a cosine to zero (Loshchilov & Hutter 2017, without restarts).

    Args:
        step: of the run, counted from 0.
        steps: of the run.
        first: step after the warm-up.
        period: steps from the full rate to zero; None for all after the warm-up. Past it the
            cosine rises again, as torch's ``CosineAnnealingLR`` does.
    """
    return (1 + math.cos(math.pi * (step - first) / (period or steps - first))) / 2


def multi_step(step: int, *, milestones: Sequence[int], gamma: float) -> float:
    """Multiply the rate by ``gamma`` at each milestone, a step of the run."""
    return gamma ** sum(milestone <= step for milestone in milestones)


def one_cycle(step: int, steps: int, *, peak: float) -> float:
    """Rise along half a cosine to the full rate, then fall to almost nothing (Smith & Topin 2019).

    As torch's ``OneCycleLR``, from 1/25 to 1 to 4 · 10⁻⁶; the momentum stays as it is.

    Args:
        step: of the run, counted from 0.
        steps: of the run.
        peak: share of the run up to the full rate.
    """
    top, last = peak * steps - 1, steps - 1
    if step < top:
        return _along_cosine(1 / START_DIVISOR, 1.0, step / top)
    return _along_cosine(1.0, 1 / (START_DIVISOR * END_DIVISOR), (step - top) / (last - top))


def _along_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


@dataclass(frozen=True)
class Schedule:
    """How the learning rate changes.

    Attributes:
        name: in `registry.SCHEDULES`, or of the user's own file.
        per: whether the rate changes once per ``epoch`` or once per ``batch``, the step of a run.
        warmup: steps in which the rate first rises linearly, by 1/(warmup + 1) of the full rate
            each (Goyal et al. 2017, arXiv:1706.02677).
        options: the schedule's own.
    """

    name: str = "constant"
    per: Literal["epoch", "batch"] = "epoch"
    warmup: int = 0
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Build it from a section ``schedule`` of a configuration."""
        own = {key: config[key] for key in ("name", "per", "warmup") if key in config}
        return cls(**own, options={key: config[key] for key in config if key not in own})

    @cached_property
    def _call(self) -> Callable[..., float]:
        component = find("schedules", self.name)
        return lambda **given: component.call(given, **self.options)

    def check(self, steps: int, where: str) -> None:
        """Refuse what a run does not reach.

        Args:
            steps: of the run: epochs, or batches, as ``per`` says.
            where: the schedule's key, for messages.

        Raises:
            InputError: the schedule has a `fault`.
        """
        if found := self.fault(steps):
            raise InputError(f"{where}{found.key and f'.{found.key}'}: {found.text}")

    def fault(self, steps: int) -> Fault | None:
        """Return what a run of so many steps does not reach, or None.

        That is a warm-up that takes all steps, a milestone within it, at the end or later, or a
        cycle of a single step.
        """
        name, milestones = STEPS[self.per], self.options.get("milestones", ())
        if self.warmup >= steps:
            text = f"{self.warmup} {name} leave nothing of a training of {steps}; shorten it"
            return Fault("warmup", "", text)
        if late := [each for each in milestones if each >= steps]:
            text = f"{late[0]} is too late in a training of {steps} {name}; take earlier ones"
            return Fault("milestones", "", text)
        if early := [each for each in milestones if each < self.warmup]:
            text = f"{early[0]} is within the warm-up of {self.warmup} {name}; take later ones, or"
            return Fault("milestones", "warmup", f"{text} shorten it")
        if self.name == "one_cycle" and steps == 1:
            text = f"one_cycle needs 2 {name} or more; train longer, or take another"
            return Fault("", "", text)
        return None

    def factor(self, epoch: int, batch: int, epochs: int, batches: int) -> float:
        """Return the factor on the learning rate for one batch of a run.

        Args:
            epoch: epochs finished before this one, 0 … epochs-1.
            batch: batches finished in this epoch, 0 … batches-1.
            epochs: epochs of the run.
            batches: batches per epoch.
        """
        now, whole = epoch, epochs
        if self.per == "batch":
            now, whole = epoch * batches + batch, epochs * batches
        if now < self.warmup:
            return (now + 1) / (self.warmup + 1)
        return self._call(step=now, steps=whole, first=self.warmup)
