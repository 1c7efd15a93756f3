"""What is known of the claims about acoustic scenes: over networks' conditions, and their settings.

Points of a correlation are the conditions' means, as in `correlations`: seeds of one condition are
no independent draws. Over several networks they are within networks, since a difference between
networks says nothing about minima. Sharpness is the paper's own, along random directions (ASC
sharpness).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .comparable import Comparable
from .correlations import DECIMALS
from .dependent_correlations import difference_of_correlations
from .evidence import INCONCLUSIVE, Evidence, all_of, unknown
from .findings import Finding
from .model_table import factors
from .numbers import format_interval, format_number
from .quadratic_forms import basis, p_larger
from .variance import ONE_WAY, TOTAL, dummies_of, error_columns, pairs_of, shares, without
from .within_networks import correlation_within
from .wording import in_words, listed

SHARPNESS = "asc_sharpness"
OVERALL, INSIDE, OUTSIDE = "test_accuracy", "accuracy_in_domain", "accuracy_out_of_domain"
WORDS = {
    "optimizer": "the optimiser",
    "learning_rate": "the learning rate",
    "batch_size": "the batch size",
    "network": "the network",
    "base_condition": "the condition",
}
OPTIMIZER = "optimizer"
# Rows of `variance.shares` by kind and factor.
Shares = Mapping[tuple[str, str], Mapping[str, Any]]


def sharper_is_more_accurate(*networks: Comparable) -> Finding:
    """Return what is known of sharper conditions being more accurate on the test data."""
    x, y = _means(networks, SHARPNESS, OVERALL)
    found = correlation_within(x, y, names_of(networks), ("ASC sharpness", in_words(OVERALL)))
    said = f"Spearman's ρ of ASC sharpness with {in_words(OVERALL)}"
    return _of_sign(found, f"{said} over {points_of(networks, found)}")


def more_so_out_of_domain(*networks: Comparable) -> Finding:
    """Return what is known of sharper being more accurate out-of-domain, more so than in-domain.

    That is two statements: the correlation out-of-domain is above zero, and above that in-domain.
    """
    x, outside, inside = _means(networks, SHARPNESS, OUTSIDE, INSIDE)
    names = names_of(networks)
    words = ("ASC sharpness", in_words(OUTSIDE), in_words(INSIDE))
    found = difference_of_correlations(x, outside, inside, names, words)
    rho = [
        correlation_within(x, y, names, (words[0], word))
        for y, word in zip((outside, inside), words[1:], strict=True)
    ]
    shown = [format_number(each["value"], ".2f") for each in rho]
    said = f"Spearman's ρ of ASC sharpness with accuracy out-of-domain ({shown[0]})"
    more = _of_sign(found, f"{said} minus in-domain ({shown[1]}) over {points_of(networks, found)}")
    above = _of_sign(rho[0], "Spearman's ρ of ASC sharpness with accuracy out-of-domain")
    evidence = all_of([above.evidence, more.evidence])
    unsure = _open(evidence, more.unsure or above.unsure)
    return Finding(evidence, _decisive(evidence), f"{above.numbers}. {more.numbers}", unsure)


def optimizer_drives_sharpness(*networks: Comparable) -> Finding:
    """Return what is known of the optimiser explaining more than each other setting.

    That is of the variance of ln sharpness that a linear model of all settings and their
    interactions in pairs loses without a setting and its interactions (`variance.TOTAL`).
    """
    models = pd.concat(network.models for network in networks)
    usable = models[SHARPNESS].gt(0) & np.isfinite(models[SHARPNESS].astype(float))
    models = models[usable]
    settings = models[factors(models)]
    if OPTIMIZER not in settings or settings.shape[1] < 2:
        why = f"no two of {listed([*WORDS.values()])} differ, the optimiser among them"
        return Finding(unknown(why), why, applies=False)
    found = {(row["kind"], row["factor"]): row for row in shares(models, SHARPNESS, "ln")}
    if (TOTAL, OPTIMIZER) not in found:
        note = f"ASC sharpness: {found[ONE_WAY, OPTIMIZER]['note']}"
        return Finding(unknown(note), note, unsure=note)
    numbers = (
        f"Of the variance of ln ASC sharpness over {len(models)} networks goes with each setting"
        f" alone (η²): {_listed_shares(found, ONE_WAY, settings)}; is lost without it and its"
        f" interactions: {_listed_shares(found, TOTAL, settings)}"
    )
    values = np.log(models[SHARPNESS].to_numpy(float))
    evidence = all_of([*_against_each_other(values, settings, found)])
    return Finding(evidence, _decisive(evidence), numbers, _open(evidence))


def _against_each_other(
    values: np.ndarray, settings: pd.DataFrame, found: Shares
) -> Iterator[Evidence]:
    """Yield what is known of the optimiser explaining more than each other setting."""
    ones = np.ones((len(values), 1))
    columns = {name: dummies_of(settings[name]) for name in settings} | pairs_of(settings)
    every = np.column_stack([ones, *columns.values()])
    lost = {
        name: basis(every, np.column_stack([ones, *without(columns, name)])) for name in settings
    }
    residual = basis(np.eye(len(values)), np.column_stack([ones, *error_columns(settings)]))
    for name in settings:
        if name == OPTIMIZER:
            continue
        first, second = f"the optimiser ({_share(found, OPTIMIZER)})", WORDS[name]
        second = f"{second} ({_share(found, name)})"
        if not min(lost[OPTIMIZER].shape[1], lost[name].shape[1]):
            yield unknown(f"{first} and {second} go together in this design")
        elif np.isnan(found[TOTAL, OPTIMIZER]["lower"]):
            yield unknown("no difference between networks of equal settings to test against")
        else:
            p = p_larger(values, lost[OPTIMIZER], lost[name], residual)
            compared = f"{first} against {second}, p = {format_number(min(p, 1 - p), '.2g')}"
            yield Evidence(p, 1 - p, compared, compared)


def _listed_shares(found: Shares, kind: str, settings: pd.DataFrame) -> str:
    return listed([f"{WORDS[name]} {_share(found, name, kind)}" for name in settings])


def _share(found: Shares, name: str, kind: str = TOTAL) -> str:
    """Return a share of a setting in percent with its interval."""
    row = found[kind, name]
    numbers = (100 * row[key] for key in ("value", "lower", "upper"))
    return f"{format_interval(*numbers, '.0f')} %"


def _means(networks: tuple[Comparable, ...], *measures: str) -> list[pd.Series]:
    """Return the conditions' means of measures, over all networks."""
    table = pd.concat(network.means for network in networks)
    return [table[measure].astype(float).round(DECIMALS) for measure in measures]


