"""The papers' five claims, each tested on what was measured of a network, and in words."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd

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
from .measure_names import LOWER, Category, MeasureName, describe
from .numbers import format_estimate, span
from .printed import printed_values
from .render import Fold, Text
from .statistics import smallest_p
from .tables import MAIN_MEASURES
from .trends import trends
from .verdict_matrix import verdict_matrix

CLAIMS = {
    1: "The baseline is the flattest on every measure.",
    2: "The best control on each evaluation is sharper than the baseline.",
    3: "SAM does not only promote flatness.",
    4: "The sharpest control is not always the best: no measure has a best value.",
    5: "Pooling architectures can reverse the trend within each architecture.",
}
COLUMNS = [
    *("source", "dataset", "network", "baseline", "claim", "statement", "verdict", "sentence"),
    *("numbers", "decisive", "p_for", "p_against", "level", "method", "seeds_min", "seeds_max"),
    "left_out",
]
LEVEL = 1 - 2 * SIGNIFICANT
# What a claim is about, and what is said where a study has none of it.
LACKING = {
    "networks": "there is one network, {}",
    "baseline": "no condition is compared with a baseline, see analysis.baseline",
    "sam": "no two conditions differ in SAM alone",
    "sharpness": "there is no measure of sharpness",
    "evaluations": "there is no evaluation",
    "conditions": "there is only one condition",
}
CAPTION = (
    "Five claims of the papers, on what was measured of each network on each data set. Supported,"
    f" contradicted: at {100 * LEVEL:.0f} % confidence, for all comparisons behind a verdict"
    " together; inconclusive: neither. p for: how probable such data are at most where the claim"
    " does not hold; p against: where it does. Numbers are means ± standard errors over seeds."
    " The rules are in docs/claims.md."
)
METHODS = {
    "paired t over seeds": (
        "Differences are paired by seed, their intervals those of Student's t."
    ),
    "Welch's t of printed means and standard errors": (
        "Print holds no values of single seeds, so differences are of independent means (Welch's"
        " t), with the printed standard errors and their rounding, brought from the deviation with"
        " n to that with n − 1. Values in doubt, and tables that print another table's numbers, are"
        " left out; of function_centric_2026 only a part of the tables was at hand, and what is not"
        " known decides nothing."
    ),
}


class Finding(NamedTuple):
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

    def place(network: Comparable) -> tuple[str, str, str]:
        return network.source, network.dataset, network.baseline

    networks = list(networks)
    *of_one, pooled = CLAIMS
    rows = [_row(number, network) for network in networks for number in of_one]
    rows += [_row(pooled, *group) for _, group in groupby(sorted(networks, key=place), place)]
    return pd.DataFrame(rows, columns=COLUMNS)


def claims_measured(values: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims` on what a study measured; see `comparable.measured`."""
    return claims(measured(values, conditions))


