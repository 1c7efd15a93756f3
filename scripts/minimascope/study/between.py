"""Which networks lines and planes of a study lead through."""

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .study import Study

# Where a study wants nothing between networks.
NOTHING = {"lines": (), "planes": (), "seeds": ()}


class Line(NamedTuple):
    """A line from one network to another.

    Attributes:
        start: condition of the first.
        end: condition of the second.
        end_seed: seed of the second.
    """

    start: str
    end: str
    end_seed: int


def interpolated(study: "Study") -> list[str]:
    """Return all conditions, maybe with the initial weights, that lines and planes lead through."""
    wanted = study.interpolation or NOTHING
    return sorted({*chain(*wanted["lines"], *wanted["planes"]), *wanted["seeds"]})


def lines(study: "Study", seed: int) -> list[Line]:
    """Return the lines that begin at networks of a seed.

    Those between seeds lead to the next one, and from the last to the first; between two seeds
    there is one.
    """
    wanted, seeds = study.interpolation or NOTHING, study.seeds
    found = [Line(*conditions, seed) for conditions in wanted["lines"]]
    following = seeds[(seeds.index(seed) + 1) % len(seeds)]
    if len(seeds) > 2 or following > seed:
        found += [Line(condition, condition, following) for condition in wanted["seeds"]]
    return found


def networks(study: "Study", seed: int) -> list[tuple[str, int]]:
    """Return condition and seed of each network that lines and planes of a seed lead through."""
    wanted = study.interpolation or NOTHING
    own = chain(*wanted["lines"], *wanted["planes"])
    found = [(condition, seed) for condition in own]
    for line in lines(study, seed):
        found += [(line.start, seed), (line.end, line.end_seed)]
    return sorted(set(found))


def interpolated_seeds(study: "Study") -> list[int]:
    """Return the seeds at whose networks lines or planes begin."""
    return [seed for seed in study.seeds if networks(study, seed)]
