"""Corruption by corruption: each condition against the baseline, and corruption errors, as text.

Corruption errors are those of Hendrycks & Dietterich 2019 (arXiv:1903.12261), with the baseline as
their reference.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.corruptions.kinds import NONE
from .collect import RUN
from .differences import (
    LARGER,
    SMALLER,
    Estimate,
    combined,
    mean_over_seeds,
    paired,
    share_interval,
    single,
    t_interval,
    welch,
    welch_share_interval,
)
from .evidence import LEVEL
from .measure_names import names_in
from .model_table import CONDITION, require
from .numbers import (
    count_seeds,
    format_estimate,
    format_interval,
    format_number,
    span,
)
from .render import Text, captioned, in_blocks
from .smallest_difference import SmallestDifference

# The mean over severities, or over corruptions and severities.
ALL = "all"
CLEAN = (NONE[0], str(NONE[1]))
MEAN = (ALL, ALL)
# A corruption that costs the baseline less has no relative corruption error: noise over noise.
LEAST_COST = 1.0  # percentage points
ERRORS = ("corruption_error", "relative_corruption_error")
COLUMNS = [
    *(*CONDITION, "corruption", "severity", "accuracy", "standard_error", "n", "samples"),
    *("unit", "origin", "baseline", "baseline_accuracy", "difference", "difference_error"),
    *("lower", "upper", "level", "smallest_difference", "verdict"),
    *(f"{name}{end}" for name in ERRORS for end in ("", "_lower", "_upper", "_n")),
    "left_out",
]
ABOUT_CONDITIONS = (
    "Of conditions: accuracy, mean over corruptions and severities, ± standard error over seeds."
    " Difference: condition minus baseline over matched seeds, ± its standard error, with its"
    f" {100 * LEVEL:.0f} % interval (Student's t). Corruption error: error over that of the"
    " baseline, mean over corruptions (Hendrycks & Dietterich 2019). Relative: the same of what"
    f" corruptions add to the error, over those that cost the baseline {LEAST_COST:g} point or"
    " more. Their intervals are Student's, with the error of the delta method. A corruption error"
    " below 100 %: fewer errors than the baseline; a relative one below 100 %: corruption costs"
    " less than it costs the baseline, which can be so of less accurate conditions, too. Surely"
    " better, or worse: under how many corruptions the condition is so by more than the smallest"
    f" difference that matters, each at {100 * LEVEL:.0f} % by itself."
)
ABOUT_CORRUPTIONS = (
    "Of corruptions: accuracy, mean over severities, ± standard error over seeds; of"
    " conditions with a baseline the difference from it. Bold: surely larger or smaller by more"
    " than the smallest difference that matters."
)
ABOUT_ACCURACIES = (
    "Accuracy, mean over severities, ± standard error over seeds. No condition is compared with"
    " another, of networks that trained: name one as analysis.baseline, or train it on two"
    " conditions or more."
)
MEASURES = {"generated": "corruption_accuracy_generated"}  # by origin; published otherwise
Cell = tuple[str, str]  # corruption and severity
Cells = pd.DataFrame  # [(condition, seed), (corruption, severity)], accuracies in percent


def corruption_table(
    accuracies: pd.DataFrame,
    values: pd.DataFrame,
    conditions: pd.DataFrame,
    *,
    smallest_differences: Mapping[str, float | str],
) -> pd.DataFrame:
    """Return each condition under each corruption at each severity, and against its baseline.

    Accuracies are in percent, means over the seeds that trained, with their standard errors.
    Differences are condition minus baseline in percentage points, with the interval and verdict
    of `differences.Difference`. Severity ``all`` is the mean over severities, corruption ``all``
    that over corruptions, and corruption ``none`` the same samples without.

    Rows of severity ``all`` have corruption errors in percent, with their intervals: Fieller's for
    one corruption, the delta method's for the mean over all. With the error E(f, c) = 100 -
    accuracy of f, mean over severities, the corruption error is E(f, c) / E(b, c), b the baseline;
    the relative one is (E(f, c) - E(f)) / (E(b, c) - E(b)), where E(f) is the error without
    corruption. That of all corruptions is the mean over them. Left
    out are those under which b makes no error, and of the relative ones those that cost it less
    than `LEAST_COST`; ``…_n`` counts the others.

    Args:
        accuracies: rows of `collect.corruption_accuracies`.
        values: rows of `summary.seed_values`, which say what trained.
        conditions: rows of `model_table.conditions_table`.
        smallest_differences: those of the study, by measure.

    Raises:
        InputError: a column is missing.
    """
    require(accuracies, [*RUN, "corruption", "severity", "accuracy"], "corruption_accuracies")
    require(values, [*RUN, "trained"], "values")
    require(conditions, [*CONDITION, "baseline", "matched"], "conditions")
    models = values[[*RUN, "trained"]].drop_duplicates(RUN)
    accuracies = accuracies.merge(models, on=RUN, how="left", validate="many_to_one")
    parts = []
    for (dataset, network), rows in accuracies.groupby(["dataset", "network"], sort=False):
        here = (conditions["dataset"] == dataset) & (conditions["network"] == network)
        origin = rows["origin"].iloc[-1]
        smallest = _smallest(MEASURES.get(origin, "corruption_accuracy"), smallest_differences)
        found = pd.DataFrame(_rows(rows, conditions[here].set_index("condition"), smallest))
        samples = {"samples": rows["n"].iloc[0], "origin": origin, "unit": "percent"}
        parts.append(found.assign(dataset=dataset, network=network, level=LEVEL, **samples))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table.reindex(columns=COLUMNS)


def _smallest(measure: str, own: Mapping[str, float | str]) -> SmallestDifference:
    """Return the smallest difference in corruption accuracy that matters."""
    frame = pd.DataFrame({"measure": [measure], "family": "evaluation", "unit": "percent"})
    return names_in(frame, own)[measure].smallest_difference


def _cells(rows: pd.DataFrame) -> Cells:
    """Return the accuracies of each network in percent, with means over severities and all."""
    rows = rows.assign(severity=rows["severity"].astype(str), accuracy=100 * rows["accuracy"])
    order = pd.MultiIndex.from_frame(rows[["corruption", "severity"]].drop_duplicates())
    cells = rows.set_index(["condition", "seed", *order.names])["accuracy"]
    cells = cells.unstack(order.names)[order]
    corrupted = cells.drop(columns=[CLEAN], errors="ignore")
    means = _means_by(corrupted, "corruption")
    means.columns = pd.MultiIndex.from_product([means.columns, [ALL]], names=order.names)
    over = _means_by(corrupted, "severity")
    over.columns = pd.MultiIndex.from_product([[ALL], over.columns], names=order.names)
    return cells.join([means, over]).join(corrupted.mean(axis=1, skipna=False).rename(MEAN))


def _means_by(corrupted: Cells, level: str) -> pd.DataFrame:
    """Return means over the other level; NaN where a network lacks a value, unlike others."""
    groups, lacks = corrupted.T.groupby(level, sort=False), corrupted.isna().T
    return groups.mean().mask(lacks.groupby(level, sort=False).any()).T


def _rows(
    rows: pd.DataFrame, conditions: pd.DataFrame, smallest: SmallestDifference
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a network on a data set; conditions are its own, by name."""
    models = rows.drop_duplicates(["condition", "seed"]).set_index(["condition", "seed"])
    # Of a network without values it is not known.
    trained = models["trained"].eq(True)
    untrained = trained[~trained].groupby("condition").size()
    cells = _cells(rows)
    cells = cells[trained.reindex(cells.index)]
    names = list(rows["condition"].unique())
    own = conditions.reindex(names)
    for name in names:
        pair = [name, own.loc[name, "baseline"]]
        matched = bool(own["matched"].reindex(pair).fillna(False).all())
        found, baseline = (
            cells[cells.index.get_level_values("condition") == each].droplevel("condition")
            for each in pair
        )
        said = dict(zip(("condition", "baseline"), pair, strict=True))
        said["left_out"] = int(untrained.reindex(pair).sum())
        compared = _compared(found, baseline, matched, smallest) if len(baseline) else {}
        for cell in cells:
            mean = mean_over_seeds(found[cell].to_numpy())
            place = dict(zip(("corruption", "severity"), cell, strict=True))
            place |= {"accuracy": mean.value, "standard_error": mean.error, "n": mean.df + 1}
            yield said | place | compared.get(cell, {})


