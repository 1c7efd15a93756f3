"""From the documents of all runs to one tidy table."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from ..errors import InputError

RUN = ["dataset", "network", "condition", "seed"]
COLUMNS = [
    *RUN,
    "view",
    "family",
    "measure",
    "value",
    "unit",
    "protocol",
    "n",
    "standard_error",
    "noise_floor",
    "converged",
    "seconds",
]
PROVENANCE_COLUMNS = [*RUN, "view", "family", "seconds", "device", "model", "data"]
DOMAIN_COLUMNS = [*RUN, "kind", "name", "seen", "accuracy", "n"]


def tidy(documents: Mapping[str, Mapping[str, Any]], calibration: pd.DataFrame) -> pd.DataFrame:
    """Return one row per number: what it is of, its value and what it is worth.

    Besides the documents' measures it holds the generalisation gap: training accuracy, on each
    view of the training data, minus test accuracy, in percentage points.

    Args:
        documents: by the path they were read from (see `measurement.document`).
        calibration: rows of the same shape for measures that were computed together.

    Raises:
        InputError: a document lacks what every document has; names its path.
    """
    table = pd.concat([_rows(documents, _measures, "document of measures"), calibration])
    table = table.astype({"seed": int})
    return pd.concat([table, _generalisation_gap(table)])[COLUMNS].reset_index(drop=True)


def provenance(documents: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per document: how long it took on what, and hashes of its model and data.

    Args:
        documents: by the path they were read from.

    Raises:
        InputError: a document lacks what every document has; names its path.
    """
    rows = _rows(documents, _origin, "document of measures")
    return rows[PROVENANCE_COLUMNS].astype({"seed": int})


def domain_table(documents: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return the accuracy of every model in every domain and city.

    Args:
        documents: evaluations by the path they were read from.

    Returns:
        Columns ``dataset``, ``network``, ``condition``, ``seed``, ``kind`` (``domain`` or
        ``city``), ``name``, ``seen`` (empty for a city), ``accuracy`` (a fraction) and ``n``.

    Raises:
        InputError: a document says nothing about domains; names its path.
    """
    rows = _rows(documents, _domains, "evaluation with domains")
    return rows[DOMAIN_COLUMNS].astype({"seed": int})


def _rows(
    documents: Mapping[str, Mapping[str, Any]],
    rows_of: Callable[[Mapping[str, Any]], list[dict[str, Any]]],
    kind: str,
) -> pd.DataFrame:
    rows = []
    for path, content in documents.items():
        try:
            rows += rows_of(content)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}: no {kind} ({error} is missing); delete it and run again"
            ) from error
    return pd.DataFrame(rows)


def _measures(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    origin = content["run"] | {key: content[key] for key in ("view", "family", "seconds")}
    return [origin | measurement for measurement in content["measures"]]


def _origin(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = ("view", "family", "seconds", "device", "model", "data")
    return [content["run"] | {key: content[key] for key in own}]


def _domains(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [content["run"] | row for row in content["details"]["domains"]]


def _generalisation_gap(table: pd.DataFrame) -> pd.DataFrame:
    train, test = (
        table[table.measure == measure] for measure in ("train_accuracy", "test_accuracy")
    )
    both = train.merge(test, on=RUN, suffixes=("", "_test"))
    return both.assign(
        value=100 * (both.value - both.value_test),
        family="evaluation",
        measure="generalisation_gap",
        unit="percentage points",
        protocol="corrected",
        n=both.n_test,
        standard_error=None,
        noise_floor=None,
        seconds=0.0,
    )
