"""What is known of each claim about a network: comparisons joined to one statement."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from .comparable import Comparable, Pair
from .correlations import ALL_NETWORKS
from .differences import (
    EQUIVALENT,
    LARGER,
    OPEN,
    SMALLER,
    TOO_FEW,
    Difference,
)
from .evidence import (
    CONTRADICTED,
    NOT_APPLICABLE,
    SIGNIFICANT,
    SUPPORTED,
    Evidence,
    all_of,
    any_of,
    unknown,
)
from .measure_names import HIGHER, LOWER, Category
from .numbers import format_estimate
from .smallest_difference import SmallestDifference
from .tables import MAIN_MEASURES
from .trends import LOG, slope_difference, trends

# As many parts of a claim are named at most.
MOST_NAMED = 3


class Finding(NamedTuple):
    """What is known of a claim.

    Attributes:
        evidence: of it.
        decisive: in words what decides it, or would; why it does not apply.
        numbers: in words.
        unsure: in words the parts that are still open.
        applies: whether the study can say anything of it.
    """

    evidence: Evidence
    decisive: str
    numbers: str = ""
    unsure: str = ""
    applies: bool = True

    @property
    def verdict(self) -> str:
        """One of `evidence.VERDICTS`."""
        return self.evidence.verdict if self.applies else NOT_APPLICABLE


class Part(NamedTuple):
    """A statement that a claim is made of.

    Attributes:
        evidence: of it.
        name: what it is about; empty for a single comparison.
        doubt: in words why it may fail.
        refuted: in words why it fails, if it does.
    """

    evidence: Evidence
    name: str
    doubt: str
    refuted: str


def baseline_is_flattest(network: Comparable) -> Finding:
    """Return what is known of claim 1: on each measure every other condition is sharper."""
    pairs = [
        (measure, name, network.baseline)
        for measure in sharpness_of(network)
        for name in network.conditions
        if name != network.baseline
    ]
    parts = [_single(beats(network, *pair)) for pair in pairs]
    numbers = f"other conditions sharper in {_count(network, pairs)}"
    return _judged(all_of, parts, numbers, "comparisons")


def best_is_sharper(network: Comparable) -> Finding:
    """Return what is known of claim 2: on each evaluation and measure the best one is sharper.

    Of each condition: it is sharper than the baseline, or another one is better than it.
    """
    measures, parts, texts = sharpness_of(network), [], []
    for evaluation in ranked_evaluations_of(network):
        for measure in measures:
            either = {
                name: [
                    *beaten(network, name, evaluation),
                    beats(network, measure, name, network.baseline),
                ]
                for name in network.conditions
            }
            fails = "among the best and no sharper than the baseline"
            parts.append(_of_each(either, _named(network, evaluation, measure), fails))
        best = extreme(network, evaluation)
        sharper = [beats(network, measure, best, network.baseline) for measure in measures]
        surely = sum(statement.verdict == SUPPORTED for statement in sharper)
        texts.append(
            f"{_label(network, evaluation)}: best mean {best}"
            f" ({_value(network, best, evaluation)}), surely sharper than the baseline on {surely}"
            f" of {len(measures)} measures"
        )
    return _judged(all_of, parts, "; ".join(texts), "pairs of an evaluation and a measure")


def sam_sharpens(network: Comparable) -> Finding:
    """Return what is known of claim 3: some measure is larger with SAM than without."""
    pairs = [
        (measure, name, plain)
        for measure in sharpness_of(network)
        for name, plain in network.without_sam.items()
    ]
    parts = [_single(beats(network, *pair)) for pair in pairs]
    return _judged(any_of, parts, f"with SAM sharper in {_count(network, pairs)}", "comparisons")


def sharpest_is_not_best(network: Comparable) -> Finding:
    """Return what is known of claim 4: by some measure and evaluation the sharpest is not the best.

    For one of each that means of each condition: another one is sharper, or another one is better.
    """
    measures, parts, different = sharpness_of(network), [], 0
    for measure in measures:
        for evaluation in ranked_evaluations_of(network):
            different += extreme(network, measure) != extreme(network, evaluation)
            either = {
                name: [*beaten(network, name, measure), *beaten(network, name, evaluation)]
                for name in network.conditions
            }
            fails = "among the sharpest and among the best"
            parts.append(_of_each(either, _named(network, evaluation, measure), fails))
    certain = sum(part.evidence.p_for <= SIGNIFICANT for part in parts)
    peaks = (
        f"{_label(network, m)}: {extreme(network, m)} ({_value(network, extreme(network, m), m)})"
        for m in measures
    )
    numbers = (
        f"by means the sharpest is not the best in {different} of {len(parts)} pairs of a measure"
        f" and an evaluation, each by itself certain in {certain}; sharpest by {', '.join(peaks)}"
    )
    return _judged(any_of, parts, numbers, "pairs of an evaluation and a measure")


def pooling_reverses(*networks: Comparable) -> Finding:
    """Return what is known of claim 5: some slope over all networks is the reverse of each one's.

    Points are the conditions' means, see `trends.trends`. A slope counts where over the range of
    sharpness it changes the evaluation by more than the smallest difference that matters.
    """
    means = pd.concat(
        network.means.assign(dataset=network.dataset, network=network.network)
        for network in networks
    )
    found = trends(means, sharpness_of(*networks), evaluations_of(*networks))
    parts = []
    for (measure, evaluation), rows in found.groupby(["sharpness", "evaluation"], sort=False):
        about = f"{_label(networks[0], evaluation)} along {_label(networks[0], measure)}"
        smallest = networks[0].names[evaluation].smallest_difference
        sides = {row.network: _slope(row, means, smallest, about) for row in rows.itertuples()}
        rises, falls = sides.pop(ALL_NETWORKS)
        up = all_of([rises, *(own_falls for _, own_falls in sides.values())])
        down = all_of([falls, *(own_rises for own_rises, _ in sides.values())])
        parts.append(_single(any_of([up, down]), about))
    reversed_ = found[(found["network"] == ALL_NETWORKS) & found["flips"].eq(True)]
    numbers = (
        f"the slope over all networks has the other sign than every network's own in"
        f" {len(reversed_)} of {len(parts)} pairs of a measure and an evaluation"
    )
    return _judged(any_of, parts, numbers, "pairs of an evaluation and a measure")


def sharpness_of(*networks: Comparable) -> list[str]:
    """Return the measures of sharpness that all networks have."""
    return _measures_of("sharpness", *networks)


def evaluations_of(*networks: Comparable) -> list[str]:
    """Return the evaluations of the papers' table that all networks have."""
    names = _measures_of("evaluation", *networks)
    return [measure for measure in MAIN_MEASURES if measure in names]