def _compared(
    own: Cells, baseline: Cells, matched: bool, smallest: SmallestDifference
) -> dict[Cell, dict[str, Any]]:
    """Return what is known of a condition against its baseline by cell."""
    if matched:
        seeds = own.index.intersection(baseline.index)
        own, baseline = own.loc[seeds], baseline.loc[seeds]
    differences = _differences(own, baseline, matched, smallest)
    errors = _corruption_errors(own, baseline, matched)
    return {cell: differences[cell] | errors[cell] for cell in own}


def _differences(
    own: Cells, baseline: Cells, matched: bool, smallest: SmallestDifference
) -> dict[Cell, dict[str, Any]]:
    """Return the differences of cells from the baseline's; seeds are the same if matched."""
    if matched:
        floors = np.zeros(len(own.columns))
        found = single(paired(own.to_numpy(), baseline.to_numpy(), smallest, floors))
        baseline = baseline.where(own.notna())
    else:
        found = (welch(_mean(own[cell]), _mean(baseline[cell]), smallest) for cell in own)
    return {
        cell: {
            "baseline_accuracy": mean,
            "difference": float(difference.estimate.value),
            "difference_error": float(difference.estimate.error),
            **dict(zip(("lower", "upper"), difference.interval, strict=True)),
            "smallest_difference": float(difference.smallest),
            "verdict": difference.verdict,
        }
        for cell, mean, difference in zip(own, baseline.mean(), found, strict=True)
    }


