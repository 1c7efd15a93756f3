"""What SAM adds to a condition beside what it adds to the baseline, and along its radius.

The first is an interaction: (condition with SAM - condition) - (baseline with SAM - baseline), of
sharpness that of logarithms.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from . import sam_radius
from .comparable import published_networks
from .differences import LARGER, SMALLER, Difference, Estimate, combined, paired
from .evidence import LEVEL
from .measure_names import MeasureName, describe, measures_of, names_in
from .model_table import require
from .numbers import format_ends, format_estimate
from .published import published_values
from .render import Text, captioned
from .smallest_difference import SmallestDifference
from .tables import MAIN_MEASURES

COLUMNS = [
    *("source", "dataset", "network", "measure", "condition", "with_sam", "baseline"),
    *("baseline_with_sam", "interaction", "standard_error", "lower", "upper", "level"),
    *("smallest_difference", "verdict", "p_value", "n", "pairing", "scale", "note"),
]
SAM_SETTINGS = "sam."
LN, LINEAR = "ln", "linear"
NO_LOGARITHM = "values at or below zero have no logarithm"
CAPTION = (
    "What SAM does to a condition beside what it does to the baseline. Of sharpness, whose values"
    " differ by factors, it is a factor: (condition with SAM / condition) / (baseline with SAM /"
    " baseline), from means of logarithms; × 1: SAM multiplies both by as much. Of other measures"
    " it is a difference: (condition with SAM − condition) − (baseline with SAM − baseline), with"
    f" its standard error. With {100 * LEVEL:.0f} % intervals (Student's t, over matched seeds)."
    " Matters: the smallest factor, up or down, or difference that matters, of the baseline's mean."
    " Larger, smaller: surely by more than that; no difference: surely within that; open: none of"
    " these is sure, each by itself. tables/interactions.csv has all other measures."
)
OF_PUBLISHED = (
    " Published means are taken as independent of each other (Welch's t), although seeds are"
    " shared; a logarithm is that of the mean, with the error of the mean over the mean (delta"
    " method)."
)
NOTHING = (
    "No condition besides the baseline is there both with and without SAM, of networks that"
    " trained."
)


class Square(NamedTuple):
    """A condition and a baseline, each without SAM and with it."""

    condition: str
    with_sam: str
    baseline: str
    baseline_with_sam: str


def interaction_tables(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    *,
    smallest_differences: Mapping[str, float | str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the `interactions` of a study, and how it fares along SAM's radius."""
    found = interactions(values, conditions, smallest_differences)
    return found, sam_radius.along_radius(values, conditions)


