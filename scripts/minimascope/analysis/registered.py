"""Tables of the registry, made from files of others and shown to readers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..components import load
from ..files import write_text
from ..tables_and_figures import Table
from .render import RENDERERS

# Columns of names, which a file does not tell from numbers.
NAMES = (
    *("dataset", "network", "architecture", "published_dataset", "condition", "condition_a"),
    *("condition_b", "base_condition", "baseline", "without_sam", "name"),
)


def make_table(
    table: Table, paths: Mapping[str, str], published: Path, arguments: Mapping[str, Any]
) -> None:
    """Write the tables that an entry of `TABLES` gives, and what readers see of them.

    Args:
        table: the entry.
        paths: files of the tables that it needs and gives, and of its formats, by name.
        published: folder of the published tables.
        arguments: what it depends on besides.
    """
    found = table.load()(
        *(read_table(paths[name]) for name in table.needs),
        # As text, which tells how many digits are published.
        *(
            pd.read_csv(published / f"{name}.csv", dtype=str, keep_default_na=False)
            for name in table.published
        ),
        **arguments,
    )
    frames = found if isinstance(found, tuple) else (found,)
    for frame in frames:
        table.checked(frame, pd.DataFrame, "a pandas DataFrame")
    for name, frame in zip(table.gives, frames, strict=True):
        write_text(paths[name], frame.to_csv(index=False))
    if table.text:
        text = shown(table, paths)
        for name in table.formats:
            write_text(paths[name], RENDERERS[name](text))


def read_table(path: str) -> pd.DataFrame:
    """Return a table of a study; names in it are text, also where all of them are numbers."""
    return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str))


def shown(table: Table, paths: Mapping[str, str]) -> Any:
    """Return what readers see of an entry of `TABLES`, from the files of its tables."""
    return load(table.text)(*(read_table(paths[name]) for name in table.shows))
