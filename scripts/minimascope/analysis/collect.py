"""From the documents of all runs to one tidy table."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..errors import InputError

RUN = ["dataset", "network", "condition", "seed"]
COLUMNS = [
    *(*RUN, "view", "family", "measure", "value", "unit", "protocol", "n"),
    *("standard_error", "noise_floor", "converged", "seconds"),
]
# Of a document, besides its measures.
ORIGIN = ["view", "family", "seconds"]
PROVENANCE_COLUMNS = [*RUN, *ORIGIN, "device", "model", "data"]
NETWORK_COLUMNS = ["dataset", "network", "norm", "parameters", "weight_layers"]
DOMAIN_MEASURE_COLUMNS = [
    *(*RUN, "view", "family", "kind", "name", "measure", "value", "unit", "protocol", "n"),
    *("standard_error", "noise_floor", "converged"),
]
DOMAIN_COLUMNS = [*RUN, "kind", "name", "seen", "accuracy", "n"]
CORRUPTION_COLUMNS = [*RUN, "corruption", "severity", "accuracy", "n", "origin"]
SAMPLE_COLUMNS = ["dataset", "of", "label", "corruption", "severity", "picture"]
Documents = Mapping[str, Mapping[str, Any]]


def tidy(documents: Documents, calibration: pd.DataFrame) -> pd.DataFrame:
    """Return one row per number: what it is of, its value and what it is worth.

    Besides the documents' measures it holds the generalisation gap: training accuracy, on each
    view of the training data, minus test accuracy, in percentage points.

    Args:
        documents: by the path they were read from (see `measurement.document`).
        calibration: rows of the same shape for measures that were computed together.

    Raises:
        InputError: a document lacks what every document has; names its path.
    """
    measured = rows_of(
        documents,
        lambda document: [_origin(document, ORIGIN) | row for row in document["measures"]],
        "document of measures",
    )
    table = pd.concat([measured, calibration]).astype({"seed": int})
    return pd.concat([table, _generalisation_gap(table)])[COLUMNS].reset_index(drop=True)


def provenance(documents: Documents) -> pd.DataFrame:
    """Return one row per document: how long it took on what, and hashes of its model and data.

    Raises:
        InputError: a document lacks what every document has; names its path.
    """
    own = PROVENANCE_COLUMNS[len(RUN) :]
    rows = rows_of(documents, lambda document: [_origin(document, own)], "document of measures")
    return rows[PROVENANCE_COLUMNS]


def network_table(evaluations: Documents) -> pd.DataFrame:
    """Return the size of each network on each data set.

    Columns are ``dataset``, ``network``, ``norm`` (empty for networks that have no choice of it;
    conditions can differ in it), ``parameters`` (their number) and ``weight_layers`` (linear,
    convolutional and embedding layers).

    Args:
        evaluations: documents by the path they were read from.

    Raises:
        InputError: a document says nothing about its network; names its path.
    """
    rows = rows_of(
        evaluations,
        lambda document: [document["run"] | document["details"]["network"]],
        "evaluation with the size of its network",
    )
    return rows[NETWORK_COLUMNS].drop_duplicates(ignore_index=True)


def domain_table(documents: Documents) -> pd.DataFrame:
    """Return the accuracy of every model in every domain and city.

    Columns are `DOMAIN_COLUMNS`: ``kind`` is ``domain`` or ``city``, ``seen`` whether training has
    the domain (empty for a city), ``accuracy`` a fraction.

    Args:
        documents: evaluations by the path they were read from.

    Raises:
        InputError: a document says nothing about domains; names its path.
    """
    rows = rows_of(
        documents,
        lambda document: [document["run"] | row for row in document["details"]["domains"]],
        "evaluation with domains",
    )
    return rows[DOMAIN_COLUMNS]


def domain_measures_table(documents: Documents) -> pd.DataFrame:
    """Return the measures of every model on the training data of each domain and of each city.

    Columns are `DOMAIN_MEASURE_COLUMNS`; ``n`` counts samples of the domain.

    Args:
        documents: of families that were measured by domain, by the path they were read from.

    Raises:
        InputError: a document says nothing about domains; names its path.
    """
    rows = rows_of(
        documents,
        lambda document: [
            _origin(document, ["view", "family"]) | row for row in document["details"]["domains"]
        ],
        "document of measures by domain",
    )
    if rows.empty:
        return pd.DataFrame(columns=DOMAIN_MEASURE_COLUMNS)
    return rows[DOMAIN_MEASURE_COLUMNS]


def corruption_accuracies(evaluations: Documents) -> pd.DataFrame:
    """Return the accuracy of every model under every corruption at every severity.

    Columns are `CORRUPTION_COLUMNS`: ``accuracy`` is a fraction of ``n`` test samples. Rows of
    severity 0 are of the same samples without corruption, where these are known.

    Args:
        evaluations: documents by the path they were read from.

    Raises:
        InputError: a document says nothing about corruptions; names its path.
    """
    rows = rows_of(
        evaluations,
        lambda document: [document["run"] | row for row in document["details"]["corruptions"]],
        "evaluation with corruptions",
    )
    return rows[CORRUPTION_COLUMNS]


def corrupted_samples(documents: Documents) -> pd.DataFrame:
    """Return one test input of each data set under every corruption at every severity.

    Columns are `SAMPLE_COLUMNS`; `data.corruptions.samples` says what a picture is. What the input
    is without corruption comes once for each data set.

    Args:
        documents: of kinds of corruptions, by the path they were read from.

    Raises:
        InputError: a document holds no pictures; names its path.
    """
    own, found = SAMPLE_COLUMNS[:3], []
    for path, content in documents.items():
        try:
            about = {key: content[key] for key in own}
            found += [about | picture for picture in content["pictures"]]
        except (KeyError, TypeError) as error:
            raise InputError(f"{path}: no pictures ({error}); delete it and run again") from error
    table = pd.DataFrame(found, columns=SAMPLE_COLUMNS)
    return table.drop_duplicates(SAMPLE_COLUMNS[:-1], ignore_index=True)


def rows_of(
    documents: Documents,
    rows: Callable[[Mapping[str, Any]], Iterable[dict[str, Any]]],
    kind: str,
) -> pd.DataFrame:
    """Return the rows that a function makes of each document, seeds as numbers.

    Raises:
        InputError: a document lacks something, and so is none of its kind; names its path.
    """
    found = document_rows(documents, rows, kind)
    return found.astype({"seed": int} if len(found) else {})


def document_rows(
    documents: Documents,
    rows: Callable[[Mapping[str, Any]], Iterable[dict[str, Any]]],
    kind: str,
) -> pd.DataFrame:
    """Return the same of documents that are not about one seed."""
    found = []
    for path, content in documents.items():
        try:
            found += rows(content)
        except (KeyError, TypeError, ValueError) as error:
            fault = f"{error} is missing" if isinstance(error, KeyError) else error
            raise InputError(f"{path}: no {kind} ({fault}); delete it and run again") from error
    return pd.DataFrame(found)


def _origin(document: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return document["run"] | {key: document[key] for key in keys}


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
