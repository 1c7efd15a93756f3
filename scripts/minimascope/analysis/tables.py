"""The papers' tables of a summary over seeds, as text."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ..attacks.spec import Named
from ..registry import INITIAL
from .measure_names import HIGHER, LOWER, MEASURES, MeasureName, measures_of
from .numbers import MISSING, count_seeds, format_estimate, format_number, has_power, span
from .render import Text, fitting, in_blocks

NETWORK = ["dataset", "network"]
MAIN_MEASURES = (
    *("generalisation_gap", "test_accuracy", "accuracy_in_domain", "accuracy_out_of_domain"),
    *("domain_gap", "test_ece", "corruption_accuracy", "corruption_accuracy_generated"),
    *("shifted_accuracy", "unseen_auroc"),
    *("prediction_disagreement", "fisher_rao_norm", "sam_sharpness", "relative_flatness"),
    "asc_sharpness",
)
# Beside their corrected twins in the table of sharpness.
PUBLISHED_MEASURES = (
    *("fisher_rao_norm_l5", "sam_sharpness_published", "sam_sharpness_null"),
    *("relative_flatness_published", "hessian_smallest_eigenvalue"),
    *("asc_sharpness_max", "asc_sharpness_cv"),
)
# A value this many times its noise floor or less is marked.
FLOORS = 2
BELOW_FLOOR, NOT_CONVERGED, UNTRAINED = "†", "‡", "§"
MARKS = {
    BELOW_FLOOR: f"less than {FLOORS} times its noise floor, which is its own standard error,"
    " rounding, or the null of the published procedure.",
    NOT_CONVERGED: "in at least one seed the solver stopped before all that it was asked for had"
    " converged, so that the outermost eigenvalue may be missing; or, of attacks, gradients are"
    " masked, so that the network may withstand less than it seems (the doubts in adversarial.json"
    " say why).",
}
# The same in a table of numbers.
NOTES = {
    BELOW_FLOOR: f"below {FLOORS} noise floors",
    NOT_CONVERGED: "solver not converged, or gradients masked",
    UNTRAINED: "networks that did not train",
}
NO_BEST = "since a gap is near zero also where a network learnt nothing"
LEFT_OUT = (
    f"{MISSING}: no value; where a measure was left out, details.left_out in its document"
    " (measures/<data set>/<network>/<condition>/seed<seed>/<family>.json) says why."
)
NO_SHARPNESS = "No measure of sharpness was taken."
RADII = "Radii are in units of the inputs; those of pictures in bytes are fractions of their range."
RADII_IN_DB = "Radii are in dB of the log-mels."
NUMBER_COLUMNS = [
    *(*NETWORK, "condition", "view", "measure", "mean", "standard_error", "n_seeds"),
    *("n_untrained", "noise_floor", "unit", "protocol", "n", "extreme", "notes"),
]


def at_minima(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of trained networks, clean data where there are both views; see `in_view`."""
    return in_view(frame[frame["condition"] != INITIAL], "clean")


def in_view(frame: pd.DataFrame, view: str) -> pd.DataFrame:
    """Return rows of one view of the data each: the one asked for, or the other where it is alone.

    A table without measures, such as that of landscapes, is of one.
    """
    keys = [key for key in (*NETWORK, "condition", "measure") if key in frame]
    wanted = frame["view"] == view
    return frame[wanted | ~wanted.groupby([frame[key] for key in keys]).transform("any")]


def main_tables(summary: pd.DataFrame) -> pd.DataFrame:
    """Return what the `main_table` of each network shows, as numbers; see `_numbers`."""
    return _in_one(summary, _of_main)


def main_text(summary: pd.DataFrame) -> Text:
    """Return the `main_table` of each network, with a block for each kind of measures."""
    tables = [*_of_networks(main_table, summary).values()]
    for table in tables:
        kinds = {name.column_label: name.category for name in MEASURES.values()}
        blocks = [[c for c in table if kinds[c] == kind] for kind in ("evaluation", "sharpness")]
        table.attrs["blocks"] = [columns for columns in blocks if columns]
    return tables