def claims_in_print(printed: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims` on a printed table; see `printed.printed_values`."""
    return claims(in_print(printed_values(printed)))


def finding(number: int, *networks: Comparable) -> Finding:
    """Return what is known of a claim about a network, or of the last one about several."""
    test, *needs = TESTS[number]
    first = networks[0]
    there = {
        "networks": networks[1:],
        "baseline": first.baseline,
        "sam": first.without_sam,
        "sharpness": sharpness_of(*networks),
        "evaluations": evaluations_of(*networks),
        "conditions": first.conditions[1:],
    }
    for need in needs:
        if not there[need]:
            return Finding(unknown(LACKING[need].format(first.network)), "")
    return test(*networks)


def baseline_is_flattest(network: Comparable) -> Finding:
    """Return what is known of claim 1: on each measure every other condition is sharper."""
    others = [name for name in network.conditions if name != network.baseline]
    parts = [
        beats(network, name, network.baseline, measure)
        for measure in sharpness_of(network)
        for name in others
    ]
    return Finding(all_of(parts), f"other conditions sharper in {_count(parts)}")


def best_is_sharper(network: Comparable) -> Finding:
    """Return what is known of claim 2: on each evaluation and measure the best one is sharper.

    Of each condition: it is sharper than the baseline, or another one is better than it.
    """
    measures, parts, texts = sharpness_of(network), [], []
    for evaluation in evaluations_of(network):
        for measure in measures:
            either = (
                [
                    *beaten(network, name, evaluation),
                    beats(network, name, network.baseline, measure),
                ]
                for name in network.conditions
            )
            parts.append(all_of([any_of(statements) for statements in either]))
        best = extreme(network, evaluation)
        excess = (network.means.loc[best] - network.means.loc[network.baseline])[measures].dropna()
        texts.append(
            f"{_label(evaluation, network)}: best {best} ({_value(network, best, evaluation)}),"
            f" sharper than the baseline on {(excess > 0).sum()} of {len(excess)} measures"
        )
    return Finding(all_of(parts), "; ".join(texts))


def sam_sharpens(network: Comparable) -> Finding:
    """Return what is known of claim 3: some measure is larger with SAM than without."""
    parts = [
        beats(network, name, plain, measure)
        for measure in sharpness_of(network)
        for name, plain in network.without_sam.items()
    ]
    return Finding(any_of(parts), f"with SAM sharper in {_count(parts)}")


def sharpest_is_not_best(network: Comparable) -> Finding:
    """Return what is known of claim 4: by some measure and evaluation the sharpest is not the best.

    For one of each that means of each condition: another one is sharper, or another one is better.
    """
    measures, parts, different = sharpness_of(network), [], 0
    for measure in measures:
        for evaluation in evaluations_of(network):
            different += extreme(network, measure) != extreme(network, evaluation)
            either = (
                [*beaten(network, name, measure), *beaten(network, name, evaluation)]
                for name in network.conditions
            )
            parts.append(all_of([any_of(statements) for statements in either]))
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


def pooling_reverses(*networks: Comparable) -> Finding:
    """Return what is known of claim 5: some slope over all networks is the reverse of each one's.

    Points are the conditions' means, see `trends.trends`.
    """
    means = pd.concat(
        network.means.assign(dataset=network.dataset, network=network.network)
        for network in networks
    )
    found = trends(means, sharpness_of(*networks), evaluations_of(*networks))
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


# Of each claim the test and what it needs.
TESTS = {
    1: (baseline_is_flattest, "baseline", "sharpness", "conditions"),
    2: (best_is_sharper, "baseline", "sharpness", "evaluations", "conditions"),
    3: (sam_sharpens, "sam", "sharpness"),
    4: (sharpest_is_not_best, "sharpness", "evaluations", "conditions"),
    5: (pooling_reverses, "networks", "sharpness", "evaluations"),
}


def sharpness_of(*networks: Comparable) -> list[str]:
    """Return the measures of sharpness that all networks have."""
    return _measures_of("sharpness", *networks)


def evaluations_of(*networks: Comparable) -> list[str]:
    """Return the evaluations of the papers' table that all networks have."""
    names = _measures_of("evaluation", *networks)
    return [measure for measure in MAIN_MEASURES if measure in names]


def _measures_of(category: Category, first: Comparable, *others: Comparable) -> list[str]:
    return [
        measure
        for measure in first.means
        if _name(measure, first).category == category
        and first.means[measure].notna().any()
        and all(measure in other.means for other in others)
    ]


def extreme(network: Comparable, measure: str) -> str:
    """Return the condition with the best mean of an evaluation, or the sharpest one."""
    means = network.means[measure]
    return means.idxmin() if _lower_is_better(measure, network) else means.idxmax()


def beats(network: Comparable, first: str, second: str, measure: str) -> Evidence:
    """Return what is known of one condition being sharper, or better, than another."""
    found = _larger(network, first, second, measure)
    return ~found if _lower_is_better(measure, network) else found


def beaten(network: Comparable, name: str, measure: str) -> list[Evidence]:
    """Return what is known of each other condition being sharper, or better, than this one."""
    return [beats(network, other, name, measure) for other in network.conditions if other != name]


def text(found: pd.DataFrame) -> Text:
    """Return the verdicts as a `verdict_matrix`, then in words.

    Args:
        found: rows of `claims`; texts that are empty may be missing, as in a file.
    """
    found = found.astype({"source": object, "baseline": object})
    found = found.fillna({"source": "", "baseline": ""})
    folds = [
        Fold(f"{number}. {CLAIMS[number]}", [_statement(row) for row in rows.itertuples()])
        for number, rows in found.groupby("claim")
    ]
    methods = (METHODS[name] for name in found["method"].unique() if name in METHODS)
    caption = " ".join([CAPTION, *methods]) + _few_seeds(found["seeds_max"].max())
    return [verdict_matrix(found, CLAIMS), *folds, caption]


def _few_seeds(most: int) -> str:
    """Return a sentence about how many seeds the claims rest on, if these are few."""
    if smallest_p(most) <= 1 - LEVEL:
        return ""
    seeds = "1 seed is" if most == 1 else f"{most} seeds are"
    return (
        f" {seeds} few: most comparisons are not certain for that reason alone, and those"
        " that are rest on differences being normal, which so few cannot show; a signed-rank test,"
        f" which needs no such assumption, has no p-value below {smallest_p(most):g} here."
    )


def _statement(row: tuple) -> str:
    """Return where and what the verdict is, with its p-values, seeds and baseline."""
    source = f"{row.source}: " if row.source else ""
    verdict = row.verdict.capitalize()
    sentence = row.sentence.removeprefix(verdict).strip()
    numbers = f"p for {row.p_for:.2g}, against {row.p_against:.2g}"
    # Each cell of a sweep may have one of its own.
    named = f"; baseline {row.baseline}" if row.baseline not in ("", "baseline") else ""
    seeds = span([row.seeds_min, row.seeds_max])
    return f"{source}**{verdict}** {sentence} ({numbers}; {seeds} seeds{named})"


def _count(parts: Sequence[Evidence]) -> str:
    """Return in words how many comparisons say sharper, flatter, or neither."""
    verdicts = [part.verdict for part in parts]
    missing = sum(part == unknown(part.decisive) for part in parts)
    neither = verdicts.count(INCONCLUSIVE) - missing
    sharper, flatter = verdicts.count(SUPPORTED), verdicts.count(CONTRADICTED)
    texts = [f"{sharper} of {len(parts)} comparisons, flatter in {flatter}"]
    texts += [f"neither for certain in {neither}"] if neither else []
    return ", ".join(texts + ([f"not known in {missing}"] if missing else []))


# Claims ask for the same pair again and again.
@cache
def _larger(network: Comparable, first: str, second: str, measure: str) -> Evidence:
    label = _label(measure, network)
    if first == second:
        # Nothing is larger than itself.
        return Evidence(1.0, 0.0, *[f"{first} is compared with itself"] * 2)
    if (measure, first, second) not in network.p_larger:
        return unknown(f"{label} of {first} and {second} is not known")
    text = (
        f"{label} of {first} is {_value(network, first, measure)}, of {second}"
        f" {_value(network, second, measure)}"
    )
    pairs = (measure, first, second), (measure, second, first)
    return Evidence(*(network.p_larger[pair] for pair in pairs), text, text)


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


def _row(number: int, *networks: Comparable) -> dict[str, object]:
    network, found = networks[0], finding(number, *networks)
    evidence, pooled = found.evidence, number == max(CLAIMS)
    last = {INCONCLUSIVE: "undecided: "}.get(evidence.verdict, "deciding: ")
    left_out = sum(member.left_out for member in networks)
    parts = [found.numbers, (last if found.numbers else "") + evidence.decisive]
    parts += [f"{left_out} printed values in doubt are left out"] if left_out else []
    where = f"{'all networks' if pooled else network.network} on {network.dataset}"
    said = "; ".join(part for part in parts if part)
    return {
        "source": network.source,
        "dataset": network.dataset,
        "network": ALL_NETWORKS if pooled else network.network,
        "baseline": network.baseline,
        "claim": number,
        "statement": CLAIMS[number],
        "verdict": evidence.verdict,
        "sentence": f"{evidence.verdict.capitalize()} for {where}: {said}.",
        "numbers": found.numbers,
        "decisive": evidence.decisive,
        "p_for": evidence.p_for,
        "p_against": evidence.p_against,
        "level": LEVEL,
        "method": "t of slopes over conditions' means" if pooled else network.method,
        "seeds_min": min(member.seeds[0] for member in networks),
        "seeds_max": max(member.seeds[1] for member in networks),
        "left_out": left_out,
    }


def _name(measure: str, network: Comparable) -> MeasureName:
    family = network.families.get(measure, "evaluation")
    return describe(measure, family, network.units.get(measure, "1"))


def _label(measure: str, network: Comparable) -> str:
    return _name(measure, network).column_label


def _lower_is_better(measure: str, network: Comparable) -> bool:
    return _name(measure, network).direction == LOWER


def _value(network: Comparable, condition: str, measure: str) -> str:
    return format_estimate(
        network.means.at[condition, measure], network.errors.at[condition, measure]
    )
