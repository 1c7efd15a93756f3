"""What readers see of tables: folds, blocks, line ends and captions in HTML."""

import pandas as pd
import pytest

from minimascope.analysis.render import (
    MOST_COLUMNS,
    MOST_ROWS,
    captioned,
    fitting,
    html,
    in_blocks,
    markdown,
)


def table(rows: int, columns: int = 2) -> pd.DataFrame:
    return captioned([{f"c{n}": f"{row}" for n in range(columns)} for row in range(rows)], "Of it.")


@pytest.mark.parametrize(("rows", "folded"), [(MOST_ROWS, False), (MOST_ROWS + 1, True)])
def test_a_long_table_is_folded_where_asked_and_its_caption_stays(rows: int, folded: bool):
    found = html([table(rows)], folded=True)
    assert (f"<summary>Show all {rows} rows</summary>" in found) == folded
    assert found.endswith('<p class="note">Of it.</p>')
    assert "<details" not in html([table(rows)])


@pytest.mark.parametrize("columns", [1, 2, MOST_COLUMNS, MOST_COLUMNS + 1, 3 * MOST_COLUMNS])
def test_many_columns_are_shown_in_blocks_that_are_much_alike(columns: int):
    blocks = in_blocks(table(1, columns + 1)).attrs["blocks"]
    assert [column for block in blocks for column in block] == [
        f"c{n}" for n in range(1, columns + 1)
    ]
    sizes = [len(block) for block in blocks]
    assert max(sizes) <= MOST_COLUMNS
    assert max(sizes) - min(sizes) <= 1


def test_a_table_without_columns_has_no_blocks():
    assert in_blocks(table(1, 1)).attrs["blocks"] == []


def test_a_line_ends_within_an_interval_and_not_within_an_estimate():
    rows = [{"a": "x", "b": "(1.0 ± 0.2) × 10⁻⁵", "c": "0.5 [0.1, 5 %]"}]
    found = html([captioned(rows, "")])
    assert "(1.0\u00a0±\u00a00.2) ×\u00a010⁻⁵" in found
    assert "0.5 [0.1, 5\u00a0%]" in found
    assert "(1.0 ± 0.2) × 10⁻⁵" in markdown([captioned(rows, "")])


@pytest.mark.parametrize(
    ("cells", "columns", "expected"),
    [
        ("1", ["b"], "Mean. See docs/x.md."),
        ("**1**", ["b"], "Mean. Bold: the best, see y.md. See docs/x.md."),
        ("1", ["b", "All"], "Mean. All: over all. See docs/x.md."),
        ("1", ["Flips"], "Mean. Flips: other signs. See docs/x.md."),
    ],
)
def test_a_caption_keeps_to_what_its_table_has(cells: str, columns: list[str], expected: str):
    caption = "Mean. All: over all. Flips: other signs. Bold: the best, see y.md. See docs/x.md."
    assert fitting(caption, pd.DataFrame([[cells] * len(columns)], columns=columns)) == expected


def test_no_line_ends_before_a_mark():
    page = html([pd.DataFrame({"a": ["**0.50 ± 0.10** § ‡"]}, index=["x"])])
    assert "<b>0.50\u00a0±\u00a00.10</b>\u00a0§\u00a0‡" in page