def sharpness_tables(summary: pd.DataFrame) -> pd.DataFrame:
    """Return what the `sharpness_table` of each network shows, as `main_tables` does."""
    return _in_one(summary, _of_sharpness)


def sharpness_text(summary: pd.DataFrame) -> Text:
    """Return the `sharpness_table` of each network that has any, in blocks that fit on a page."""
    tables = _of_networks(sharpness_table, _measured(summary)).values()
    return [in_blocks(table) for table in tables] or [NO_SHARPNESS]


def adversarial_tables(summary: pd.DataFrame) -> pd.DataFrame:
    """Return what the `adversarial_table` of each network shows, as `main_tables` does."""
    return _in_one(summary, _of_attacks)


def adversarial_text(summary: pd.DataFrame) -> Text:
    """Return the `adversarial_table` of each network, in blocks that fit on a page."""
    return [in_blocks(table) for table in _of_networks(adversarial_table, summary).values()]


def main_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the papers' table of one network: a row per condition, a column per measure.

    Cells read ``mean ± standard error``. The best value of an evaluation and the largest (the
    sharpest) of a sharpness measure are in ``**``; means equal to it as published are marked too. A
    gap has no best value: it is near zero also where a network learnt nothing.
    A dagger marks a mean of less than twice its noise floor, a double one a solver that stopped
    early, and § a condition of which a network did not train; such a condition is not in ``**``.
    Measures without any value have no column. ``table.attrs["caption"]`` explains the marks.

    Args:
        rows: of a `summary.summarise`, those of the network.
    """
    minima, names, conditions = _of_main(rows)
    table = _table(minima, names, conditions).reindex(conditions)
    parts = [_over_seeds(minima, rows)]
    if "prediction_disagreement" in names:
        parts.append(_over_pairs(minima[minima["measure"] == "prediction_disagreement"]))
    marked = [name for name in names.values() if not name.has_extreme or _has_bold(table, name)]
    return _captioned(table, [*parts, _bold(marked), *_untrained(minima)])


def sharpness_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return all measures of sharpness of one network, with their published twins and floors.

    Rows are conditions, augmented views of their data and the initial weights; see `main_table`.
    """
    rows, names, compared = _of_sharpness(rows)
    table = _table(rows, names, compared).reindex(rows["condition"].unique())
    parts = [_over_seeds(rows, rows)]
    if any("published" in name.label for name in names.values()):
        parts.append("Published: as the papers' code computed it.")
    if "sam_sharpness_null" in names:
        parts.append("SAM-sharpness, null, is the published procedure without any perturbation.")
    parts += _samples(rows, names)
    if table.eq(MISSING).any(axis=None):
        parts.append(LEFT_OUT)
    return _captioned(table, [*parts, "Bold: the sharpest.", *_untrained(rows)])


def adversarial_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return what attacks on the inputs of one network show; see `main_table`."""
    minima, names, conditions = _of_attacks(rows)
    table = _table(minima, names, conditions).reindex(conditions)
    of_log_mels = any(Named.parse(measure).recordings for measure in names)
    radii = RADII_IN_DB if of_log_mels else RADII
    parts = [_over_seeds(minima, rows), *_attacked(minima), radii]
    bold = _bold([name for name in names.values() if _has_bold(table, name)])
    return _captioned(table, [*parts, *([bold] if bold else []), *_untrained(minima)])


# The rows of a network that a table shows, its measures, and the conditions that are compared.
Shown = tuple[pd.DataFrame, Mapping[str, MeasureName], Sequence[str]]


def _of_main(rows: pd.DataFrame) -> Shown:
    minima = at_minima(rows)
    conditions = minima["condition"].unique()
    minima = minima[minima["measure"].isin(MAIN_MEASURES)]
    names = {m: MEASURES[m] for m in MAIN_MEASURES if m in set(minima["measure"])}
    return minima, names, conditions


def _of_attacks(rows: pd.DataFrame) -> Shown:
    minima = at_minima(rows)
    conditions = minima["condition"].unique()
    minima = minima[minima["measure"].map(Named.parse).notna()]
    return minima, measures_of(minima, "evaluation"), conditions


def _measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of families of measures, the user's own among them."""
    return rows[rows["family"] != "evaluation"]


