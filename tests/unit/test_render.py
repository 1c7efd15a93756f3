"""What readers see of tables: folds, blocks, line ends and captions in HTML."""

import re

import pandas as pd
import pytest

from minimascope.analysis.render import (
    MOST_COLUMNS,
    MOST_ROWS,
    captioned,
    fitting,
    html,
    in_blocks,
    latex,
    markdown,
    page,
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


SIDES = {
    "right": [
        ["0.50 ± 0.10 §", "**(1.2 ± 0.1) × 10⁻⁵**"],
        ["[0.1, 0.2]", "−0.77 [−0.98, −0.29], p = 0.006"],
        ["13 of 19", ""],
        ["< 0.001", "∞"],
        ["5 %", "too few"],
        ["—", ""],
        [3, 0.5],
    ],
    "left": [
        ["SAM-sharpness", "**Test ECE**"],
        ["open", "3 seeds only", "no difference"],
        ["2d_cnn", "1e_net"],
        ["—", "−log p"],
    ],
}


@pytest.mark.parametrize(
    ("side", "cells"), [(side, cells) for side, columns in SIDES.items() for cells in columns]
)
def test_numbers_are_aligned_to_the_right_and_text_to_the_left(side: str, cells: list):
    table = captioned([{"a": f"row {n}", "b": cell} for n, cell in enumerate(cells)], "Of it.")
    in_html = html([table])
    assert in_html.count('<td class="text">') == (len(cells) if side == "left" else 0)
    assert in_html.count("<td>") == (0 if side == "left" else len(cells))
    assert ('<th class="text">b</th>' in in_html) == (side == "left")
    assert markdown([table]).splitlines()[1].endswith("-|" if side == "left" else ":|")
    assert ("{ll}" if side == "left" else "{lr}") in latex([table.astype(str)])


def test_each_column_has_its_own_side():
    rows = [{"a": "x", "b": "1", "c": "yes", "d": "2"}]
    assert '<td>1</td>\n<td class="text">yes</td>\n<td>2</td>' in html([captioned(rows, "")])


def test_a_page_of_a_table_aligns_cells_of_text_and_names_of_rows():
    assert ".text, tbody th, thead th:first-child { text-align: left }" in page(["Text."])


def test_names_and_cells_are_text_whatever_they_hold():
    rows = [{"a": "<i>", "<b>": "<u>"}]
    assert not {"<i>", "<b>", "<u>"} & {*re.findall("<[ibu]>", html([captioned(rows, "")]))}
