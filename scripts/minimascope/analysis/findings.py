"""What is known of each claim about a network: comparisons joined to one statement."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np

from .comparable import Comparable, Pair
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
from .tables import MAIN_MEASURES
from .wording import counted, listed

# As many parts of a claim are named at most.
MOST_NAMED = 3
# Means that differ by less, as a share, are equal.
EQUAL = 1e-12
PAIRS = "pairs of an evaluation and a measure"


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
    parts = [single(beats(network, *pair)) for pair in pairs]
    numbers = _count(network, pairs, "the other condition")
    return judged(all_of, parts, numbers, "comparisons")


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
            # The baseline is no sharper than itself.
            fails = dict.fromkeys(either, "among the best and no sharper than the baseline")
            fails[network.baseline] = "among the best"
            parts.append(_of_each(either, named(network, evaluation, measure), fails))
        texts.append(
            f"Best mean by {measure_label(network, evaluation)}: {_peak(network, evaluation)}"
        )
        if len(best := extremes(network, evaluation)) == 1 and best[0] != network.baseline:
            sharper = [beats(network, measure, *best, network.baseline) for measure in measures]
            surely = sum(statement.verdict == SUPPORTED for statement in sharper)
            texts[-1] += (
                f", surely sharper than the baseline by {surely} of {len(measures)} measures"
            )
    return judged(all_of, parts, ". ".join(texts), PAIRS)


def sam_sharpens(network: Comparable) -> Finding:
    """Return what is known of claim 3: some measure is larger with SAM than without."""
    pairs = [
        (measure, name, plain)
        for measure in sharpness_of(network)
        for name, plain in network.without_sam.items()
    ]
    parts = [single(beats(network, *pair)) for pair in pairs]
    numbers = _count(network, pairs, "the condition with SAM")
    return judged(any_of, parts, f"{numbers}. {_by_measure(network, pairs)}", "comparisons")


def sharpest_is_not_best(network: Comparable) -> Finding:
    """Return what is known of claim 4: by some measure and evaluation the sharpest is not the best.

    For one of each that means of each condition: another one is sharper, or another one is better.
    """
    measures, parts, different = sharpness_of(network), [], 0
    for measure in measures:
        for evaluation in ranked_evaluations_of(network):
            sharpest, best = extremes(network, measure), extremes(network, evaluation)
            different += not set(sharpest) & set(best)
            either = {
                name: [*beaten(network, name, measure), *beaten(network, name, evaluation)]
                for name in network.conditions
            }
            fails = dict.fromkeys(either, "both among the sharpest and among the best")
            parts.append(_of_each(either, named(network, evaluation, measure), fails))
    certain = sum(part.evidence.p_for <= SIGNIFICANT for part in parts)
    peaks = [
        f"{_peak(network, measure)} by {measure_label(network, measure)}" for measure in measures
    ]
    numbers = (
        f"By means, the sharpest condition is not the best one in {different} of {len(parts)}"
        f" {PAIRS}, which is sure by itself in {certain}."
        f" Sharpest mean: {listed(peaks)}"
    )
    return judged(any_of, parts, numbers, PAIRS)


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
    return [
        name for name in measures_of_all(*networks) if networks[0].names[name].category == category
    ]


def measures_of_all(*networks: Comparable) -> list[str]:
    """Return the measures of any kind that all networks have."""
    if not networks:
        return []
    first, *others = networks
    return [
        measure
        for measure in first.means
        if first.means[measure].notna().any() and all(measure in other.means for other in others)
    ]


def extremes(network: Comparable, measure: str) -> list[str]:
    """Return the conditions with the best mean of an evaluation, or the sharpest ones."""
    means = network.means[measure].dropna()
    best = means.min() if network.names[measure].direction == LOWER else means.max()
    return [name for name, mean in means.items() if np.isclose(mean, best, rtol=EQUAL, atol=0)]


def _peak(network: Comparable, measure: str) -> str:
    """Return the `extremes`, or how many there are, with their mean."""
    names = extremes(network, measure)
    shown = listed(names) if len(names) <= MOST_NAMED else f"{len(names)} conditions alike"
    return f"{shown} ({shown_mean(network, names[0], measure)})"


# Claims ask for the same pair again and again.
@cache
def beats(network: Comparable, measure: str, name: str, reference: str) -> Evidence:
    """Return what is known of a condition being sharper, or better, than a reference.

    That is by more than the smallest difference that matters.
    """
    label = measure_label(network, measure)
    if name == reference:
        # Nothing is larger than itself.
        return Evidence(1.0, 0.0, *[f"{name} is compared with itself"] * 2)
    difference = network.differences.get((measure, name, reference))
    if difference is None:
        return unknown(f"{label} of {name} and {reference} cannot be compared")
    text = (
        f"{label} of {name} is {shown_mean(network, name, measure)}, of {reference}"
        f" {shown_mean(network, reference, measure)}; {difference_in_words(difference)}"
    )
    lower = network.names[measure].direction == LOWER
    return difference.smaller(text) if lower else difference.larger(text)


def beaten(network: Comparable, name: str, measure: str) -> list[Evidence]:
    """Return what is known of each other condition being sharper, or better, than this one."""
    others = (other for other in network.conditions if other != name)
    return [beats(network, measure, other, name) for other in others]


OF_SHARE = " as a share of the reference's mean, whose own error counts"


def difference_in_words(difference: Difference) -> str:
    """Return a difference, and whether it is more than what matters."""
    smallest = format_estimate(difference.smallest)
    told = {
        LARGER: f"by itself surely above {smallest}",
        SMALLER: f"by itself surely below \N{MINUS SIGN}{smallest}",
        EQUIVALENT: f"by itself surely within ± {smallest}",
    }.get(difference.verdict, f"not surely beyond or within ± {smallest}")
    # What is printed would seem to contradict it.
    why = OF_SHARE if difference.read_off_share else ""
    # That of matched seeds need not be that of the means of all seeds.
    return f"the difference, {format_estimate(*difference.estimate[:2])}, is {told}{why}"


def judged(
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
        f"Not sure in {count} of {len(parts)} {kind}{named}. The least sure one: {first.doubt}"
        if every
        else f"Sure in none of {len(parts)} {kind}; {count} {'is' if count == 1 else 'are'} still"
        f" possible{named}. The one nearest to sure: {first.doubt}"
    )
    return Finding(evidence, first.doubt, numbers, said)


def single(evidence: Evidence, name: str = "") -> Part:
    """Return a part that is one comparison, or one slope."""
    return Part(evidence, name, evidence.decisive_for, evidence.decisive_against)


def _of_each(either: Mapping[str, Sequence[Evidence]], name: str, fails: Mapping[str, str]) -> Part:
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
        f"{doubtful} may be {fails[doubtful]}. {found[doubtful].decisive_for}",
        f"{failing} is {fails[failing]}. {found[failing].decisive_against}",
    )


def _count(network: Comparable, pairs: Sequence[Pair], first: str) -> str:
    """Return in words how many comparisons say sharper, flatter, no difference, or neither.

    Args:
        network: what is compared.
        pairs: of it.
        first: what the first condition of each pair is called.
    """
    known = [network.differences[pair].verdict for pair in pairs if pair in network.differences]
    counts = Counter(known)
    others = {
        "without a difference that matters": counts[EQUIVALENT],
        "open": counts[OPEN] + counts[TOO_FEW],
        "not possible": len(pairs) - len(known),
    }
    rest = [f"{n} {'is' if n == 1 else 'are'} {text}" for text, n in others.items() if n]
    sure = f"surely sharper in {counts[LARGER]} and surely flatter in {counts[SMALLER]}"
    count = counted(len(pairs), "comparison")
    return "; ".join([f"Of {count}, {first} is {sure}", *([listed(rest)] if rest else [])])


def _by_measure(network: Comparable, pairs: Sequence[Pair]) -> str:
    """Return in words how many means of the first condition are sharper and flatter, by measure."""
    said = []
    for measure, own in groupby(pairs, key=lambda pair: pair[0]):
        known = [network.differences[pair] for pair in own if pair in network.differences]
        values = [difference.estimate.value for difference in known]
        verdicts = Counter(difference.verdict for difference in known)
        up, down = sum(value > 0 for value in values), sum(value < 0 for value in values)
        said.append(
            f"{measure_label(network, measure)} {up} sharper (surely {verdicts[LARGER]}),"
            f" {down} flatter (surely {verdicts[SMALLER]})"
        )
    return f"Means by measure: {'; '.join(said)}"


def named(network: Comparable, evaluation: str, measure: str) -> str:
    """Return the name of a pair of an evaluation and a measure."""
    return f"{measure_label(network, evaluation)} with {measure_label(network, measure)}"


def measure_label(network: Comparable, measure: str) -> str:
    """Return a measure's label, with its unit where it has one."""
    return network.names[measure].column_label


def shown_mean(network: Comparable, condition: str, measure: str) -> str:
    """Return the mean of a condition and its standard error."""
    return format_estimate(
        network.means.at[condition, measure], network.errors.at[condition, measure]
    )