def _of_sharpness(rows: pd.DataFrame) -> Shown:
    compared = at_minima(rows)["condition"].unique()
    rows = _measured(rows)
    labels = [
        condition if view == "clean" else f"{condition} ({view} data)"
        for condition, view in zip(rows["condition"], rows["view"], strict=True)
    ]
    rows = rows.assign(condition=labels)
    names = measures_of(rows, "sharpness", "complexity")
    names |= {m: MEASURES[m] for m in PUBLISHED_MEASURES if m in set(rows["measure"])}
    return rows[rows["measure"].isin(names)], names, compared


def _in_one(summary: pd.DataFrame, shown: Callable[[pd.DataFrame], Shown]) -> pd.DataFrame:
    """Return one row per network, condition and measure that a table shows.

    Columns are `NUMBER_COLUMNS`: of a summary, ``standard_error`` its ``sem``; ``extreme`` is
    ``best`` or ``sharpest`` where a table has bold, and ``notes`` says in words what it marks.
    """
    found = []
    for _, rows in summary.groupby(NETWORK, sort=False):
        # Tables name the view of the data together with the condition.
        rows, names, compared = shown(rows.assign(plain=rows["condition"]))
        for measure, name in names.items():
            own = rows[rows["measure"] == measure].set_index("condition", drop=False)
            best = "sharpest" if name.category == "sharpness" else "best"
            extreme = own.index.isin(_extremes(own, name, compared))
            found.append(
                own.rename(columns={"sem": "standard_error"}).assign(
                    condition=own["plain"],
                    extreme=[best if marked else "" for marked in extreme],
                    notes=["; ".join(NOTES[mark] for mark in marks) for marks in _marks(own)],
                )
            )
    if not found:
        return pd.DataFrame(columns=NUMBER_COLUMNS)
    return pd.concat(found, ignore_index=True)[NUMBER_COLUMNS]


def _of_networks(
    table: Callable[[pd.DataFrame], pd.DataFrame], summary: pd.DataFrame
) -> dict[tuple[str, str], pd.DataFrame]:
    return {names: table(rows) for names, rows in summary.groupby(NETWORK, sort=False)}


def _over_seeds(shown: pd.DataFrame, rows: pd.DataFrame) -> str:
    dataset, network = rows[NETWORK].iloc[0]
    return f"{network} on {dataset}: mean ± standard error over {count_seeds(shown['n_seeds'])}."


def _samples(rows: pd.DataFrame, names: Mapping[str, MeasureName]) -> list[str]:
    """Return how many samples are behind a value, where that depends on the measure."""
    known = rows[rows["n"].notna()]
    by_count: dict[str, list[str]] = {}
    for measure, counts in known.groupby("measure", sort=False)["n"]:
        by_count.setdefault(span(counts.astype(int)), []).append(names[measure].label)
    if len(by_count) < 2:
        return []
    most = max(by_count, key=lambda count: len(by_count[count]))
    others = [f"{c} of {', '.join(found)}" for c, found in by_count.items() if c != most]
    return [f"Samples behind a value: {most}, but {'; '.join(others)}."]


def _attacked(rows: pd.DataFrame) -> list[str]:
    """Return how many samples were attacked, and what that means for an accuracy."""
    counts = rows["n"].dropna().astype(int)
    if counts.empty:
        return []
    error = format_number(0.5 / np.sqrt(counts.min()), ".2g")
    return [
        f"Of {span(counts)} attacked test samples, the same for all networks: ± does not count"
        " which these are. Of so many an accuracy a has a binomial standard error"
        f" √(a (1 − a) / n), up to {error}, besides."
    ]


def _over_pairs(rows: pd.DataFrame) -> str:
    alone = rows["mean"].notna() & rows["sem"].isna()
    error = "jackknife standard error" + ("; one pair of seeds has none" if alone.any() else "")
    return f"Prediction disagreement: over pairs of seeds, {error}."


def _has_bold(table: pd.DataFrame, name: MeasureName) -> bool:
    return bool(table[name.column_label].str.contains("**", regex=False).any())


