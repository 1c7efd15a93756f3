"""The papers' claims, each tested on what was measured, or published, of networks, and in words.

To add claims, write functions from `comparable.Comparable` to `findings.Finding` in a module of
their own, with a tuple of `claim.Claim` that names them, and add that tuple to `CLAIMS` below;
quote the papers in resources/papers.yaml, under the claims' numbers. A claim about a data set as a
whole (``about=DATASET``) gets all its networks at once. Those of a study hold the rows of their
models (``Comparable.models``, see `model_table.model_table`), those of published means none
(``needs=("models",)``).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from ..components import IMAGES, RECORDINGS
from .claim import (
    ALL_DATASETS,
    ANY,
    DATASET,
    EACH_AND_ALL,
    LACKING,
    NETWORK,
    STUDY,
    Claim,
)
from .comparable import Comparable, measured, published_networks
from .correlations import ALL_NETWORKS
from .evidence import LEVEL, unknown
from .findings import (
    Finding,
    baseline_is_flattest,
    best_is_sharper,
    evaluations_of,
    measures_of_all,
    ranked_evaluations_of,
    sam_sharpens,
    sharpest_is_not_best,
    sharpness_of,
)
from .function_claims import SAID, tighter_and_more_complex, with_complexity_not_error
from .goldilocks import no_value_is_best
from .pooling import pooling_reverses
from .published import published_values
from .scene_claims import (
    more_so_out_of_domain,
    optimizer_drives_sharpness,
    sharper_is_more_accurate,
)
from .wording import listed

MASON_WILLIAMS = "geometric_reappraisal_2025", "function_centric_2026"
OF_IMAGES = (
    Claim(
        1,
        MASON_WILLIAMS,
        IMAGES,
        "The baseline is the flattest on every measure.",
        baseline_is_flattest,
        ("conditions", "baseline", "baseline_trained", "sharpness"),
    ),
    Claim(
        2,
        MASON_WILLIAMS,
        IMAGES,
        "The best condition on each evaluation is sharper than the baseline.",
        best_is_sharper,
        ("conditions", "baseline", "baseline_trained", "sharpness", "ranked"),
    ),
    Claim(
        3,
        MASON_WILLIAMS,
        IMAGES,
        "SAM does not only promote flatness.",
        sam_sharpens,
        ("sam", "sharpness"),
    ),
    Claim(
        4,
        MASON_WILLIAMS,
        IMAGES,
        "By some measure and some evaluation, the sharpest condition is not the best one.",
        sharpest_is_not_best,
        ("conditions", "sharpness", "ranked"),
    ),
    Claim(
        5,
        MASON_WILLIAMS,
        IMAGES,
        "Pooling architectures can reverse the trend within each architecture.",
        pooling_reverses,
        ("networks", "conditions", "sharpness", "evaluations"),
        about=DATASET,
        method="t of slopes over conditions' means",
    ),
    Claim(
        6,
        MASON_WILLIAMS,
        IMAGES,
        "No value of sharpness is the best in all networks and on all data sets.",
        no_value_is_best,
        ("places", "conditions", "sharpness", "ranked"),
        about=STUDY,
    ),
)
MILLING = ("asc_2023",)
OF_RECORDINGS = (
    Claim(
        7,
        MILLING,
        RECORDINGS,
        "Sharper minima are more accurate.",
        sharper_is_more_accurate,
        ("asc_sharpness", "test_accuracy", "conditions"),
        about=EACH_AND_ALL,
        method="Spearman's ρ over conditions' means, within networks",
    ),
    Claim(
        8,
        MILLING,
        RECORDINGS,
        "Sharper minima are more accurate out-of-domain even more than in-domain.",
        more_so_out_of_domain,
        ("asc_sharpness", "accuracy_out_of_domain", "conditions"),
        about=EACH_AND_ALL,
        method="difference of two Spearman's ρ over conditions' means, within networks",
    ),
    Claim(
        9,
        MILLING,
        RECORDINGS,
        "The optimiser drives sharpness more than each other setting.",
        optimizer_drives_sharpness,
        ("models", "asc_sharpness"),
        about=DATASET,
        method="shares of the variance of ln sharpness",
    ),
)
# Of any data, where the function near the data was measured.
OF_THE_FUNCTION = (
    Claim(
        10,
        MASON_WILLIAMS,
        ANY,
        "Regularised conditions have tighter boundaries and more complex functions.",
        tighter_and_more_complex,
        ("conditions", "baseline", "baseline_trained", "regularised", "function"),
        where_judged=True,
    ),
    Claim(
        11,
        ("function_centric_2026",),
        ANY,
        "Sharpness goes with the complexity of the function rather than with error.",
        with_complexity_not_error,
        ("conditions", "sharpness", "jacobian_norm", "test_accuracy"),
        about=EACH_AND_ALL,
        method="partial and plain Spearman's ρ over conditions' means, within networks",
        where_judged=True,
    ),
)
CLAIMS = {claim.number: claim for claim in (*OF_IMAGES, *OF_RECORDINGS, *OF_THE_FUNCTION)}
COLUMNS = [
    *("source", "dataset", "network", "baseline", "claim", "statement", "verdict", "sentence"),
    *("numbers", "decisive", "unsure", "p_for", "p_against", "level", "method"),
    *("seeds_min", "seeds_max", "left_out"),
]
NOT_MATCHED = "adopted: not matched by seed"
ONE_SEED = "one seed, whose differences have no error"


def claims(networks: Iterable[Comparable]) -> pd.DataFrame:
    """Return a row for each claim and each network, or whatever else its verdicts are on.

    Verdicts are those of `Finding`; docs/claims.md has the rules. Measures of sharpness are all
    that were taken, evaluations those of the papers' table (`tables.MAIN_MEASURES`). Claims about
    the kind of data come first; those about another kind are there where they can be judged.

    Args:
        networks: what was measured, or published.

    Returns:
        Data frame with the columns `COLUMNS`.
    """
    networks = list(networks)
    kinds = {ANY, *(network.data for network in networks)}
    rows = [
        _row(claim, found, *group)
        for claim in sorted(CLAIMS.values(), key=lambda claim: claim.data not in kinds)
        for group in _groups(claim, networks)
        if (found := finding(claim, *group)).applies or _listed(claim, group[0].data)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _listed(claim: Claim, data: str) -> bool:
    """Return whether a claim stands in a table of these data although it cannot be judged."""
    return claim.data in (ANY, data) and not claim.where_judged


def _groups(claim: Claim, networks: Sequence[Comparable]) -> Iterator[Sequence[Comparable]]:
    """Yield the networks that a verdict on a claim is about, for each of its verdicts."""

    def place(network: Comparable) -> tuple[str, ...]:
        of_dataset = (network.dataset,) if claim.about in (DATASET, EACH_AND_ALL) else ()
        return network.source, *of_dataset, network.baseline

    if claim.about in (NETWORK, EACH_AND_ALL):
        yield from ([network] for network in networks)
    if claim.about == NETWORK:
        return
    for _, group in groupby(sorted(networks, key=place), place):
        members = list(group)
        if claim.about != EACH_AND_ALL or len(members) > 1:
            yield members


def claims_measured(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    models: pd.DataFrame,
    *,
    smallest_differences: Mapping[str, float | str],
    recordings: Sequence[str],
) -> pd.DataFrame:
    """Return the `claims` on what a study measured; see `comparable.measured`."""
    found = measured(values, conditions, smallest_differences, models, recordings)
    return claims(found)


def published_claims(table: pd.DataFrame) -> pd.DataFrame:
    """Return the `claims` on a published table; see `published.published_values`."""
    return claims(published_networks(published_values(table)))


def finding(claim: Claim, *networks: Comparable) -> Finding:
    """Return what is known of a claim about the networks that one verdict is on."""
    if claim.about == NETWORK:
        networks = tuple(network.matched_alone() for network in networks)
    trained = [network for network in networks if network.conditions]
    first = (trained or networks)[0]
    # One claim about several data sets takes of each network what it has.
    whole = [[network] for network in trained] if claim.about == STUDY else [trained]

    def any_has(measures_of: Callable[..., list[str]]) -> bool:
        return any(measures_of(*group) for group in whole)

    there = {
        "trained": trained,
        "networks": trained[1:],
        "places": trained[1:],
        "baseline": first.baseline,
        "baseline_trained": first.baseline in first.conditions,
        "sam": first.without_sam,
        "sharpness": any_has(sharpness_of),
        "evaluations": any_has(evaluations_of),
        "ranked": any_has(ranked_evaluations_of),
        "conditions": any(len(network.conditions) > 1 for network in trained),
        "regularised": any(network.regularised for network in trained),
        "function": any(measure in measures_of_all(*trained) for measure in SAID),
        "models": all(len(network.models) for network in trained),
    }
    measures = measures_of_all(*trained)
    for need in ("trained", *claim.needs):
        if not there.get(need, need in measures):
            why = LACKING[need].format(network=first.network)
            return Finding(unknown(why), why, applies=False)
    if first.seeds[1] == 1 and claim.about == NETWORK:
        return Finding(unknown(ONE_SEED), ONE_SEED, unsure=ONE_SEED)
    return claim.test(*trained)


def _row(claim: Claim, found: Finding, *networks: Comparable) -> dict[str, object]:
    """Return the row of what was found of a claim about the networks."""
    network = networks[0]
    alone = claim.about == NETWORK or (claim.about == EACH_AND_ALL and len(networks) == 1)
    evidence, datasets = found.evidence, sorted({member.dataset for member in networks})
    dataset = datasets[0] if len(datasets) == 1 else ALL_DATASETS
    where = "all data sets" if dataset == ALL_DATASETS else dataset
    where = f"{network.network if alone else 'all networks'} on {where}"
    left_out = sum(member.left_out for member in networks)
    trained = [member for member in networks if member.conditions] or networks
    said = _said(found, network, left_out, network.unmatched if alone else ())
    p_for, p_against = (evidence.p_for, evidence.p_against) if found.applies else (np.nan, np.nan)
    return {
        "source": network.source,
        "dataset": dataset,
        "network": network.network if alone else ALL_NETWORKS,
        "baseline": network.baseline,
        "claim": claim.number,
        "statement": claim.statement,
        "verdict": found.verdict,
        "sentence": f"{found.verdict.capitalize()} for {where}{said}",
        "numbers": found.numbers,
        "decisive": found.decisive,
        "unsure": found.unsure,
        "p_for": p_for,
        "p_against": p_against,
        "level": LEVEL,
        "method": claim.method or network.method,
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