def _mean(values: pd.Series) -> Estimate:
    return Estimate(*map(float, mean_over_seeds(values.to_numpy())))


def _corruption_errors(own: Cells, baseline: Cells, matched: bool) -> dict[Cell, dict[str, float]]:
    """Return corruption errors by cell; seeds are the same if matched."""
    names = [name for name, severity in own if severity == ALL and name != ALL]
    found: dict[Cell, dict[str, float]] = {cell: {} for cell in own}
    for kind in ERRORS:
        relative = kind == ERRORS[1]
        if relative and CLEAN not in own:
            continue
        errors, reference = (
            pd.DataFrame({name: _error(of, name, relative) for name in names})
            for of in (own, baseline)
        )
        mean = reference.mean()
        kept = list(mean.index[mean >= LEAST_COST if relative else mean > 0])
        for cell, chosen in [*(((name, ALL), [name]) for name in kept), (MEAN, kept)]:
            pair = [errors[chosen].dropna(), reference[chosen].dropna()]
            if matched:
                both = pair[0].index.intersection(pair[1].index)
                pair = [each.loc[both] for each in pair]
            numbers = _ratio(*pair, matched)
            ends = zip(("", "_lower", "_upper"), numbers, strict=True)
            found[cell] |= {f"{kind}{end}": number for end, number in ends}
            found[cell][f"{kind}_n"] = len(chosen)
    return found


def _error(accuracies: pd.DataFrame, name: str, relative: bool) -> pd.Series:
    """Return the error under a corruption in percent, relative: beyond that without, by seed."""
    return (accuracies[CLEAN] if relative else 100) - accuracies[name, ALL]


def _ratio(
    errors: pd.DataFrame, reference: pd.DataFrame, matched: bool
) -> tuple[float, float, float]:
    """Return 100 times the mean over corruptions of the ratios of means, and its interval.

    Of one corruption the interval is Fieller's. Of the mean of several ratios
    r(c) = mean of E(c) / mean of b(c), it is Student's, with the error of the delta method: that
    of the mean over c of (E(c) - r(c) b(c)) / mean of b(c).

    Args:
        errors: [seed, corruption].
        reference: likewise; of the same seeds, if they are matched.
        matched: whether seeds are pairs.
    """
    if errors.empty:
        return np.nan, np.nan, np.nan
    ratios = errors.mean() / reference.mean()
    if len(ratios) == 1:
        x, b = errors.iloc[:, 0], reference.iloc[:, 0]
        share = share_interval(x, b) if matched else welch_share_interval(_mean(x), _mean(b))
        return 100 * ratios.iloc[0], *(100 * (1 + end) for end in share)
    own = (errors / reference.mean()).mean(axis=1)
    base = (ratios * reference / reference.mean()).mean(axis=1)
    found = _mean(own - base) if matched else combined([(1.0, _mean(own)), (-1.0, _mean(base))])
    ends = t_interval(ratios.mean(), found.error, found.df)
    return 100 * ratios.mean(), *(100 * float(end) for end in ends)


