"""The papers' five claims, each tested on what was measured of a network, and in words."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from .comparable import Comparable, measured, published_networks
from .correlations import ALL_NETWORKS
from .evidence import LEVEL, unknown
from .findings import (
    Finding,
    baseline_is_flattest,
    best_is_sharper,
    evaluations_of,
    pooling_reverses,
    ranked_evaluations_of,
    sam_sharpens,
    sharpest_is_not_best,
    sharpness_of,
)
from .published import published_values
from .wording import listed

CLAIMS = {
    1: "The baseline is the flattest on every measure.",
    2: "The best condition on each evaluation is sharper than the baseline.",
    3: "SAM does not only promote flatness.",
    4: "The sharpest condition is not always the best: no measure has a best value.",
    5: "Pooling architectures can reverse the trend within each architecture.",
}
COLUMNS = [
    *("source", "dataset", "network", "baseline", "claim", "statement", "verdict", "sentence"),
    *("numbers", "decisive", "unsure", "p_for", "p_against", "level", "method"),
    *("seeds_min", "seeds_max", "left_out"),
]
# Of each claim the test and what it needs.
TESTS = {
    1: (baseline_is_flattest, "conditions", "baseline", "baseline_trained", "sharpness"),
    2: (best_is_sharper, "conditions", "baseline", "baseline_trained", "sharpness", "ranked"),
    3: (sam_sharpens, "sam", "sharpness"),
    4: (sharpest_is_not_best, "conditions", "sharpness", "ranked"),
    5: (pooling_reverses, "networks", "conditions", "sharpness", "evaluations"),
}
# What a claim is about, and why it does not apply where a study has none of it.
LACKING = {
    "trained": "none of its networks trained",
    "networks": "there is one network, {network}",
    "baseline": "no condition is compared with a baseline, see analysis.baseline",
    "baseline_trained": "no network of the baseline trained",
    "sam": "no two conditions differ in SAM alone",
    "sharpness": "there is no measure of sharpness",
    "evaluations": "there is no evaluation",
    "ranked": "there is no evaluation by which a condition can be the best",
    "conditions": "there is only one condition with networks that trained",
}
NOT_MATCHED = "adopted: not matched by seed"
ONE_SEED = "one seed, whose differences have no error"


def claims(networks: Iterable[Comparable]) -> pd.DataFrame:
    """Return a row for each claim and network, and for the last claim one for each data set.

    Verdicts are those of `Finding`; docs/claims.md has the rules. Measures of sharpness are all
    that were taken, evaluations those of the papers' table (`tables.MAIN_MEASURES`).

    Args:
        networks: what was measured, or published.

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


def claims_measured(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    *,
    smallest_differences: Mapping[str, float | str],
) -> pd.DataFrame:
    """Return the `claims` on what a study measured; see `comparable.measured`."""
    return claims(measured(values, conditions, smallest_differences))


def published_claims(table: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims` on a published table; see `published.published_values`."""
    return claims(published_networks(published_values(table)))


def finding(number: int, *networks: Comparable) -> Finding:
    """Return what is known of a claim about a network, or of the last one about several."""
    test, *needs = TESTS[number]
    if "networks" not in needs:
        networks = tuple(network.matched_alone() for network in networks)
    trained = [network for network in networks if network.conditions]
    first = (trained or networks)[0]
    there = {
        "trained": trained,
        "networks": trained[1:],
        "baseline": first.baseline,
        "baseline_trained": first.baseline in first.conditions,
        "sam": first.without_sam,
        "sharpness": sharpness_of(*trained),
        "evaluations": evaluations_of(*trained),
        "ranked": ranked_evaluations_of(*trained),
        "conditions": any(len(network.conditions) > 1 for network in trained),
    }
    for need in ("trained", *needs):
        if not there[need]:
            why = LACKING[need].format(network=first.network)
            return Finding(unknown(why), why, applies=False)
    if first.seeds[1] == 1 and "networks" not in needs:
        return Finding(unknown(ONE_SEED), ONE_SEED, unsure=ONE_SEED)
    return test(*trained)


def _row(number: int, *networks: Comparable) -> dict[str, object]:
    network, found = networks[0], finding(number, *networks)
    evidence, pooled = found.evidence, number == max(CLAIMS)
    where = f"{'all networks' if pooled else network.network} on {network.dataset}"
    left_out = sum(member.left_out for member in networks)
    trained = [member for member in networks if member.conditions] or networks
    said = _said(found, network, left_out, () if pooled else network.unmatched)
    p_for, p_against = (evidence.p_for, evidence.p_against) if found.applies else (np.nan, np.nan)
    return {
        "source": network.source,
        "dataset": network.dataset,
        "network": ALL_NETWORKS if pooled else network.network,
        "baseline": network.baseline,
        "claim": number,
        "statement": CLAIMS[number],
        "verdict": found.verdict,
        "sentence": f"{found.verdict.capitalize()} for {where}{said}",
        "numbers": found.numbers,
        "decisive": found.decisive,
        "unsure": found.unsure,
        "p_for": p_for,
        "p_against": p_against,
        "level": LEVEL,
        "method": "t of slopes over conditions' means" if pooled else network.method,
        "seeds_min": min(member.seeds[0] for member in trained),
        "seeds_max": max(member.seeds[1] for member in trained),
        "left_out": left_out,
    }


def _said(found: Finding, network: Comparable, left_out: int, unmatched: Sequence[str]) -> str:
    """Return the numbers, what decides or is unsure, and what is left out, in sentences."""
    last = found.unsure or found.decisive
    adopted = f"Left out: {listed(unmatched)} ({NOT_MATCHED})" if unmatched else ""
    if found.applies and not found.unsure:
        last = f"What decides: {last}"
    what = "published values in doubt" if network.source else "networks that did not train"
    said = f"Left out: {left_out} {what}" if left_out else ""
    sentences = " ".join(f"{part}." for part in (found.numbers, last, said, adopted) if part)
    return f". {sentences}" if found.numbers else f": {sentences}"
