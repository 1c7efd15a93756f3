"""Accuracy on shifted test sets, and what of it clean accuracy does not explain.

Networks that are more accurate on clean data usually are on shifted data, too, along a line on the
logit scale (Recht et al. 2019, arXiv:1902.10811). Effective robustness is what a network has beyond
that line (Taori et al. 2020, arXiv:2007.00644, §2).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

from .collect import RUN
from .model_table import CONDITION, require
from .numbers import count_seeds, format_estimate, format_number
from .render import Text, captioned
from .wording import counted

SET = ["dataset", "set"]
# Fewer networks lie on a line, or nearly so.
FEWEST = 3
NUMBERS = ("clean_accuracy", "accuracy", "effective_robustness", "ece", "nll")
POINT_COLUMNS = [
    *(*RUN, "set", "trained", "clean_accuracy", "clean_n", "accuracy", "n", "classes"),
    *("ece", "nll", "expected", "effective_robustness"),
]
COLUMNS = [
    *(*CONDITION, "set", *(f"{name}{end}" for name in NUMBERS for end in ("", "_error"))),
    *("n_seeds", "n", "classes", "slope", "intercept", "n_networks"),
]
ABOUT = (
    "Clean: accuracy on the samples of the data set's own test split that are of the shifted set's"
    " classes. ± is the standard error over seeds, of networks that trained. Effective robustness:"
    " accuracy minus what the line through all networks expects at their clean accuracy (Taori et"
    " al. 2020), in percentage points. The line is the least-squares one between logits of both"
    " accuracies, each with half a sample more right and half a sample more wrong, as has the"
    " accuracy that is compared with it; it is through the very networks that it is compared with,"
    " so that their mean residual is about zero."
)


class Line(NamedTuple):
    """logit(shifted accuracy) = intercept + slope · logit(clean accuracy), over ``n`` networks."""

    intercept: float
    slope: float
    n: int

    def expected(self, clean: np.ndarray) -> np.ndarray:
        """Return the shifted accuracies at logits of clean ones."""
        return special.expit(self.intercept + self.slope * clean)


def empirical_logit(accuracy: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return log((k + ½) / (n - k + ½)) of k right samples of n: finite where all are right."""
    right = np.asarray(accuracy) * n
    return np.log((right + 0.5) / (n - right + 0.5))


def fitted_line(clean: np.ndarray, shifted: np.ndarray) -> Line:
    """Return the least-squares line between two logits; NaN with too few networks or one x.

    Networks without a clean accuracy, as of classes that the test split lacks, do not count.
    """
    clean, shifted = clean[known := np.isfinite(clean)], shifted[known]
    if len(clean) < FEWEST or np.ptp(clean) == 0:
        return Line(np.nan, np.nan, len(clean))
    slope, intercept = np.polyfit(clean, shifted, 1)
    return Line(float(intercept), float(slope), len(clean))


def shifted_tables(
    accuracies: pd.DataFrame, values: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return means over seeds of conditions on each shifted set, and the networks behind them.

    ``effective_robustness`` is in percentage points, ``nll`` in nats, the others are fractions. It
    compares the very accuracies with the line that this is through, those of `empirical_logit`.
    Lines are through networks that trained, each on its own, of all networks of a data set.

    Args:
        accuracies: rows of `evaluation.other_sets.shifted_rows`.
        values: rows of `summary.seed_values`, which say what trained.

    Raises:
        InputError: a column is missing.
    """
    require(accuracies, [*RUN, "set", "accuracy", "clean_accuracy", "clean_n"], "shifted")
    require(values, [*RUN, "trained"], "values")
    models = values[[*RUN, "trained"]].drop_duplicates(RUN)
    points = accuracies.merge(models, on=RUN, how="left", validate="many_to_one")
    points["trained"] = points["trained"].eq(True)
    parts, lines = [], []
    for names, rows in points.groupby(SET, sort=False):
        clean = empirical_logit(rows["clean_accuracy"], rows["clean_n"])
        shifted, trained = empirical_logit(rows["accuracy"], rows["n"]), rows["trained"]
        line = fitted_line(clean[trained].to_numpy(), shifted[trained].to_numpy())
        expected = line.expected(clean)
        beyond = 100 * (special.expit(shifted) - expected)
        parts.append(rows.assign(expected=expected, effective_robustness=beyond))
        about = dict(zip(SET, names, strict=True))
        lines.append(
            about | {"slope": line.slope, "intercept": line.intercept, "n_networks": line.n}
        )
    points = pd.concat(parts, ignore_index=True)[POINT_COLUMNS]
    return _means(points, pd.DataFrame(lines)), points


def _means(points: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    kept = points[points["trained"]]
    numbers = {name: (name, "mean") for name in NUMBERS}
    numbers |= {f"{name}_error": (name, "sem") for name in NUMBERS}
    counts = {"n_seeds": ("seed", "nunique"), "n": ("n", "first"), "classes": ("classes", "first")}
    means = kept.groupby([*CONDITION, "set"], sort=False).agg(**numbers, **counts).reset_index()
    return means.merge(lines, on=SET, how="left")[COLUMNS]


def text(found: pd.DataFrame) -> Text:
    """Return a table for each shifted set, and how to read them."""
    if found.empty:
        return ["No network that trained was tested on a shifted set."]
    return [*(_table(rows, *names) for names, rows in found.groupby(SET, sort=False)), ABOUT]


def _table(rows: pd.DataFrame, dataset: str, name: str) -> pd.DataFrame:
    shown = [
        {
            "Network, condition": f"{row.network}, {row.condition}",
            "Clean (%)": format_estimate(100 * row.clean_accuracy, 100 * row.clean_accuracy_error),
            "Accuracy (%)": format_estimate(100 * row.accuracy, 100 * row.accuracy_error),
            "Effective robustness (pp)": format_estimate(
                row.effective_robustness, row.effective_robustness_error
            ),
            "ECE": format_estimate(row.ece, row.ece_error),
            "NLL (nats)": format_estimate(row.nll, row.nll_error),
        }
        for row in rows.itertuples()
    ]
    return captioned(shown, " ".join(_facts(rows, f"{name}, for {dataset}")))


def _facts(rows: pd.DataFrame, title: str) -> Iterator[str]:
    first = rows.iloc[0]
    seeds = count_seeds(rows["n_seeds"])
    samples = counted(first["n"], "sample")
    yield f"{title}: {samples} of {counted(first['classes'], 'class', 'classes')}, {seeds}."
    if pd.isna(first["slope"]):
        yield "No line: fewer than three networks that trained, or all of one clean accuracy."
    else:
        slope, at = (format_number(first[name], ".2f") for name in ("slope", "intercept"))
        yield f"Line over {first['n_networks']} networks: slope {slope}, intercept {at}."
