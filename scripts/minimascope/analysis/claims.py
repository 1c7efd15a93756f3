"""The papers' five claims, each tested on what was measured of a network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
import pandas as pd

from .agreement import printed_values
from .comparable import Comparable, in_print, measured
from .correlations import ALL_NETWORKS
from .evidence import (
    CONTRADICTED,
    INCONCLUSIVE,
    SIGNIFICANT,
    SUPPORTED,
    Evidence,
    all_of,
    any_of,
    unknown,
)
from .measure_names import describe
from .numbers import format_estimate
from .tables import MAIN_MEASURES
from .trends import trends

CLAIMS = {
    1: "The baseline is the flattest on every measure.",
    2: "The best control on each evaluation is sharper than the baseline.",
    3: "SAM does not only promote flatness.",
    4: "The sharpest control is not always the best: no measure has a best value.",
    5: "Pooling architectures can reverse the trend within each architecture.",
}
COLUMNS = [
    "source",
    "dataset",
    "network",
    "baseline",
    "claim",
    "statement",
    "verdict",
    "sentence",
    "numbers",
    "decisive",
    "p_for",
    "p_against",
    "level",
    "method",
    "seeds_min",
    "seeds_max",
    "left_out",
]
LEVEL = 1 - 2 * SIGNIFICANT
NO_BASELINE = "no condition is compared with a baseline, see analysis.baseline"
LACKING = {
    "sharpness": "there is no measure of sharpness",
    "evaluations": "there is no evaluation",
    "conditions": "there is only one condition",
}


@dataclass(frozen=True)
class Finding:
    """What is known of a claim, and the numbers in words."""

    evidence: Evidence
    numbers: str


def claims(networks: Iterable[Comparable]) -> pd.DataFrame:
    """Return a row for each claim and network, and for the last claim one for each data set.

    Verdicts are `evidence.Evidence.verdict`; docs/claims.md has the rules. Measures of sharpness
    are all that were taken, evaluations those of the papers' table (`tables.MAIN_MEASURES`).

    Args:
        networks: what was measured, or printed.

    Returns:
        Data frame with the columns `COLUMNS`.
    """
    networks, rows = list(networks), []
    for network in networks:
        for number, test in TESTS.items():
            rows.append(_row(network, network.network, number, test(network)))

    def place(network: Comparable) -> tuple[str, str, str]:
        return network.source, network.dataset, network.baseline

    for _, group in groupby(sorted(networks, key=place), place):
        group = list(group)
        rows.append(_row(group[0], ALL_NETWORKS, 5, pooling_reverses(group), group))
    return pd.DataFrame(rows, columns=COLUMNS)


def claims_measured(values: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims` on what a study measured; see `comparable.measured`."""
    return claims(measured(values, conditions))