def text(found: pd.DataFrame) -> Text:
    """Return the conditions and corruptions of each data set and network, and how to read them."""
    parts: list[pd.DataFrame | str] = []
    for (dataset, network), rows in found.groupby(["dataset", "network"], sort=False):
        title = f"{network} on {dataset}"
        parts += [_by_condition(rows, title), _by_corruption(rows, title)]
    compared = found["verdict"].notna().any()
    return [*parts, *([ABOUT_CONDITIONS, ABOUT_CORRUPTIONS] if compared else [ABOUT_ACCURACIES])]


def _by_condition(rows: pd.DataFrame, title: str) -> pd.DataFrame:
    """Return the means over all corruptions as a table, a condition a row."""
    single = rows[(rows["severity"] == ALL) & (rows["corruption"] != ALL)]
    count = single["corruption"].nunique()
    shown = []
    for row in rows[(rows["corruption"] == ALL) & (rows["severity"] == ALL)].itertuples():
        verdicts = single.loc[single["condition"] == row.condition, "verdict"]
        line = {
            "Condition": row.condition,
            "Accuracy (%)": format_estimate(row.accuracy, row.standard_error),
        }
        if verdicts.notna().any():
            better, worse = ((verdicts == verdict).sum() for verdict in (LARGER, SMALLER))
            line |= {
                "Difference (pp)": _difference(row),
                "Interval (pp)": _interval(row),
                "Corruption error (%)": _with_interval(row, ERRORS[0]),
                "Relative (%)": _with_interval(row, ERRORS[1]),
                "Surely better": f"{better} of {count}",
                "Surely worse": f"{worse} of {count}",
            }
        shown.append(line)
    said = " ".join(_facts(rows))
    title = f"{title}: all corruptions together, at all severities. {said}"
    return captioned(pd.DataFrame(shown).fillna(""), title)


def _facts(rows: pd.DataFrame) -> Iterator[str]:
    """Yield what a reader of the means has to know besides."""
    means = rows[(rows["corruption"] == ALL) & (rows["severity"] == ALL)]
    baselines = means["baseline"].dropna().unique()
    if len(baselines) == 1:
        yield f"Baseline: {baselines[0]}, whose corruption errors are 100 %."
    seeds, samples = count_seeds(means["n"].astype(int)), int(means["samples"].iloc[0])
    yield f"{seeds}, {samples} test samples."
    kept = means[f"{ERRORS[1]}_n"].dropna()
    if len(kept):
        yield f"Relative: mean over {span(kept.astype(int))} of the corruptions."
    if most := means["left_out"].max():
        yield f"Left out, since they did not train: up to {most} networks of a comparison."


def _by_corruption(rows: pd.DataFrame, title: str) -> pd.DataFrame:
    """Return the means over severities as a table, a corruption a row."""
    rows = rows[(rows["severity"] == ALL) | (rows["corruption"] == CLEAN[0])]
    compared = rows.loc[rows["verdict"].notna(), "condition"].unique()
    shown = []
    for name in rows["corruption"].unique():
        own = rows[rows["corruption"] == name].set_index("condition")
        line = {"Corruption": name}
        for condition in own.index:
            if condition not in compared:
                row = own.loc[condition]
                line[f"{condition} (%)"] = format_estimate(row["accuracy"], row["standard_error"])
        line |= {f"{each} (pp)": _difference(own.loc[each]) for each in compared}
        shown.append(line)
    return in_blocks(captioned(shown, f"{title}: each corruption, at all severities."))


def _difference(row: Any) -> str:
    """Return a difference with its error, bold if it is surely one that matters."""
    if pd.isna(row.difference):
        return ""
    text = format_estimate(row.difference, row.difference_error)
    return f"**{text}**" if row.verdict in (LARGER, SMALLER) else text


def _interval(row: Any) -> str:
    """Return the interval of a difference, if it has one."""
    if pd.isna(row.lower):
        return ""
    return f"[{format_number(row.lower, '.1f')}, {format_number(row.upper, '.1f')}]"


def _with_interval(row: Any, error: str) -> str:
    """Return a corruption error with its interval, if that has ends."""
    value, lower, upper = (getattr(row, f"{error}{end}") for end in ("", "_lower", "_upper"))
    if pd.isna(value) or pd.isna(lower):
        return "" if pd.isna(value) else format_number(value, ".1f")
    return format_interval(value, lower, upper, ".1f")
