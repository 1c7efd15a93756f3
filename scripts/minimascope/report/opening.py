"""What the report says of a study before its results: its data, and what its conditions set."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from ..analysis.wording import listed
from ..batch_of_one import held_out

# Measures that are taken on all samples of a part of the data.
PARTS = {"train_accuracy": "training", "test_accuracy": "testing"}


def data_in_words(
    datasets: Iterable[str], measures: pd.DataFrame, domains: pd.DataFrame | None = None
) -> list[str]:
    """Return each data set's name with its numbers of samples, where these are known.

    Args:
        datasets: their names.
        measures: columns ``dataset``, ``measure`` and ``n``, the number of samples.
        domains: rows of tables/domains.csv, for those of the test split that are unseen; None where
            a study has none.
    """
    counts = measures.groupby(["dataset", "measure"])["n"].max()
    found = []
    for dataset in datasets:
        known = [(part, counts.get((dataset, name))) for name, part in PARTS.items()]
        parts = [f"{count:,.0f} samples for {part}" for part, count in known if pd.notna(count)]
        parts += [] if domains is None else _unseen(domains[domains["dataset"] == dataset])
        found.append(f"{dataset} ({', '.join(parts)})" if parts else dataset)
    return found


def _unseen(domains: pd.DataFrame) -> list[str]:
    """Return how many test samples are of domains that were never seen in training, and which."""
    # All networks of a data set have the same.
    counts = domains[domains["seen"].eq(False)].groupby("name", sort=False)["n"].max()
    if counts.empty:
        return []
    return [
        f"{counts.sum():,} of these from domains never seen in training: {', '.join(counts.index)};"
        " test accuracy, generalisation gap, ECE, temperature and what else is over the test split"
        " count them, too"
    ]


def held_out_in_words(conditions: pd.DataFrame, measures: pd.DataFrame) -> list[str]:
    """Return sentences about conditions that learn from fewer samples than their data set has.

    Args:
        conditions: rows of `model_table.conditions_table`.
        measures: as in `data_in_words`.
    """
    share = "averaging.validation"
    if share not in conditions:
        return []
    counts = measures.groupby(["dataset", "measure"])["n"].max()
    settings = ["dataset", "condition", share]
    own = conditions.loc[conditions[share].notna(), settings].drop_duplicates()
    several = conditions["dataset"].nunique() > 1
    found = []
    for (dataset, held), rows in own.groupby(["dataset", share], sort=False):
        count = counts.get((dataset, "train_accuracy"))
        of = "fewer samples"
        if pd.notna(count):
            of = f"{count - held_out(held, int(count)):,.0f} of the {count:,.0f} samples"
        names, on = list(rows["condition"]), f" on {dataset}" if several else ""
        found.append(
            f"{listed(names)} learn{'s' * (len(names) == 1)} from {of} for training{on}:"
            f" a share of {held:g} is held out for validation."
        )
    return found


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Return settings by their paths, those that are null left out.

    >>> settings_in_words({"sam": {"rho": 0.05}, "epochs": 30, "augment": None})
    'epochs 30, sam.rho 0.05'
    """
    flat = pd.json_normalize(dict(settings)).to_dict("records")
    named = [(path, value) for row in flat for path, value in row.items() if value is not None]
    return ", ".join(f"{path} {value}" for path, value in sorted(named))