def claims_in_print(printed: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims` on a printed table; see `agreement.printed_values`."""
    return claims(in_print(printed_values(printed)))


def baseline_is_flattest(network: Comparable) -> Finding:
    """Return what is known of claim 1: on each measure every other condition is sharper."""
    if nothing := _lacking_baseline(network):
        return nothing
    others = [name for name in network.conditions if name != network.baseline]
    measures = sharpness_of(network)
    if nothing := _lacking(network, sharpness=measures, conditions=others):
        return nothing
    parts = [
        sharper(network, name, network.baseline, measure) for measure in measures for name in others
    ]
    return Finding(all_of(parts), f"other conditions sharper in {count(parts)}")


def best_is_sharper(network: Comparable) -> Finding:
    """Return what is known of claim 2: on each evaluation and measure the best one is sharper.

    Of each condition: it is sharper than the baseline, or another one is better than it.
    """
    if nothing := _lacking_baseline(network):
        return nothing
    measures, evaluations = sharpness_of(network), evaluations_of(network)
    others = network.conditions[1:]
    if nothing := _lacking(network, sharpness=measures, evaluations=evaluations, conditions=others):
        return nothing
    parts, texts = [], []
    for evaluation in evaluations:
        best = extreme(network, evaluation)
        for measure in measures:
            parts.append(
                all_of(
                    [
                        any_of(
                            [
                                *betters(network, name, evaluation),
                                sharper(network, name, network.baseline, measure),
                            ]
                        )
                        for name in network.conditions
                    ]
                )
            )
        excess = (network.means.loc[best] - network.means.loc[network.baseline])[measures].dropna()
        texts.append(
            f"{_label(evaluation, network)}: best {best} ({_value(network, best, evaluation)}),"
            f" sharper than the baseline on {(excess > 0).sum()} of {len(excess)} measures"
        )
    return Finding(all_of(parts), "; ".join(texts))


def sam_sharpens(network: Comparable) -> Finding:
    """Return what is known of claim 3: some measure is larger with SAM than without."""
    measures = sharpness_of(network)
    if not network.without_sam:
        return Finding(unknown("no two conditions differ in SAM alone"), "")
    if nothing := _lacking(network, sharpness=measures):
        return nothing
    parts = [
        sharper(network, name, plain, measure)
        for measure in measures
        for name, plain in network.without_sam.items()
    ]
    return Finding(any_of(parts), f"with SAM sharper in {count(parts)}")


def sharpest_is_not_best(network: Comparable) -> Finding:
    """Return what is known of claim 4: by some measure and evaluation the sharpest is not the best.

    For one of each that means of each condition: another one is sharper, or another one is better.
    """
    measures, evaluations = sharpness_of(network), evaluations_of(network)
    others = network.conditions[1:]
    if nothing := _lacking(network, sharpness=measures, evaluations=evaluations, conditions=others):
        return nothing
    parts, different = [], 0
    for measure in measures:
        sharpest = extreme(network, measure)
        for evaluation in evaluations:
            different += sharpest != extreme(network, evaluation)
            parts.append(
                all_of(
                    [
                        any_of(
                            [*sharpers(network, name, measure), *betters(network, name, evaluation)]
                        )
                        for name in network.conditions
                    ]
                )
            )
    certain = sum(part.p_for <= SIGNIFICANT for part in parts)
    peaks = (
        f"{_label(m, network)}: {extreme(network, m)} ({_value(network, extreme(network, m), m)})"
        for m in measures
    )
    numbers = (
        f"the sharpest is not the best in {different} of {len(parts)} pairs of a measure and an"
        f" evaluation, each by itself certain in {certain}; sharpest by {', '.join(peaks)}"
    )
    return Finding(any_of(parts), numbers)


def pooling_reverses(networks: Sequence[Comparable]) -> Finding:
    """Return what is known of claim 5: some slope over all networks is the reverse of each one's.

    Points are the conditions' means, see `trends.trends`.
    """
    if len(networks) < 2:
        return Finding(unknown(f"there is one network, {networks[0].network}"), "")
    means = pd.concat(
        network.means.assign(dataset=network.dataset, network=network.network)
        for network in networks
    )
    measures = [m for m in sharpness_of(networks[0]) if all(m in n.means for n in networks)]
    evaluations = [e for e in evaluations_of(networks[0]) if all(e in n.means for n in networks)]
    if nothing := _lacking(networks[0], sharpness=measures, evaluations=evaluations):
        return nothing
    found = trends(means, measures, evaluations)
    parts = []
    for (measure, evaluation), rows in found.groupby(["sharpness", "evaluation"], sort=False):
        pooled = rows["network"] == ALL_NETWORKS
        about = f"{_label(evaluation, networks[0])} along {_label(measure, networks[0])}"
        up = [_rises(row, about) for row in rows[pooled].itertuples()]
        own = [_rises(row, about) for row in rows[~pooled].itertuples()]
        parts.append(any_of([all_of([*up, *(~s for s in own)]), all_of([*(~s for s in up), *own])]))
    reversed_ = found[(found["network"] == ALL_NETWORKS) & found["flips"].eq(True)]
    numbers = (
        f"the slope over all networks has the other sign than every network's own in"
        f" {len(reversed_)} of {len(parts)} pairs of a measure and an evaluation"
    )
    return Finding(any_of(parts), numbers)


TESTS = {
    1: baseline_is_flattest,
    2: best_is_sharper,
    3: sam_sharpens,
    4: sharpest_is_not_best,
}


def sharpness_of(network: Comparable) -> list[str]:
    """Return the measures of sharpness of a network."""
    names = [m for m in network.means if _name(m, network).category == "sharpness"]
    return [m for m in names if network.means[m].notna().any()]


def evaluations_of(network: Comparable) -> list[str]:
    """Return the evaluations of a network that the papers' table has."""
    names = [m for m in network.means if _name(m, network).category == "evaluation"]
    return [m for m in MAIN_MEASURES if m in names and network.means[m].notna().any()]


def extreme(network: Comparable, measure: str) -> str:
    """Return the condition with the best mean of an evaluation, or the sharpest one."""
    means = network.means[measure]
    lower = _name(measure, network).direction == "lower is better"
    return means.idxmin() if lower else means.idxmax()


def sharper(network: Comparable, first: str, second: str, measure: str) -> Evidence:
    """Return what is known of one condition being sharper than another by a measure."""
    return _larger(network, first, second, measure, 1)


def better(network: Comparable, first: str, second: str, measure: str) -> Evidence:
    """Return what is known of one condition being better than another by an evaluation."""
    lower = _name(measure, network).direction == "lower is better"
    return _larger(network, first, second, measure, -1 if lower else 1)


def sharpers(network: Comparable, name: str, measure: str) -> list[Evidence]:
    """Return what is known of each other condition being sharper than this one."""
    return [sharper(network, other, name, measure) for other in network.conditions if other != name]


def betters(network: Comparable, name: str, measure: str) -> list[Evidence]:
    """Return what is known of each other condition being better than this one."""
    return [better(network, other, name, measure) for other in network.conditions if other != name]


def count(parts: Sequence[Evidence]) -> str:
    """Return in words how many comparisons say sharper, flatter, or neither."""
    verdicts = [part.verdict for part in parts]
    missing = sum(part == unknown(part.decisive) for part in parts)
    neither = verdicts.count(INCONCLUSIVE) - missing
    texts = {
        f"flatter in {verdicts.count(CONTRADICTED)}": True,
        f"neither for certain in {neither}": neither,
        f"not known in {missing}": missing,
    }
    first = f"{verdicts.count(SUPPORTED)} of {len(parts)} comparisons"
    return ", ".join([first, *(text for text, wanted in texts.items() if wanted)])


# Claims ask for the same pair again and again.
@cache
def _larger(network: Comparable, first: str, second: str, measure: str, sign: int) -> Evidence:
    label = _label(measure, network)
    if first == second:
        # Nothing is sharper than itself.
        return Evidence(1.0, 0.0, *[f"{first} is compared with itself"] * 2)
    found = network.differences.get((measure, first, second))
    if found is None:
        return unknown(f"{label} of {first} and {second} is not known")
    oriented = found if sign > 0 else -found
    text = (
        f"{label} of {first} is {_value(network, first, measure)}, of {second}"
        f" {_value(network, second, measure)}"
    )
    return Evidence(oriented.p_above_zero(), (-oriented).p_above_zero(), text, text)


def _rises(row: tuple, about: str) -> Evidence:
    """Return what is known of a slope being above zero."""
    where = "all networks" if row.network == ALL_NETWORKS else row.network
    if np.isnan(row.slope):
        return unknown(f"{about} has no slope in {where}: {row.note}")
    width = (row.upper - row.lower) / 2
    text = f"slope of {about} in {where}: {format_estimate(row.slope, width)} (n = {row.n})"
    p = row.p_value / 2
    up, down = (p, 1 - p) if row.slope > 0 else (1 - p, p)
    return Evidence(up, down, text, text)


def _lacking_baseline(network: Comparable) -> Finding | None:
    return None if network.baseline else Finding(unknown(NO_BASELINE), "")


def _lacking(network: Comparable, **wanted: Sequence[str]) -> Finding | None:
    """Return the finding of a claim for which something is missing altogether."""
    for name, found in wanted.items():
        if not found:
            return Finding(unknown(LACKING[name]), "")
    return None


def _row(
    network: Comparable,
    name: str,
    number: int,
    finding: Finding,
    group: Sequence[Comparable] = (),
) -> dict[str, object]:
    evidence, group = finding.evidence, group or (network,)
    verdict, where = evidence.verdict, "all networks" if name == ALL_NETWORKS else name
    last = {INCONCLUSIVE: "undecided: "}.get(verdict, "deciding: ") if finding.numbers else ""
    left_out = sum(member.left_out for member in group)
    doubtful = f"{left_out} printed values in doubt are left out" if left_out else ""
    parts = [part for part in (finding.numbers, last + evidence.decisive, doubtful) if part]
    sentence = f"{verdict.capitalize()} for {where} on {network.dataset}: {'; '.join(parts)}."
    return {
        "source": network.source,
        "dataset": network.dataset,
        "network": name,
        "baseline": network.baseline,
        "claim": number,
        "statement": CLAIMS[number],
        "verdict": verdict,
        "sentence": sentence,
        "numbers": finding.numbers,
        "decisive": evidence.decisive,
        "p_for": evidence.p_for,
        "p_against": evidence.p_against,
        "level": LEVEL,
        "method": "t of slopes over conditions' means" if number == 5 else network.method,
        "seeds_min": min(member.seeds[0] for member in group),
        "seeds_max": max(member.seeds[1] for member in group),
        "left_out": left_out,
    }


def _name(measure: str, network: Comparable):
    family = network.families.get(measure, "evaluation")
    return describe(measure, family, network.units.get(measure, "1"))


def _label(measure: str, network: Comparable) -> str:
    return _name(measure, network).column_label


def _value(network: Comparable, condition: str, measure: str) -> str:
    return format_estimate(
        network.means.at[condition, measure], network.errors.at[condition, measure]
    )
