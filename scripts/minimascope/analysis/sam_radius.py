"""Whether measures rise or fall along SAM's radius ρ, of conditions that differ in it alone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .comparable import SAM
from .differences import OPEN, mean_over_seeds
from .evidence import SIGNIFICANT
from .measure_names import describe, measures_of
from .model_table import require
from .numbers import format_estimate, format_number
from .render import captioned

RADIUS = "sam.rho"
# Of published conditions with SAM that name none.
USUAL_RHO = 0.05
RISES, FALLS = "rises on the whole", "falls on the whole"
COLUMNS = [
    *("source", "dataset", "network", "measure", "without_sam", "radii", "n", "n_seeds"),
    *("first_mean", "last_mean", "spearman", "page_l", "p_rises", "p_falls", "verdict", "note"),
]
# Fewer do not make a trend.
FEWEST_RADII = 3
INCOMPLETE = "no seed trained, and has a value, at all radii above zero"
ONE_SEED = "a test takes two seeds or more"
FEW_RADII = f"a test takes {FEWEST_RADII} radii above zero or more"
NEVER_SURE = "so few seeds and radii can never be sure: the smallest p-value is {least:.3f}"
NO_SEEDS = "there are no values of single seeds to rank within"
CAPTION = (
    "Whether a measure rises or falls with SAM's radius ρ, over conditions that differ in it alone;"
    " ρ = 0 is the condition without SAM. Page's trend test ranks the conditions with SAM within"
    " each seed, so that seeds need not be alike, and leaves out ρ = 0: having SAM or not makes no"
    " trend. p-values are one-sided, count all orders for up to eight radii and twelve seeds, and"
    f" {SIGNIFICANT:g} or less is sure, each by itself. Rises or falls on the whole: single steps"
    " may go the other way. The test looks at order alone, not at how much a measure changes."
    " Seeds are those that trained at all radii above zero. Means, and Spearman's ρₛ of all radii"
    " and the means, are of those among them that trained at ρ = 0, too, or leave that out if none"
    " did."
)


def along_radius(values: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each measure of conditions that differ in SAM's radius alone.

    The test is Page's (1963, J. Am. Stat. Assoc. 58, 216–230): conditions are ranked within each
    seed, and the ranks' sums are weighed by the order of the radii. It is of the radii above zero:
    whether SAM is on or off is another question. It rejects that all orders are alike, so that a
    sure trend is one on the whole, whose single steps may go the other way. Seeds are matched, so
    that ranks within them are what can be compared. p-values are exact for up to eight radii and
    twelve seeds, however few. Only seeds whose networks trained at all radii above zero count;
    without any the row says so. Means are of those that trained at 0, too, or leave 0 out if none
    did.

    Args:
        values: rows of `summary.seed_values`.
        conditions: rows of `model_table.conditions_table`.

    Returns:
        Columns `COLUMNS`: ``n`` radii from 0 (without SAM) on, the means at the first and the last,
        ``spearman`` of radii and means, Page's statistic and its one-sided p-values.
    """
    require(values, ["dataset", "network", "condition", "seed", "measure", "value"], "values")
    rows = []
    trained = values[values["trained"]]
    for (dataset, network), own in conditions.groupby(["dataset", "network"], sort=False):
        here = trained[(trained["dataset"] == dataset) & (trained["network"] == network)]
        for plain, radii in _sweeps(own):
            for measure in measures_of(here, "evaluation", "sharpness"):
                seeds = here[here["measure"] == measure].pivot(
                    index="seed", columns="condition", values="value"
                )
                seeds = seeds.reindex(columns=list(radii))
                seeds = seeds.where(np.isfinite(seeds)).dropna(how="all")
                if len(seeds):
                    seeds = seeds.dropna(subset=[name for name, rho in radii.items() if rho > 0])
                    place = {"source": "", "dataset": dataset, "network": network}
                    tested = trend(seeds.to_numpy(), list(radii.values()))
                    rows.append(place | {"measure": measure, "without_sam": plain} | tested)
    return pd.DataFrame(rows, columns=COLUMNS)


def _sweeps(conditions: pd.DataFrame) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Yield the conditions of one network that differ in SAM's radius alone, from the least on."""
    if RADIUS not in conditions:
        return
    rows = conditions[conditions["matched"].astype(bool)]
    matched = set(rows["condition"])
    rows = rows[rows[RADIUS].notna()]
    # Without a counterpart that has no SAM, cells of a sweep are those of one base condition.
    alone = rows["base_condition"].where(rows["like_base_condition"].astype(bool))
    rows = rows.assign(group=rows["without_sam"].fillna(alone))
    others = [name for name in rows if name.startswith("sam.") and name != RADIUS]
    for (plain, *_), group in rows.groupby(["group", *others], dropna=False, sort=False):
        radii = dict(zip(group["condition"], group[RADIUS].astype(float), strict=True))
        if plain in set(group["without_sam"]) and plain in matched:
            radii[plain] = 0.0
        # Of cells that repeat a condition the first.
        once = {rho: name for name, rho in reversed(radii.items())}
        if len(once) >= FEWEST_RADII:
            yield plain, {once[rho]: rho for rho in sorted(once)}


