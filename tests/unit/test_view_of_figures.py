"""Of which view of the data the job of figures takes measures."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from figure_cases import RUN, conditions_frame, correlations_of_network, measures_frame

from minimascope.jobs.params import named_text

PLOT = Path(__file__).parents[2] / "scripts" / "plot.py"
FIGURES = ["minima", "sharpness_evaluation"]
CELLS = [(name, name, {}) for name in ("baseline", "augmentation")]


class Outputs(dict):
    """Files that are named by the attributes of an object, as those of Snakemake are."""


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """Files of tables: sharpness of one condition was measured on both views of the data."""
    measures = measures_frame([name for name, *_ in CELLS], measures=("sam_sharpness",))
    losses = measures.assign(measure="train_loss", family="forward", value=0.1, unit="nats")
    tested = measures.assign(measure="test_accuracy", family="evaluation", unit="fraction")
    gaps = measures.assign(measure="generalisation_gap", family="evaluation")
    clean = pd.concat([measures, losses, tested, gaps])
    both = [clean, measures[measures["condition"] == "augmentation"].assign(view="augmented")]
    both[1] = both[1].assign(value=both[1]["value"] * 5)
    frames = {
        "measures": pd.concat(both),
        "conditions": conditions_frame(CELLS),
        "correlations": correlations_of_network(),
    }
    paths = {name: tmp_path / f"{name}.csv" for name in frames}
    for name, frame in frames.items():
        frame.to_csv(paths[name], index=False)
    return paths


def drawn(folder: Path, tables: dict[str, Path], **view: str) -> list[str]:
    """The SVG of each figure, as the job draws it."""

    output = Outputs()
    output.figures, output.pdfs = (
        [folder / f"{name}.{end}" for name in FIGURES] for end in ("svg", "pdf")
    )
    wanted = [[name, {"of": RUN, "options": {}}] for name in FIGURES]
    given = {"figures": wanted} | view
    task = SimpleNamespace(
        rule="plot",
        input=tables,
        output=output,
        params=[named_text(name, value) for name, value in given.items()],
        config={},
        log=[folder / "log"],
        wildcards=SimpleNamespace(),
    )
    runpy.run_path(str(PLOT), {"snakemake": task})
    return [path.read_text() for path in output.figures]


def test_figures_of_a_network_show_the_view_that_is_asked_for_but_for_clean_correlations(
    tables, tmp_path
):
    (minima, correlated), (augmented, same) = (
        drawn(tmp_path, tables, **view) for view in ({}, {"view": "augmented"})
    )
    assert augmented != minima
    assert same == correlated
