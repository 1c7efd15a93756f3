"""Whether the sharpness of networks that learn toy functions mirrors that of the functions.

The statement tested is: the more curved a function, the sharper the networks that learn it, where
all have come to the same training loss (or epoch). A network that is below a loss after its first
epoch did not come to it, and is left out there. A point is a function, with the mean over the seeds
that got there: seeds repeat the same functions, and more of them are no further functions.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from ..toy.functions import toy_function
from .evidence import LEVEL, Evidence, all_of, unknown
from .measure_names import describe
from .numbers import format_interval, format_number, format_percent
from .rank_correlation import FEWEST, rank_correlation
from .render import Text, captioned, joined

PLACE = ["at", "value"]
# Of a function, as `curvature.own_curvature` gives them.
OWN = {
    "trace_at_minimum": "trace at the minimum",
    "eigenvalue_at_minimum": "eigenvalue at the minimum",
    "trace_over_domain": "trace over the domain",
    "eigenvalue_over_domain": "eigenvalue over the domain",
}
# Of networks: at each radius, and the same at all.
SAM = "sam_sharpness"
FIRST_EPOCH = 1
HESSIAN = ["hessian_top_eigenvalue", "hessian_trace"]
MEASURE = ["measure", "radius"]
POINT_COLUMNS = [
    *(*PLACE, "function", *MEASURE, "mean", "lowest", "highest", "seeds"),
    *("train_loss", "explained", *OWN, "variance"),
]
CORRELATION_COLUMNS = [
    *(*PLACE, "own", *MEASURE, "rho", "lower", "upper", "p_value", "n"),
    *("seed_lowest", "seed_highest", "note"),
]
COLUMNS = [
    *(*PLACE, "own", "n", "missing", "seeds", "rho_lowest", "rho_highest"),
    *("verdict", "p_for", "p_against", "note"),
]


def mirror_tables(toy_fits: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return verdicts, the correlations that they rest on, and the points of these.

    Args:
        toy_fits: rows of `toy_fits.fits_table`.

    Returns:
        toy_mirror: a verdict for each loss and epoch and each reading of a function's own
            curvature, on the SAM-sharpness at all radii together (`evidence.all_of`); ``missing``
            names the functions whose networks did not get there, or lack a finite sharpness at
            some radius, and ``n`` is the least number of functions at a radius.
        toy_mirror_correlations: Spearman's ρ over functions of each measure of sharpness with each
            reading, with exact p-value and interval (`rank_correlation.rank_correlation`);
            ``seed_lowest`` and ``seed_highest`` are the least and the most of single seeds.
        toy_mirror_points: mean and range over seeds of each measure of a function's networks,
            ``explained``, the share of the function's variance that they have learnt, and the
            function's own curvature.
    """
    values = _seed_values(toy_fits)
    points = _points(values)
    of_places = values.groupby(PLACE, sort=False)
    rows = []
    for place, group in points.groupby(PLACE, sort=False):
        seeds = of_places.get_group(place)
        for own in OWN:
            for measure, part in group.groupby(MEASURE, sort=False, dropna=False):
                row = dict(zip([*PLACE, "own", *MEASURE], (*place, own, *measure), strict=True))
                rows.append(row | _correlation(part, _of_measure(seeds, measure), own))
    correlations = pd.DataFrame(rows, columns=CORRELATION_COLUMNS)
    functions = list(toy_fits["function"].unique())
    verdicts = pd.DataFrame(_verdicts(points, correlations, functions), columns=COLUMNS)
    return verdicts, correlations, points


