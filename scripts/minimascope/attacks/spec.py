"""How inputs are attacked, and what the numbers of it are called. No torch is imported here."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, Self, get_args

from ..ascent import Norm
from ..errors import InputError, nearest

Attack = Literal["fgsm", "pgd", "apgd"]
ATTACKS: dict[Attack, str] = {"fgsm": "FGSM", "pgd": "PGD", "apgd": "Auto-PGD"}
Loss = Literal["ce", "dlr"]
NORMS: dict[Norm, str] = {"linf": "L∞", "l2": "L2"}
LOSSES: tuple[Loss, ...] = ("ce", "dlr")
LOSSES_IN_WORDS: dict[Loss, str] = {
    "ce": "cross-entropy",
    "dlr": "the ratio of differences of logits",
}
ACCURACY, RADIUS = "adversarial_accuracy", "adversarial_radius"
# Unit of radii of pictures.
OF_RANGE = "fraction of the range"
# Stands in names of measures of recordings, whose log-mels are what is attacked.
LOG_MEL = "log_mel"


@dataclass(frozen=True)
class AttackSpec:
    """An attack on inputs within a ball.

    Attributes:
        attack: ``fgsm``, one step (Goodfellow et al. 2015, arXiv:1412.6572); ``pgd``, steps of one
            size (Madry et al. 2018, arXiv:1706.06083); ``apgd``, steps whose size follows from
            success (Croce & Hein 2020, arXiv:2003.01690).
        steps: number of gradient steps from each start; FGSM has one.
        restarts: number of starts: the input itself, then random points of the ball.
        losses: that are raised, one after the other: cross-entropy, and the ratio of differences
            of logits of Croce & Hein (`losses.LOSSES`).

    Raises:
        InputError: another attack or loss, or no step, start or loss.
    """

    attack: Attack = "apgd"
    steps: int = 20
    restarts: int = 1
    losses: tuple[Loss, ...] = LOSSES

    def __post_init__(self):
        check_name("attack", self.attack, get_args(Attack))
        check_count("steps", self.steps)
        check_count("restarts", self.restarts)
        if isinstance(self.losses, str) or not self.losses:
            raise InputError(
                f"losses: {self.losses!r} is no list of losses; give one or more of"
                f" {', '.join(LOSSES)}, such as ('ce',)"
            )
        for loss in self.losses:
            check_name("losses", loss, LOSSES)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], classes: int) -> Self:
        """Build the specification from a resolved section ``evaluation.adversarial``.

        Without losses of its own it has both, or the cross-entropy alone for two classes.
        """
        names = ("attack", "steps", "restarts")
        losses = config["losses"] or (LOSSES if classes > 2 else ("ce",))
        return cls(**{key: config[key] for key in names}, losses=tuple(losses))

    @property
    def in_words(self) -> str:
        """The attack with its steps, starts and losses."""
        steps = f"{self.steps_taken} step{'s' * (self.steps_taken > 1)}"
        starts = f"{self.restarts} start{'s' * (self.restarts > 1)}"
        losses = " and ".join(LOSSES_IN_WORDS[loss] for loss in self.losses)
        return f"{ATTACKS[self.attack]}, {steps} from {starts} on {losses}"

    @property
    def steps_taken(self) -> int:
        """Number of gradient steps from each start."""
        return 1 if self.attack == "fgsm" else self.steps

    @property
    def rounds(self) -> list[tuple[Loss, int]]:
        """Each loss with the number of each start, in the order in which they are tried."""
        return [(loss, start) for start in range(self.restarts) for loss in self.losses]


@dataclass(frozen=True)
class AdversarialSpec:
    """What adversarial training does to every batch: PGD from random points of balls.

    Attributes:
        radius: of the balls.
        norm: of the balls, ``linf`` or ``l2``.
        steps: number of gradient steps.

    Raises:
        InputError: another norm, no step, or a radius that is not above 0.
    """

    radius: float
    norm: Norm = "linf"
    steps: int = 7

    def __post_init__(self):
        check_name("norm", self.norm, NORMS)
        check_count("steps", self.steps)
        if not 0 < self.radius < math.inf:
            raise InputError(f"radius: must be greater than 0 and finite, got {self.radius}")

    @classmethod
    def from_config(cls, config: Mapping[str, Any] | None) -> Self | None:
        """Return the specification of a resolved section ``adversarial``; None for None."""
        return config and cls(**{**config, "radius": radius_of(config["radius"])})


def check_name(key: str, given: Any, valid: Iterable[str]) -> None:
    """Raise InputError unless a name is one of those that are valid."""
    if given not in [*valid]:
        raise InputError(f"{key}: unknown name {given!r}; {nearest(given, valid)}")


def check_count(key: str, given: Any, least: int = 1) -> None:
    """Raise InputError unless this is a whole number of at least so much."""
    if not isinstance(given, int) or isinstance(given, bool) or given < least:
        raise InputError(f"{key}: must be a whole number of at least {least}, got {given!r}")


def radius_of(given: float | str) -> float:
    """Return a radius that is written as a number or as a fraction.

    >>> radius_of("8/255") == 8 / 255
    True
    """
    return float(Fraction(given)) if isinstance(given, str) else float(given)


def in_name(given: Any) -> str:
    """Return a radius, or any other value, as a part of a name.

    >>> in_name("8/255"), in_name(0.5), in_name(1e-5), in_name(1.0)
    ('8_255', '0p5', '0p00001', '1')
    """
    if isinstance(given, float):
        return f"{Decimal(str(given)).normalize():f}".replace(".", "p")
    return str(given).replace("/", "_")


def _of(norm: str, recordings: bool) -> str:
    return f"{LOG_MEL}_{norm}" if recordings else norm


def accuracy_name(norm: str, radius: float | str, recordings: bool) -> str:
    """Return what the accuracy at a radius is called."""
    return f"{ACCURACY}_{_of(norm, recordings)}_{in_name(radius)}"


def radius_name(norm: str, recordings: bool) -> str:
    """Return what the smallest radius that fools half of the samples is called."""
    return f"{RADIUS}_{_of(norm, recordings)}"


_NAME = re.compile(rf"({ACCURACY}|{RADIUS})_({LOG_MEL}_)?({'|'.join(NORMS)})(?:_(.+))?")


@dataclass(frozen=True)
class Named:
    """What a name of a measure says: whether it is an accuracy, of what, and in which ball."""

    accuracy: bool
    recordings: bool
    norm: str
    radius: str

    @classmethod
    def parse(cls, measure: str) -> Self | None:
        """Return what a name says, or None for a measure that is not of attacks.

        >>> Named.parse("adversarial_accuracy_linf_8_255").radius
        '8/255'
        """
        found = _NAME.fullmatch(measure)
        if found is None or (found[1] == ACCURACY) != bool(found[4]):
            return None
        radius = (found[4] or "").replace("_", "/").replace("p", ".")
        return cls(found[1] == ACCURACY, bool(found[2]), NORMS[found[3]], radius)


def measures_of(config: Mapping[str, Any] | None, recordings: bool) -> list[str]:
    """Return the names of the measures of a section ``evaluation.adversarial``."""
    if config is None:
        return []
    names = [
        accuracy_name(norm, radius, recordings)
        for norm, radii in config["radii"].items()
        for radius in radii
    ]
    wanted = config["radii"] if config["bisections"] else ()
    return names + [radius_name(norm, recordings) for norm in wanted]


def passes_of(config: Mapping[str, Any], classes: int) -> int:
    """Return about how many predictions of a sample the attacks of a section take.

    A gradient is about three of them. Samples stop where they are fooled, so half of them count.
    """
    spec = AttackSpec.from_config(config, classes)
    once = 3 * (spec.steps_taken + 1) * len(spec.rounds)
    radii = sum(map(len, config["radii"].values()))
    searches = len(config["radii"]) * (1 + config["bisections"])
    transfers = 3 * (spec.steps_taken + 1) * radii
    return math.ceil(once * (radii + searches) / 2) + transfers


def check_radius(
    radius: float | str, norm: str, box: bool, shape: Sequence[int] | None, where: str
) -> None:
    """Raise InputError for a radius that no input allows.

    Args:
        radius: as the study has it.
        norm: of the ball.
        box: whether inputs lie in [0, 1], as those of pictures do.
        shape: of an input; None where it is not known yet.
        where: the key, for the message.
    """
    value = radius_of(radius)
    if value <= 0:
        raise InputError(f"{where}: must be greater than 0, got {radius}")
    largest = 1.0 if norm == "linf" else shape and math.sqrt(math.prod(shape))
    if box and largest and value > largest:
        raise InputError(
            f"{where}: {radius} is more than the range of pictures, {largest:g} in {NORMS[norm]};"
            " write a fraction of the range, such as 8/255"
        )
