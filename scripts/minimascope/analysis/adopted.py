"""What is known of networks that were trained elsewhere, also as text."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..errors import InputError
from .collect import RUN, Documents, rows_of
from .model_table import CONDITION
from .numbers import format_number
from .render import Text, captioned

COLUMNS = [
    *(*RUN, "checkpoint", "sha256", "key", "prefix", "classes", "own_normalisation", "matched"),
    *("train_accuracy", "n", "guessing", "doubt"),
]
CONDITION_COLUMNS = [
    *(*CONDITION, "seeds", "checkpoint", "key", "prefix", "classes", "own_normalisation"),
    *("matched", "train_accuracy_min", "train_accuracy_max", "n", "guessing", "doubt"),
]
WHOLE_FILE = "the whole file"
CAPTION = (
    "Conditions whose networks were trained elsewhere. What cannot be known of them: their history,"
    " the order of their batches and, unless they are matched, their initial weights. Matched: the"
    " networks of each seed started from the study's own initial weights. Others are not compared"
    " by matched seeds, and claims 1 to 4 leave them out. Training accuracy: the lowest and the"
    " highest of all seeds, on at most {n:,} samples; guessing: that of the most frequent class."
)


def adopted_table(documents: Documents) -> pd.DataFrame:
    """Return a row for each adopted network: its file, how it was read, and whether it fits.

    Args:
        documents: of `adoption.adopt`, by the path they were read from.

    Raises:
        InputError: a document lacks what every one has, or two seeds of a condition have files of
            the same content; names the paths.
    """

    def rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
        own = {name: document[name] for name in COLUMNS[len(RUN) :]}
        return [document["run"] | own | {"classes": own["classes"] is not None}]

    found = rows_of(documents, rows, "document of an adopted network")[COLUMNS]
    for (_, _, condition, _), group in found.groupby([*CONDITION, "sha256"], sort=False):
        if len(group) > 1:
            raise InputError(
                f"conditions.{condition}.checkpoint: {' and '.join(group['checkpoint'])} have the"
                " same content, so that one network would count as several; correct one of them"
            )
    return found


def by_condition(adopted: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each condition of an `adopted_table`, its first seed's file and doubt."""
    adopted = adopted.fillna({"key": "", "prefix": "", "doubt": ""})
    rows = []
    for names, group in adopted.groupby(CONDITION, sort=False):
        doubts = group.loc[group["doubt"] != "", "doubt"]
        accuracies = group["train_accuracy"]
        rows.append(
            {
                **group.iloc[0],
                **dict(zip(CONDITION, names, strict=True)),
                "seeds": len(group),
                "train_accuracy_min": accuracies.min(),
                "train_accuracy_max": accuracies.max(),
                "doubt": next(iter(doubts), ""),
            }
        )
    return pd.DataFrame(rows, columns=CONDITION_COLUMNS)


def text(found: pd.DataFrame) -> Text:
    """Return the adopted conditions as a table, after a line for each that is to be doubted."""
    found = found.fillna({"key": "", "prefix": "", "doubt": ""})
    doubts = [
        f"**In doubt**: {row.condition}, {row.network} on {row.dataset}: {row.doubt}."
        for row in found.itertuples()
        if row.doubt
    ]
    rows = [
        {
            "Condition": row.condition,
            "Network": f"{row.network} on {row.dataset}",
            "Seeds": row.seeds,
            "First file": row.checkpoint,
            "Weights": row.key or WHOLE_FILE,
            "Classes": "reordered" if row.classes else "as in the data",
            "Normalisation": "its own" if row.own_normalisation else "that of the data",
            "Matched": "yes" if row.matched else "no",
            "Training accuracy": _accuracies(row.train_accuracy_min, row.train_accuracy_max),
            "Guessing": format_number(row.guessing, ".3f"),
        }
        for row in found.itertuples()
    ]
    return [*doubts, captioned(rows, CAPTION.format(n=found["n"].max()))]


def _accuracies(lowest: float, highest: float) -> str:
    return "–".join(dict.fromkeys(format_number(each, ".3f") for each in (lowest, highest)))