def _untrained(rows: pd.DataFrame) -> list[str]:
    """Return what § means and which conditions it marks in how many seeds, if any."""
    most = rows.groupby("condition", sort=False)[["n_untrained", "n_seeds"]].max()
    found = [
        f"{condition} in {row.n_untrained} of {count_seeds(pd.Series([row.n_seeds]))}"
        for condition, row in most[most["n_untrained"] > 0].iterrows()
    ]
    if not found:
        return []
    return [
        f"{UNTRAINED}: the network did not train ({', '.join(found)}; tables/trained says why);"
        " never in bold."
    ]


def _bold(names: Sequence[MeasureName]) -> str:
    """Return which value of each measure is in bold, in words."""
    extremes = {
        "the highest": [n.label for n in names if n.direction == HIGHER],
        "the lowest": [n.label for n in names if n.direction == LOWER],
        "the largest (the sharpest)": [n.label for n in names if n.category == "sharpness"],
    }
    which = [f"{extreme} {', '.join(labels)}" for extreme, labels in extremes.items() if labels]
    without = [n.label for n in names if not n.has_extreme]
    none = f" {', '.join(without)}: none is best, {NO_BEST}." if without else ""
    bold = f"Bold: {'; '.join(which)}." if which else ""
    return f"{bold}{none}".strip()


def _captioned(table: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """Add a caption that ends with what the marks in the table mean."""
    cells = "".join(table.astype(str).to_numpy().ravel())
    marks = (f"{mark}: {meaning}" for mark, meaning in MARKS.items() if mark in cells)
    table.attrs["caption"] = fitting(" ".join([*parts, *marks]), table)
    return table


def _table(
    rows: pd.DataFrame, names: Mapping[str, MeasureName], compared: Iterable[str]
) -> pd.DataFrame:
    """Return the formatted cells of a summary's rows, conditions × measures.

    The extreme value of each measure is marked among the conditions that are compared.
    """
    by_measure = dict(iter(rows.groupby("measure")))
    columns = {
        name.column_label: _column(by_measure[measure].set_index("condition"), name, compared)
        for measure, name in names.items()
    }
    return pd.DataFrame(columns).rename_axis("Condition").fillna(MISSING)


def _column(rows: pd.DataFrame, name: MeasureName, compared: Iterable[str]) -> pd.Series:
    """Return the cells of one measure by condition, the extreme and the doubtful ones marked."""
    powers = _has_powers(rows)
    cells = [format_estimate(*row, powers) for row in zip(rows["mean"], rows["sem"], strict=True)]
    cells = pd.Series(cells, index=rows.index, dtype=object)
    best = _extremes(rows, name, compared)
    cells[best] = "**" + cells[best] + "**"
    return cells + ["".join(f" {mark}" for mark in marks) for marks in _marks(rows)]


def _extremes(rows: pd.DataFrame, name: MeasureName, compared: Iterable[str]) -> pd.Index:
    """Return the conditions with the best or sharpest mean, or with one that is published alike.

    Means without any standard error have none.
    """
    means = rows["mean"][rows.index.isin(compared) & (rows["n_untrained"] == 0)]
    if means.count() < 2 or not name.has_extreme or rows["sem"].isna().all():
        return means.index[:0]
    extreme = means.idxmin() if name.direction == LOWER else means.idxmax()
    error, powers = rows["sem"][extreme], _has_powers(rows)
    published = means.map(lambda mean: format_estimate(mean, error, powers))
    best = means.index[published == published[extreme]]
    # Where all are alike none is the best.
    return best if len(best) < means.count() else best[:0]


def _has_powers(rows: pd.DataFrame) -> bool:
    """Return whether the cells of a column have powers of ten: all of them, or none."""
    return any(map(has_power, rows["mean"], rows["sem"]))


def _marks(rows: pd.DataFrame) -> list[list[str]]:
    """Return the marks of each row of a summary."""
    marked = {
        BELOW_FLOOR: rows["mean"].abs() < FLOORS * rows["noise_floor"],
        NOT_CONVERGED: ~rows["converged"],
        UNTRAINED: rows["n_untrained"] > 0,
    }
    return [[mark for mark in marked if marked[mark].iloc[i]] for i in range(len(rows))]
