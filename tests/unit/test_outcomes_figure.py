"""The matrix of outcomes: a cell for each verdict, with its colour and marker."""

from collections import Counter

import pandas as pd
from claim_cases import outcome_rows
from figure_cases import figure_of
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from minimascope.analysis.outcomes import VERDICTS
from minimascope.plots.outcomes import LOOKS, published
from minimascope.plots.style import save_svg


def drawn_cells(axes):
    """The verdict of each cell of a panel, by its place from the upper left."""
    colours = {to_hex(colour): verdict for verdict, (colour, *_) in LOOKS.items()}
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(colours) == len(VERDICTS)
    return {
        (round(patch.get_y() + 0.5), round(patch.get_x() + 0.5)): colours[
            to_hex(patch.get_facecolor())
        ]
        for patch in found
    }


def test_each_verdict_has_a_cell_of_its_own_colour_and_marker():
    verdicts = [*VERDICTS, VERDICTS[0], VERDICTS[3]]
    [axes] = figure_of("outcomes", {"outcomes": outcome_rows(verdicts)}).axes
    places = [(row, column) for row in range(2) for column in range(4)]
    assert drawn_cells(axes) == dict(zip(places, verdicts, strict=True))
    markers = Counter(line.get_marker() for line in axes.lines if len(line.get_xdata()) == 1)
    assert markers == Counter(LOOKS[verdict][1] for verdict in verdicts)
    # Upright are the sharper ones, whether better or worse.
    assert {LOOKS[name][1] for name in VERDICTS[:4] if "sharper" in name} == {"^"}
    assert {LOOKS[name][1] for name in VERDICTS[:4] if "flatter" in name} == {"v"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sam", "weight_decay"]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        *("Fisher–Rao norm", "SAM-sharpness") * 2
    ]


def test_what_cannot_be_compared_is_blank_and_rows_are_the_same_in_all_panels():
    whole, part = outcome_rows(["open"] * 8), outcome_rows(["open"] * 3, network="vit")
    first, second = figure_of("outcomes", {"outcomes": pd.concat([whole, part])}).axes
    assert len(drawn_cells(first)) == 8
    assert set(drawn_cells(second)) == {(0, 0), (0, 1), (0, 2)}
    assert first.get_ylim() == second.get_ylim()
    assert [axes.get_title(loc="left") for axes in (first, second)] == ["resnet18", "vit"]


def test_published_panels_name_network_data_set_and_year():
    rows = [outcome_rows(["open"] * 8, source=f"paper_{year}") for year in (2025, 2026)]
    titles = [axes.get_title(loc="left") for axes in published(pd.concat(rows)).axes]
    assert titles == ["resnet18 on scenes (2025)", "resnet18 on scenes (2026)"]


def test_a_title_that_is_wider_than_the_cells_is_broken_into_lines():
    rows = outcome_rows(["open"] * 4, dataset="pictures_without_clipart")
    figure = figure_of("outcomes", {"outcomes": rows}, dataset="pictures_without_clipart")
    figure.draw_without_rendering()
    told = "pictures_without_clipart: each condition against the baseline"
    assert " ".join(figure.get_suptitle().split()) == told
    title, page = figure._suptitle.get_window_extent(), figure.bbox
    assert page.x0 < title.x0 < title.x1 < page.x1
    assert title.y0 > max(axes.get_tightbbox().y1 for axes in figure.axes)


def test_without_a_baseline_the_figure_says_so():
    empty = outcome_rows(["open"]).iloc[:0]
    svg = save_svg(figure_of("outcomes", {"outcomes": empty}))
    assert "no condition is compared with a baseline" in str(svg)
