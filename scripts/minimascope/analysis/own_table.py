"""What readers see of a table of the user's own file: its rows as they are."""

import pandas as pd

from .render import Text


def text(table: pd.DataFrame) -> Text:
    """Return the table, numbers with four significant digits."""
    cells = table.astype(object).where(table.notna(), "")
    for column in table.select_dtypes("float").columns:
        cells[column] = [f"{value:.4g}" if pd.notna(value) else "" for value in table[column]]
    return [cells.astype(str).set_index(table.columns[0])]