def ranked_evaluations_of(*networks: Comparable) -> list[str]:
    """Return those of `evaluations_of` by which one condition can be the best."""
    names = evaluations_of(*networks)
    return [name for name in names if networks[0].names[name].direction in (HIGHER, LOWER)]


def _measures_of(category: Category, *networks: Comparable) -> list[str]:
    if not networks:
        return []
    first, *others = networks
    return [
        measure
        for measure in first.means
        if first.names[measure].category == category
        and first.means[measure].notna().any()
        and all(measure in other.means for other in others)
    ]


def extreme(network: Comparable, measure: str) -> str:
    """Return the condition with the best mean of an evaluation, or the sharpest one."""
    means = network.means[measure]
    lower = network.names[measure].direction == LOWER
    return means.idxmin() if lower else means.idxmax()


# Claims ask for the same pair again and again.
@cache
def beats(network: Comparable, measure: str, name: str, reference: str) -> Evidence:
    """Return what is known of a condition being sharper, or better, than a reference.

    That is by more than the smallest difference that matters.
    """
    label = _label(network, measure)
    if name == reference:
        # Nothing is larger than itself.
        return Evidence(1.0, 0.0, *[f"{name} is compared with itself"] * 2)
    difference = network.differences.get((measure, name, reference))
    if difference is None:
        return unknown(f"{label} of {name} and {reference} is not known")
    text = (
        f"{label} of {name} is {_value(network, name, measure)}, of {reference}"
        f" {_value(network, reference, measure)}{_in_words(difference)}"
    )
    lower = network.names[measure].direction == LOWER
    return difference.smaller(text) if lower else difference.larger(text)


def beaten(network: Comparable, name: str, measure: str) -> list[Evidence]:
    """Return what is known of each other condition being sharper, or better, than this one."""
    others = (other for other in network.conditions if other != name)
    return [beats(network, measure, other, name) for other in others]


def _in_words(difference: Difference) -> str:
    """Return what follows two values: whether they differ by more than what matters."""
    smallest = format_estimate(difference.smallest)
    told = {
        LARGER: f"by itself surely larger by more than {smallest}",
        SMALLER: f"by itself surely smaller by more than {smallest}",
        EQUIVALENT: f"by itself surely no difference larger than {smallest}",
    }.get(difference.verdict, f"{smallest} or less does not matter")
    # That of matched seeds need not be that of the means of all seeds.
    return f"; their difference {format_estimate(*difference.estimate[:2])}, {told}"


