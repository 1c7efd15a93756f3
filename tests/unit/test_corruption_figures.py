"""Figures of corruptions: the differences of their table, and the pictures of theirs."""

import numpy as np
import pytest
from corruption_frames import corrupted_samples_frame, corruptions_frame
from figure_cases import (
    CONDITIONS,
    figure_of,
    legend_of,
    names,
    plain_conditions,
    written,
)
from matplotlib.colors import to_hex

from minimascope.data.corruptions.kinds import KINDS_OF
from minimascope.plots.looks import study_looks


def panel_of(figure, name):
    [axes] = [axes for axes in figure.axes if axes.get_title() == name]
    return axes


def test_each_panel_has_the_differences_of_a_corruption_in_the_looks_of_the_conditions():
    table = corruptions_frame()
    figure = figure_of("corruptions", {"corruptions": table})
    looks = study_looks(plain_conditions()).of
    shown = [name.replace("_", " ") for made in KINDS_OF["images"].values() for name in made]
    assert [axes.get_title() for axes in figure.axes] == [*shown, "mean over all"]
    for corruption, title in (("glass_blur", "glass blur"), ("all", "mean over all")):
        axes = panel_of(figure, title)
        for condition in CONDITIONS[1:]:
            rows = table[(table["condition"] == condition) & (table["corruption"] == corruption)]
            rows = rows[rows["severity"] != "all"]
            look = looks[condition]
            points = {
                (x, y, to_hex(line.get_markerfacecolor()) == to_hex(look.colour))
                for line in axes.lines
                if line.get_marker() == look.marker
                for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
            }
            sure = rows["verdict"].isin(("larger", "smaller"))
            wanted = zip(rows["severity"].astype(int), rows["difference"], sure, strict=True)
            assert points == set(wanted)
    # Some are sure and some are not, or the above would say little.
    assert {"smaller", "open"} <= set(table["verdict"])
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_without_a_baseline_there_is_the_accuracy():
    table = corruptions_frame(CONDITIONS[:2])
    compared = ["difference", "verdict", "smallest_difference"]
    table = table.astype({"verdict": object}).assign(**dict.fromkeys(compared, np.nan))
    figure = figure_of("corruptions", {"corruptions": table})
    assert list(legend_of(figure)) == list(CONDITIONS[:2])
    axes = panel_of(figure, "fog")
    rows = table[(table["condition"] == "baseline_sam") & (table["corruption"] == "fog")]
    rows = rows[rows["severity"] != "all"]
    look = study_looks(plain_conditions()).of["baseline_sam"]
    points = [
        (x, y)
        for line in axes.lines
        if line.get_marker() == look.marker
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]
    wanted = zip(rows["severity"].astype(int), rows["accuracy"], strict=True)
    assert points == list(wanted)
    assert figure.axes[0].get_ylabel() == "Accuracy (%)"


def test_the_legend_names_the_conditions_that_are_compared():
    table = corruptions_frame(CONDITIONS[:3])
    entries = list(legend_of(figure_of("corruptions", {"corruptions": table})))
    assert entries == [
        *CONDITIONS[1:3],
        *("surely different", "not surely", "smallest difference that matters"),
    ]


@pytest.mark.parametrize("kind", ["images", "recordings"])
def test_every_picture_stands_in_the_row_of_its_corruption_and_the_column_of_its_severity(kind):
    figure = figure_of("corrupted_samples", {"corrupted_samples": corrupted_samples_frame(kind)})
    found = [name for made in KINDS_OF[kind].values() for name in made]
    number = 0
    for axes in (axes for axes in figure.axes if axes.images and axes.get_xlabel() == "Severity"):
        [image] = axes.images
        levels = np.asarray(image.get_array())
        if kind == "recordings":
            levels = (levels + 100) / 160
        assert names(axes.get_xticklabels()) == ["none", "1", "3", "5"]
        for y, name in zip(axes.get_yticks(), names(axes.get_yticklabels()), strict=True):
            assert name == found[number].replace("_", " ")
            number += 1
            row = [round(255 * levels[int(y), int(x)]) for x in axes.get_xticks()]
            assert row == [0, 10 * number + 1, 10 * number + 3, 10 * number + 5]
    assert number == len(found)
    kinds = {"images": "image", "recordings": "recording"}
    assert f"scenes: a test {kinds[kind]} of class 7 under every corruption" in written(figure)
    assert ("Power (dB)" in written(figure)) == (kind == "recordings")


def test_without_the_sample_itself_severities_begin_at_one():
    table = corrupted_samples_frame()
    figure = figure_of("corrupted_samples", {"corrupted_samples": table[table["severity"] > 0]})
    assert names(figure.axes[0].get_xticklabels()) == ["1", "3", "5"]


def test_with_few_severities_and_corruptions_the_title_stays_in_the_figure():
    table = corrupted_samples_frame()
    few = table["corruption"].isin(table["corruption"].unique()[:6]) & table["severity"].lt(5)
    figure = figure_of("corrupted_samples", {"corrupted_samples": table[few]})
    figure.draw_without_rendering()
    assert " ".join(figure.get_suptitle().split()).endswith("of class 7 under every corruption")
    title, page = figure._suptitle.get_window_extent(), figure.bbox
    assert page.x0 < title.x0 < title.x1 < page.x1
    assert title.y0 > max(axes.get_tightbbox().y1 for axes in figure.axes)