def names_of(networks: Sequence[Comparable]) -> np.ndarray:
    """Return the network, by its place, of each condition of all networks."""
    return np.repeat(range(len(networks)), [len(network.means) for network in networks])


def points_of(networks: Sequence[Comparable], found: Mapping[str, float]) -> str:
    """Return over how many conditions, and within how many networks, a correlation is."""
    over = f"{found['n']} conditions"
    return f"{over} within {len(networks)} networks" if len(networks) > 1 else over


def _of_sign(found: Mapping[str, float], said: str) -> Finding:
    """Return what is known of a correlation, or a difference of two, being above zero."""
    if np.isnan(found["p_value"]):
        why, shown = found["note"], f"{said}: {format_number(found['value'], '.2f')}"
        return Finding(unknown(why), why, shown, unsure=f"No interval: {why}")
    shown = f"{said}: {format_interval(found['value'], found['lower'], found['upper'], '.2f')}"
    half = found["p_value"] / 2
    p_for = half if found["value"] > 0 else 1 - half
    above, below = "the interval is above zero", "the interval is below zero"
    evidence = Evidence(p_for, 1 - p_for, above, below)
    return Finding(evidence, _decisive(evidence), shown, _open(evidence, "The interval holds zero"))


def _decisive(evidence: Evidence) -> str:
    """Return what decides, on the side that the evidence speaks for."""
    speaks_for = evidence.p_for <= evidence.p_against
    return evidence.decisive_for if speaks_for else evidence.decisive_against


def _open(evidence: Evidence, said: str = "") -> str:
    """Return in words what is not sure, or nothing."""
    if evidence.verdict != INCONCLUSIVE:
        return ""
    return said or f"Not sure: {_decisive(evidence)}"