def _seed_values(toy_fits: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each network, measure and radius, with the measure as ``sharpness``."""
    places = toy_fits.groupby(PLACE, sort=False).ngroup()
    reached = toy_fits.assign(measure=SAM, place=places).dropna(subset="epoch")
    reached = reached[reached["at"].ne("loss") | reached["epoch"].gt(FIRST_EPOCH)]
    # Losses before epochs: what is compared there does not depend on the functions' scale.
    reached = reached.sort_values(["at", "place"], ascending=[False, True], kind="stable")
    networks = reached.drop_duplicates([*PLACE, "function", "seed"]).assign(radius=math.nan)
    of_hessian = [networks.assign(measure=name, sharpness=networks[name]) for name in HESSIAN]
    return pd.concat([reached, *of_hessian], ignore_index=True)


def _points(values: pd.DataFrame) -> pd.DataFrame:
    # Here, so that figures and texts do without torch.
    from ..toy.curvature import own_curvature

    groups = values.groupby([*PLACE, "function", *MEASURE], sort=False, dropna=False)
    points = groups["sharpness"].agg(mean="mean", lowest="min", highest="max", seeds="count")
    points["train_loss"] = groups["train_loss"].mean()
    points = points.reset_index()
    for column in (*OWN, "variance"):
        points[column] = [own_curvature(name)[column] for name in points["function"]]
    points["explained"] = 1 - points["train_loss"] / points["variance"]
    return points.reindex(columns=POINT_COLUMNS)


def _of_measure(values: pd.DataFrame, measure: tuple[str, float]) -> pd.DataFrame:
    name, radius = measure
    same = values["radius"].isna() if math.isnan(radius) else values["radius"] == radius
    return values[(values["measure"] == name) & same]


def _correlation(points: pd.DataFrame, seeds: pd.DataFrame, own: str) -> dict:
    """Return the correlation of functions' means with their own curvature, and that of seeds."""
    found = rank_correlation(points[own], points["mean"], (OWN[own], "the sharpness of networks"))
    of_function = points.set_index("function")[own]
    of_seeds = pd.Series(
        [
            rank_correlation(of_function[rows["function"]], rows["sharpness"])["value"]
            for _, rows in seeds.groupby("seed")
        ]
    )
    rho = found.pop("value")
    return found | {
        "rho": rho,
        "seed_lowest": of_seeds.min(),
        "seed_highest": of_seeds.max(),
        "note": found["note"].replace("conditions", "functions"),
    }


def _verdicts(
    points: pd.DataFrame, correlations: pd.DataFrame, functions: Sequence[str]
) -> Iterator[dict]:
    """Yield a verdict for each place and reading of a function's own curvature."""
    of_places = points.groupby(PLACE, sort=False)
    of_sam = correlations[correlations["measure"] == SAM]
    for key, rows in of_sam.groupby([*PLACE, "own"], sort=False):
        there = of_places.get_group(key[:2])
        there = there[there["measure"] == SAM]
        lack = set(there.loc[~np.isfinite(there["mean"]), "function"])
        lack |= set(functions) - set(there["function"])
        evidence = all_of([_evidence(row) for row in rows.itertuples()])
        yield {
            **dict(zip([*PLACE, "own"], key, strict=True)),
            "n": rows["n"].min(),
            "missing": " ".join(name for name in functions if name in lack),
            "seeds": there.loc[~there["function"].isin(lack), "seeds"].min(),
            "rho_lowest": rows["rho"].min(),
            "rho_highest": rows["rho"].max(),
            "verdict": evidence.verdict,
            "p_for": evidence.p_for,
            "p_against": evidence.p_against,
            "note": joined(rows["note"]),
        }


def _evidence(row: tuple) -> Evidence:
    """Return the evidence that a correlation is above zero, one side of its two-sided test."""
    if np.isnan(row.p_value):
        return unknown(row.note)
    half = row.p_value / 2
    return Evidence(half, 1 - half) if row.rho > 0 else Evidence(1 - half, half)


CAPTION = (
    "Spearman's rank correlation over functions of the sharpness of networks (mean over the seeds"
    f" that got there) with the function's own curvature, with its {100 * LEVEL:.0f} % interval"
    f" from {FEWEST} functions on. Curvature is the Hessian's trace and its largest eigenvalue,"
    " named where their results differ; over the domain it is the mean of absolute values. Bold:"
    " sure by itself. S is SAM-sharpness at radius ρ. The verdict is on the statement that sharper"
    " functions have sharper networks at all radii. Each verdict is by itself: of many, some are"
    " wrong by chance. Left out are functions whose networks did not get there, were below the loss"
    " after their first epoch already, or have no finite sharpness at some radius."
)
LEARNT_CAPTION = (
    "The functions' own curvature, and the share of their variance that the networks have learnt"
    " where they first reach a loss, 1 − loss / variance; below zero they are worse than the"
    " function's mean. A dash: not reached, or below it after the first epoch."
)


def text(verdicts: pd.DataFrame, correlations: pd.DataFrame, points: pd.DataFrame) -> Text:
    """Return the tables of `mirror_tables` for readers."""
    if verdicts.empty:
        return ["No network reached an epoch or a loss to compare functions at."]
    cells = correlations.set_index([*PLACE, "own"])
    rows: dict[tuple, dict[str, str]] = {}
    # In a file, no names are a missing value.
    for found in verdicts.fillna({"missing": ""}).itertuples():
        missing = ", ".join(toy_function(name).label for name in found.missing.split())
        row = {
            "Networks at": _place(found.at, found.value),
            "Functions": f"{found.n}",
            **{
                _label(cell): _correlation_text(cell)
                for cell in cells.loc[(found.at, found.value, found.own)].itertuples()
            },
            "Verdict": found.verdict,
            "Left out": missing or "—",
        }
        # Readings of a function's curvature that put functions in the same order are one row.
        shared = rows.setdefault(tuple(row.values()), row | {"Own curvature": []})
        shared["Own curvature"].append(OWN[found.own])
    first = ["Networks at", "Own curvature", "Functions"]
    table = pd.DataFrame(rows.values())
    table["Own curvature"] = table["Own curvature"].map(_readings)
    table = table[[*first, *(column for column in table if column not in first)]]
    return [captioned(table, CAPTION), captioned(_learnt(points), LEARNT_CAPTION)]


def _readings(labels: Sequence[str]) -> str:
    """Return labels of `OWN` as one, of which trace and eigenvalue of the same place are short."""
    text = "; ".join(labels)
    for place in ("at the minimum", "over the domain"):
        text = text.replace(f"trace {place}; eigenvalue {place}", place)
    return text


def _place(at: str, value: float) -> str:
    return f"epoch {value:g}" if at == "epoch" else f"loss ≤ {value:g}"


def _label(cell: tuple) -> str:
    if math.isnan(cell.radius):
        return describe(cell.measure, "sharpness").label
    return f"S, ρ = {cell.radius:g}"


def _correlation_text(cell: tuple) -> str:
    if np.isnan(cell.lower):
        return format_number(cell.rho, ".2f")
    shown = format_interval(cell.rho, cell.lower, cell.upper, ".2f")
    return f"**{shown}**" if cell.p_value <= 1 - LEVEL else shown


def _learnt(points: pd.DataFrame) -> list[dict[str, str]]:
    """Return a row for each function: its curvature, variance and what was learnt at losses."""
    at_losses = points[points["at"] == "loss"].drop_duplicates(["function", "value"])
    learnt = at_losses.set_index(["function", "value"])["explained"]
    losses = at_losses["value"].unique()
    rows = []
    for _, row in points.drop_duplicates("function").iterrows():
        cells = {"Function": toy_function(row["function"]).label}
        for column, label in {**OWN, "variance": "variance"}.items():
            cells[label[0].upper() + label[1:]] = format_number(row[column], ".4g")
        for loss in losses:
            share = learnt.get((row["function"], loss), np.nan)
            cells[f"Learnt, loss ≤ {loss:g}"] = format_percent(share, ".1f")
        rows.append(cells)
    return rows