def _judged(
    join: Callable[[Sequence[Evidence]], Evidence],
    parts: Sequence[Part],
    numbers: str,
    kind: str,
) -> Finding:
    """Return what is known of a claim that all its parts hold (`all_of`), or some (`any_of`).

    Args:
        join: one of these.
        parts: of the claim.
        numbers: in words.
        kind: what the parts are, in the plural.
    """
    evidence = join([part.evidence for part in parts])
    every = join is all_of
    if evidence.verdict == SUPPORTED:
        return Finding(evidence, evidence.decisive_for, numbers)
    if evidence.verdict == CONTRADICTED:
        choose = min if every else max
        refuted = choose(parts, key=lambda part: part.evidence.p_against).refuted
        return Finding(evidence, refuted, numbers)
    side = "p_for" if every else "p_against"
    still_open = [part for part in parts if getattr(part.evidence, side) > SIGNIFICANT]
    still_open.sort(key=lambda part: (part.evidence.p_for, -part.evidence.p_against), reverse=every)
    names = [part.name for part in still_open if part.name]
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    named = f" ({'; '.join([*names[:MOST_NAMED], *more])})" if names else ""
    count, first = len(still_open), still_open[0]
    said = (
        f"{count} of {len(parts)} {kind} not certain{named}, least of all"
        if every
        else f"none of {len(parts)} {kind} certain, {count} still possible{named}, first of all"
    )
    return Finding(evidence, first.doubt, numbers, f"{said}: {first.doubt}")


def _single(evidence: Evidence, name: str = "") -> Part:
    """Return a part that is one comparison, or one slope."""
    return Part(evidence, name, evidence.decisive_for, evidence.decisive_against)


def _of_each(either: Mapping[str, Sequence[Evidence]], name: str, fails: str) -> Part:
    """Return that of each condition one of its statements holds.

    Args:
        either: by condition.
        name: of the part.
        fails: what a condition is of which none of its statements holds.
    """
    found = {condition: any_of(statements) for condition, statements in either.items()}
    doubtful = max(found, key=lambda condition: found[condition].p_for)
    failing = min(found, key=lambda condition: found[condition].p_against)
    return Part(
        all_of([*found.values()]),
        name,
        f"{doubtful} may be {fails}: {found[doubtful].decisive_for}",
        f"{failing} is {fails}: {found[failing].decisive_against}",
    )


def _count(network: Comparable, pairs: Sequence[Pair]) -> str:
    """Return in words how many comparisons say sharper, flatter, no difference, or neither."""
    known = [network.differences[pair].verdict for pair in pairs if pair in network.differences]
    counts = Counter(known)
    texts = [f"{counts[LARGER]} of {len(pairs)} comparisons, flatter in {counts[SMALLER]}"]
    others = {
        "no difference that matters in": counts[EQUIVALENT],
        "open in": counts[OPEN] + counts[TOO_FEW],
        "not known in": len(pairs) - len(known),
    }
    return ", ".join([*texts, *(f"{text} {count}" for text, count in others.items() if count)])


def _slope(
    row: tuple, means: pd.DataFrame, smallest: SmallestDifference, about: str
) -> tuple[Evidence, Evidence]:
    """Return what is known of a slope of `trends` rising, and of it falling, by what matters."""
    over_all = row.network == ALL_NETWORKS
    where = "all networks" if over_all else row.network
    if np.isnan(row.lower):
        nothing = unknown(f"{about} has no sure slope in {where}: {row.note}")
        return nothing, nothing
    points = means if over_all else means[means["network"] == row.network]
    points = points[[row.sharpness, row.evaluation]].dropna()
    x = points[row.sharpness]
    x = np.log10(x) if row.scale == LOG else x
    difference = slope_difference(x, points[row.evaluation], smallest)
    width = (row.upper - row.lower) / 2
    text = f"slope of {about} in {where}: {format_estimate(row.slope, width)} (n = {row.n})"
    return difference.larger(text), difference.smaller(text)


def _named(network: Comparable, evaluation: str, measure: str) -> str:
    return f"{_label(network, evaluation)} with {_label(network, measure)}"


def _label(network: Comparable, measure: str) -> str:
    return network.names[measure].column_label


def _value(network: Comparable, condition: str, measure: str) -> str:
    return format_estimate(
        network.means.at[condition, measure], network.errors.at[condition, measure]
    )