def published_interactions(
    table: pd.DataFrame, sweep: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the interactions in published tables, of independent means, and along SAM's radius."""
    published = published_values(table)
    rows = []
    for network in published_networks(published):
        for square in _squares(network.baseline, network.without_sam, {}):
            for measure, name in network.names.items():
                if all(measure in network.means and network.has(measure, c) for c in square):
                    terms = [network.estimate(measure, condition) for condition in square]
                    found = _published(terms, name)
                    own = {"source": network.source, "n": network.seeds[0], "pairing": "none"}
                    own |= {"dataset": network.dataset, "network": network.network}
                    rows.append(_row(found, square, name) | own | {"measure": measure})
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found, sam_radius.published_along_radius(published, published_values(sweep))


def interactions(
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    smallest_differences: Mapping[str, float | str],
) -> pd.DataFrame:
    """Return a row for each condition that is there with and without SAM, and each measure.

    ``interaction`` is (with SAM - without) of the condition minus that of its baseline, for each
    seed; standard error, interval, two-sided p-value and verdict are those of a paired difference
    of it from zero. ``scale`` says of what: of logarithms (`LN`) where values differ by factors
    (`MeasureName.log_axis`), and else of values (`LINEAR`). What matters is a share s of the
    baseline's mean, or as many times that mean as a number is: of logarithms ln(1 + s), a factor
    1 + s up or down. It is never below the noise floor, the largest of the four conditions, of
    logarithms as a share of the condition's own mean. SAM has the same settings in both. Networks
    that did not train, and conditions that are not matched by seed, are left out.

    Args:
        values: rows of `summary.seed_values`.
        conditions: rows of `model_table.conditions_table`.
        smallest_differences: those of the study, by measure.

    Raises:
        InputError: a column is missing, or a smallest difference is none.
    """
    keys = ["dataset", "network", "condition"]
    columns = [*keys, "seed", "measure", "value", "unit", "noise_floor", "trained"]
    require(values, columns, "values")
    require(conditions, [*keys, "baseline", "without_sam", "matched"], "conditions")
    names, rows = names_in(values, smallest_differences), []
    trained = values[values["trained"]]
    for (dataset, network), own in conditions.groupby(["dataset", "network"], sort=False):
        place = {"source": "", "dataset": dataset, "network": network, "pairing": "by seed"}
        here = trained[(trained["dataset"] == dataset) & (trained["network"] == network)]
        measures = measures_of(here, "evaluation", "sharpness")
        for square in _squares_of(own[own["matched"].astype(bool)]):
            for measure in measures:
                seeds, floors = _seeds(here[here["measure"] == measure], square)
                if n := len(seeds):
                    found = _matched(seeds, floors, names[measure])
                    own = place | {"measure": measure, "n": n}
                    rows.append(_row(found, square, names[measure]) | own)
    return pd.DataFrame(rows, columns=COLUMNS)


def _squares_of(conditions: pd.DataFrame) -> Iterator[Square]:
    """Yield the squares of one network's conditions."""
    rows = conditions.set_index("condition")
    settings = rows[[name for name in rows if name.startswith(SAM_SETTINGS)]]
    without = rows["without_sam"].dropna().to_dict()
    # A baseline that is not matched has no row here.
    for baseline in rows.index[rows.index.isin(rows["baseline"].dropna())]:
        yield from _squares(
            baseline,
            {
                name: plain
                for name, plain in without.items()
                if plain == baseline or rows["baseline"].get(plain) == baseline
            },
            {name: tuple(settings.loc[name].astype(str)) for name in without},
        )


def _squares(
    baseline: str, without_sam: Mapping[str, str], settings: Mapping[str, object]
) -> Iterator[Square]:
    """Yield each pair with and without SAM beside the baseline's with the same settings of SAM."""
    for other, plain in without_sam.items():
        if plain == baseline:
            for name, own in without_sam.items():
                if own != baseline and settings.get(name) == settings.get(other):
                    yield Square(own, name, baseline, other)


def _seeds(rows: pd.DataFrame, square: Square) -> tuple[pd.DataFrame, pd.Series]:
    """Return one measure's values, [seed, condition of the square], and each condition's floor."""
    table = rows.pivot(index="seed", columns="condition", values="value").reindex(columns=square)
    floors = rows.groupby("condition")["noise_floor"].mean().reindex(square)
    return table.where(np.isfinite(table)).dropna(), floors


def _matched(seeds: pd.DataFrame, floors: pd.Series, name: MeasureName) -> Difference:
    """Return the interaction as a difference from zero, of the conditions of a square by seed."""
    values, smallest = seeds.to_numpy(dtype=float), name.smallest_difference
    reference, floor = values[:, 2], float(floors.max())
    if name.log_axis:
        if (values <= 0).any():
            return _unknown(len(values) - 1)
        noise = float((floors / seeds.mean()).max())
        smallest, floor = _factor(smallest, reference.mean(), noise), 0.0
        values, reference = np.log(values), np.zeros(len(values))
    plain, with_sam, baseline, baseline_with_sam = values.T
    added = (with_sam - plain) - (baseline_with_sam - baseline)
    # Of the baseline's mean, which is the reference, a share may matter.
    return _scalar(paired(reference + added, reference, smallest, floor))


def _factor(smallest: SmallestDifference, mean: float, noise: float = 0.0) -> SmallestDifference:
    """Return the smallest difference of logarithms that matters, beside a mean above zero.

    Args:
        smallest: difference of values that matters.
        mean: of the baseline.
        noise: floor of the noise, as a share of the mean that it goes with.
    """
    return SmallestDifference(math.log1p(float(smallest.of(mean, noise * mean)) / mean))


def _unknown(df: float) -> Difference:
    nothing = Estimate(math.nan, math.nan, df)
    return Difference(nothing, math.nan, nothing, nothing)


def _published(terms: Sequence[Estimate], name: MeasureName) -> Difference:
    """Return the interaction of published means, in the order of `Square`."""
    if not name.log_axis:
        return _independent(terms, name.smallest_difference)
    if any(term.value <= 0 for term in terms):
        return _unknown(min(term.df for term in terms))
    logs = [Estimate(math.log(mean), error / mean, df) for mean, error, df in terms]
    return _independent(logs, _factor(name.smallest_difference, terms[2].value))


def _scalar(found: Difference) -> Difference:
    parts = (found.estimate, found.above, found.below)
    estimate, above, below = (type(part)(*map(float, part)) for part in parts)
    return Difference(estimate, float(found.smallest), above, below)


def _independent(terms: Sequence[Estimate], smallest: SmallestDifference) -> Difference:
    """Return the interaction of independent estimates, in the order of `Square`."""
    plain, with_sam, baseline, baseline_with_sam = terms
    share = float(smallest.share(baseline.value))
    delta = float(smallest.of(baseline.value))

    def contrast(share: float, less: float) -> Estimate:
        own = [(1.0, with_sam), (-1.0, plain), (-1.0, baseline_with_sam), (1.0 - share, baseline)]
        return combined(own, less)

    above, below = (contrast(sign * share, 0.0 if share else sign * delta) for sign in (1, -1))
    return Difference(contrast(0.0, 0.0), delta, above, below)


def _row(found: Difference, square: Square, name: MeasureName) -> dict[str, Any]:
    lower, upper = found.interval
    scale = LN if name.log_axis else LINEAR
    return {
        **square._asdict(),
        "interaction": found.estimate.value,
        "standard_error": found.estimate.error,
        "lower": lower,
        "upper": upper,
        "level": LEVEL,
        "smallest_difference": found.smallest,
        "verdict": found.verdict,
        "p_value": found.p_value,
        "scale": scale,
        "note": NO_LOGARITHM if math.isnan(found.estimate.value) else "",
    }


def text(found: pd.DataFrame, along: pd.DataFrame) -> Text:
    """Return the `interactions` and what was found along SAM's radius, as tables."""
    main = found[found["measure"].isin(MAIN_MEASURES)]
    shown = [_table(main)] if len(main) else [NOTHING]
    return [*shown, *([sam_radius.table(along)] if len(along) else [])]


def _table(found: pd.DataFrame) -> pd.DataFrame:
    several = [name for name in ("source", "dataset", "network") if found[name].nunique() > 1]
    heads = {"source": "Source", "dataset": "Data set", "network": "Network"}
    decided = (LARGER, SMALLER)
    columns = {
        "Measure": [describe(name, "evaluation").column_label for name in found["measure"]],
        **{heads[name]: found[name] for name in several},
        "Condition": found["condition"],
        "With SAM": found["with_sam"],
        "Baseline": found["baseline"],
        "Beside the baseline": [_estimate(row) for row in found.itertuples()],
        "Interval": [_interval(row) for row in found.itertuples()],
        "Matters": [_smallest(row) for row in found.itertuples()],
        "Verdict": [f"**{name}**" if name in decided else name for name in found["verdict"]],
        "p": map(format_estimate, found["p_value"]),
        "Seeds": found["n"],
        "Note": found["note"].astype(object).fillna(""),
    }
    independent = OF_PUBLISHED if found["pairing"].ne("by seed").all() else ""
    return captioned({name: list(c) for name, c in columns.items()}, CAPTION + independent)


def _estimate(row: Any) -> str:
    if row.scale == LN:
        return f"× {format_estimate(math.exp(row.interaction))}"
    return format_estimate(row.interaction, row.standard_error)


def _interval(row: Any) -> str:
    if row.scale == LN:
        return format_ends(math.exp(row.lower), math.exp(row.upper))
    return format_ends(row.lower, row.upper)


def _smallest(row: Any) -> str:
    if row.scale == LN:
        return f"× {format_estimate(math.exp(row.smallest_difference))}"
    return format_estimate(row.smallest_difference)