def trend(seeds: np.ndarray, radii: Sequence[float]) -> dict[str, Any]:
    """Return whether values rise or fall along radii: means, Spearman's ρ and Page's test.

    Args:
        seeds: values, [seed, radius], NaN at radius 0 where there is none.
        radii: in ascending order.
    """
    with_sam = seeds[:, np.asarray(radii) > 0]
    note = _why_untested(*with_sam.shape)
    tested = {"verdict": OPEN, "note": note}
    if not note:
        rises, falls = (stats.page_trend_test(order) for order in (with_sam, with_sam[:, ::-1]))
        sure = {RISES: rises.pvalue <= SIGNIFICANT, FALLS: falls.pvalue <= SIGNIFICANT}
        tested = {
            "page_l": rises.statistic,
            "p_rises": rises.pvalue,
            "p_falls": falls.pvalue,
            "verdict": next((name for name, holds in sure.items() if holds), OPEN),
            "note": "",
        }
    # Means of the same seeds; without one that has them all, ρ = 0 has none.
    whole = seeds[np.isfinite(seeds).all(axis=1)]
    means = mean_over_seeds(whole if len(whole) else seeds).value
    return _of_means(radii, means) | {"n_seeds": len(seeds)} | tested


def _why_untested(seeds: int, radii: int) -> str:
    """Return why seeds and radii are too few for Page's test, or nothing."""
    if not seeds:
        return INCOMPLETE
    if seeds < 2:
        return ONE_SEED
    if radii < FEWEST_RADII:
        return FEW_RADII
    # Of all orders within all seeds one is the most extreme.
    least = math.factorial(radii) ** -seeds
    return NEVER_SURE.format(least=least) if least > SIGNIFICANT else ""


def _of_means(radii: Sequence[float], means: Sequence[float]) -> dict[str, Any]:
    known = np.isfinite(means)
    rho, means_there = np.asarray(radii)[known], np.asarray(means)[known]
    varies = len(rho) > 1 and np.ptp(means_there) > 0
    return {
        "radii": ", ".join(f"{rho:g}" for rho in radii),
        "n": len(radii),
        "first_mean": means[0],
        "last_mean": means[-1],
        # Of equal means, or none, there is no correlation.
        "spearman": stats.spearmanr(rho, means_there).statistic if varies else np.nan,
    }


def published_along_radius(published: pd.DataFrame, sweep: pd.DataFrame) -> pd.DataFrame:
    """Return the same of published means, which have no order within seeds and decide nothing.

    Args:
        published: rows of `published.published_values` of conditions at the usual radius.
        sweep: of a sweep, with a column ``rho``.
    """
    certain = published[~published["uncertain"]]
    keys, rows = ["source", "dataset", "architecture", "metric"], []
    for key, swept in sweep[~sweep["uncertain"]].groupby(keys, sort=False):
        of_metric = certain[(certain[keys] == list(key)).all(axis=1)]
        usual = of_metric.set_index("published_condition")["mean"]
        for condition, own in swept.groupby("published_condition", sort=False):
            plain = condition.removesuffix(SAM)
            means = {0.0: usual.get(plain), USUAL_RHO: usual.get(condition)}
            means |= dict(zip(own["rho"].astype(float), own["mean"], strict=True))
            known = {rho: means[rho] for rho in sorted(means) if means[rho] is not None}
            if len(known) >= FEWEST_RADII:
                found = _of_means(list(known), list(known.values()))
                place = dict(zip(("source", "dataset", "network", "measure"), key, strict=True))
                found |= {"n_seeds": int(own["n_seeds"].min()), "verdict": OPEN, "note": NO_SEEDS}
                rows.append(place | {"without_sam": plain} | found)
    return pd.DataFrame(rows, columns=COLUMNS)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Return what readers see of rows of `along_radius`, of one network or several."""
    several = [name for name in ("source", "dataset", "network") if found[name].nunique() > 1]
    heads = {"source": "Source", "dataset": "Data set", "network": "Network"}
    measures = [describe(name, "evaluation").column_label for name in found["measure"]]
    shown = [f"**{name}**" if name in (RISES, FALLS) else name for name in found["verdict"]]
    columns = {
        "Measure": measures,
        **{heads[name]: found[name] for name in several},
        "Without SAM": found["without_sam"],
        "ρ": found["radii"],
        "Mean at the first": map(format_estimate, found["first_mean"]),
        "At the last": map(format_estimate, found["last_mean"]),
        "ρₛ": [format_number(value, "+.2f") for value in found["spearman"]],
        "p rises": map(format_estimate, found["p_rises"]),
        "p falls": map(format_estimate, found["p_falls"]),
        "Verdict": shown,
        "Seeds": found["n_seeds"],
        "Note": found["note"].astype(object).fillna(""),
    }
    return captioned({name: list(column) for name, column in columns.items()}, CAPTION)
