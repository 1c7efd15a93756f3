"""What holds for every figure: its letters, its edges, its bytes, whose rows it shows."""

import io
import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from figure_cases import (
    CONDITIONS,
    FEW,
    conditions_frame,
    disagreement_frame,
    figure_of,
    grid_cells,
    hessian_frame,
    history_frame,
    interpolation_frame,
    landscape_frame,
    measures_frame,
    model_tables,
    models_frame,
    printed_cells,
    radius_cells,
    reliability_frame,
    summary_frame,
    written,
)
from matplotlib import rcParams
from matplotlib.image import imread
from matplotlib.text import Text

from minimascope.analysis.agreement import order_of_controls
from minimascope.errors import InputError
from minimascope.plots import style
from minimascope.plots.style import COLOURS, condition_styles, save_svg, styled


def sweep_tables(cells, measures=tuple(FEW)):
    cells = list(cells)
    made = summary_frame([name for name, _, _ in cells])
    return {"summary": made[made["measure"].isin(measures)], "conditions": conditions_frame(cells)}


def minima_tables(cells):
    cells = list(cells)
    measures = measures_frame([name for name, _, _ in cells])
    return {"measures": measures, "conditions": conditions_frame(cells)}


def condition_tables(conditions=CONDITIONS[:3], seeds=(0, 1, 2)):
    return {
        "measures": measures_frame(conditions, seeds, FEW),
        "disagreement": disagreement_frame(conditions, seeds),
        "history": history_frame(conditions, seeds),
        "reliability": reliability_frame(conditions, seeds),
        "landscape": landscape_frame(conditions, seeds),
        "hessian": hessian_frame(conditions, seeds),
        "interpolation": interpolation_frame(seeds),
    }


def few_models(optimizers=("sgd", "adam")):
    models = models_frame(optimizers=optimizers, rates=(1e-3,))
    return model_tables(models, factors=["optimizer", "network"])


def agreement_tables():
    cells = printed_cells()
    return {"agreement": cells, "agreement_order": order_of_controls(cells)}


OF_CONDITIONS = ("controls", "sharpness_evaluation", "training_curves", "reliability")
OF_CONDITIONS += ("disagreement", "spectrum", "interpolation", "landscape_contours")
OF_CONDITIONS += ("landscape_lines", "landscape_surfaces")
OF_MODELS = ("sharpness_accuracy", "hyperparameters", "domains", "stability", "variance_shares")
CASES = {name: (name, condition_tables) for name in OF_CONDITIONS}
CASES |= {name: (name, few_models) for name in OF_MODELS}
CASES |= {
    "agreement": ("agreement", agreement_tables),
    "minima": ("minima", lambda: minima_tables(grid_cells())),
    "close minima": ("minima", lambda: minima_tables([*grid_cells()][:4])),
    "sweep": ("sweep", lambda: sweep_tables(radius_cells())),
    "sweep of a grid": ("sweep", lambda: sweep_tables(grid_cells())),
}


@cache
def drawn(case):
    """The figure of a case and its SVG; saving lays it out for good."""
    name, tables = CASES[case]
    figure = figure_of(name, tables())
    return figure, save_svg(figure)


@pytest.mark.parametrize("case", CASES)
def test_equal_rows_give_equal_svg_and_other_rows_are_left_out(case):
    name, tables = CASES[case]
    alone, before = tables(), dict(rcParams)
    # Other rows are of another data set, and of another network where a figure is of one.
    others = [{"dataset": "other"}, {"network": "vit"}][: 1 if name in OF_MODELS else 2]
    mixed = {}
    for key, frame in alone.items():
        doubled = frame.assign(**(2 * frame.select_dtypes("float")))
        parts = [doubled.assign(**other) for other in others]
        mixed[key] = pd.concat([parts[0], frame, *parts[1:]], ignore_index=True)
    figure, svg = drawn(case)
    assert svg == save_svg(figure) == save_svg(figure_of(name, mixed))
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<text" not in svg  # letters are outlines: no font is needed to see them
    assert b"<dc:date>" not in svg
    assert dict(rcParams) == before


@pytest.mark.parametrize("case", CASES)
def test_text_is_large_and_inside_the_figure(case):
    figure, _ = drawn(case)
    image = io.BytesIO()
    with styled():
        figure.savefig(image, format="png", dpi=100)
    image.seek(0)
    pixels = imread(image)[:, :, :3]
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (edges == 1).all()
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert len(sizes) > 10
    assert min(sizes) >= 8


@pytest.mark.parametrize("case", ["minima", "close minima", "sweep", "sweep of a grid"])
def test_numbers_below_narrow_panels_do_not_overlap(case):
    for axes in drawn(case)[0].axes:
        boxes = [tick.get_window_extent() for tick in axes.get_xticklabels() if tick.get_text()]
        boxes = sorted((box.x0, box.x1) for box in boxes)
        assert len(boxes) >= 2
        assert all(left[1] < right[0] for left, right in pairwise(boxes))


REFUSING = ("controls", "sharpness_evaluation", "training_curves", "reliability", "minima")
REFUSING += ("sweep", "spectrum", "interpolation", "landscape_contours", "landscape_lines")


@pytest.mark.parametrize("name", REFUSING)
def test_an_unknown_network_is_refused(name):
    with pytest.raises(InputError) as error:
        figure_of(name, CASES[name][1](), network="vgg19")
    assert str(error.value) == "figures: no data of vgg19 on cifar10; check both names"


@pytest.mark.parametrize("name", ["sharpness_accuracy", "hyperparameters"])
def test_an_unknown_data_set_is_refused_where_models_are_drawn(name):
    with pytest.raises(InputError) as error:
        figure_of(name, few_models(), dataset="cifar10")
    assert str(error.value) == "figures: no data on cifar10; check its name"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("sharpness_accuracy", "no sharpness to compare with accuracy"),
        ("hyperparameters", "no hyper-parameter varies"),
        ("domains", "the data name no domains"),
        ("stability", "no variation over pairs of directions"),
        ("variance_shares", "no hyper-parameter varies"),
        ("disagreement", "no pairs of models to compare"),
        ("agreement", "no values to compare with print"),
    ],
)
def test_a_figure_without_rows_says_so(name, sentence):
    tables = CASES[name][1]()
    empty = {key: frame.iloc[:0] for key, frame in tables.items() if key != "models"}
    figure = figure_of(name, tables | empty)
    assert sentence in written(figure)
    assert not figure.axes
    figure.draw_without_rendering()


@pytest.mark.parametrize("name", OF_CONDITIONS)
@pytest.mark.parametrize("conditions", [CONDITIONS[:1], CONDITIONS[:3]])
def test_a_single_seed_is_enough(name, conditions):
    figure = figure_of(name, condition_tables(conditions, (0,)))
    figure.draw_without_rendering()
    assert figure.axes or name == "disagreement"


def test_figures_do_without_pyplot():
    modules = sorted(path.stem for path in Path(style.__file__).parent.glob("[a-z]*.py"))
    imports = "; ".join(f"import minimascope.plots.{name}" for name in modules)
    code = f"import sys; {imports}; sys.exit('matplotlib.pyplot' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(Path(style.__file__).parents[2])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_conditions_differ_without_colour():
    styles = condition_styles(map(str, range(45)))
    assert len({(style.marker, style.line_style) for style in styles.values()}) == 45
    first = [style.colour for style in list(styles.values())[: len(COLOURS)]]
    assert first == list(COLOURS)
