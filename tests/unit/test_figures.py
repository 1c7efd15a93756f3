"""What holds for every figure: its letters, its edges, its bytes, whose rows it shows."""

import io
import os
import subprocess
import sys
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from claim_cases import outcome_rows
from corruption_frames import corrupted_samples_frame, corruptions_frame
from figure_cases import (
    CONDITIONS,
    FEW,
    conditions_frame,
    correlations_of_network,
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
    plain_conditions,
    published_cells,
    radius_cells,
    reliability_frame,
    summary_frame,
    written,
)
from figure_texts import numbers_of, texts_of
from matplotlib import rcParams
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox

from minimascope.analysis.agreement import order_of_conditions
from minimascope.analysis.outcomes import VERDICTS
from minimascope.errors import InputError
from minimascope.plots import style
from minimascope.plots.looks import study_looks
from minimascope.plots.notices import notice_of
from minimascope.plots.scales import draw_axis, with_power
from minimascope.plots.style import COLOURS, panel_grid, save_pdf, save_svg, styled


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
        "correlations": correlations_of_network(),
        "conditions": plain_conditions(conditions),
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
    cells = published_cells()
    conditions = plain_conditions(cells["condition"].unique())
    return {
        "agreement": cells,
        "agreement_order": order_of_conditions(cells),
        "conditions": conditions,
    }


LONG = [f"a_condition_with_a_name_of_forty_letters_{i}" for i in range(2)]
MANY = [f"condition_{i}" for i in range(24)]
OF_CONDITIONS = ("conditions", "sharpness_evaluation", "training_curves", "reliability")
OF_CONDITIONS += ("disagreement", "spectrum", "interpolation", "landscape_contours")
OF_CONDITIONS += ("landscape_lines", "landscape_surfaces")
OF_MODELS = ("sharpness_accuracy", "hyperparameters", "domains", "stability", "variance_shares")
CASES = {name: (name, condition_tables) for name in OF_CONDITIONS}
CASES |= {name: (name, few_models) for name in OF_MODELS}
# Figures of all networks of a data set.
OF_DATASETS = (*OF_MODELS, "outcomes")
CASES |= {
    "outcomes": ("outcomes", lambda: {"outcomes": outcome_rows(VERDICTS)}),
    "agreement": ("agreement", agreement_tables),
    "minima": ("minima", lambda: minima_tables(grid_cells())),
    "close minima": ("minima", lambda: minima_tables([*grid_cells()][:4])),
    "sweep": ("sweep", lambda: sweep_tables(radius_cells())),
    "sweep of a grid": ("sweep", lambda: sweep_tables(grid_cells())),
    "conditions with long names": ("conditions", lambda: condition_tables(LONG)),
    "24 conditions": ("conditions", lambda: condition_tables(MANY)),
    "24 scatter plots": ("sharpness_evaluation", lambda: condition_tables(MANY)),
    "24 diagrams": ("reliability", lambda: condition_tables(MANY)),
    "corruptions": ("corruptions", lambda: {"corruptions": corruptions_frame()}),
    "corruptions of recordings": (
        "corruptions",
        lambda: {"corruptions": corruptions_frame(CONDITIONS[:2], kind="recordings")},
    ),
    "corrupted_samples": (
        "corrupted_samples",
        lambda: {"corrupted_samples": corrupted_samples_frame()},
    ),
    "corrupted recordings": (
        "corrupted_samples",
        lambda: {"corrupted_samples": corrupted_samples_frame("recordings")},
    ),
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
    others = [{"dataset": "other"}, {"network": "vit"}][: 1 if name in OF_DATASETS else 2]
    mixed = {}
    for key, frame in alone.items():
        if key == "conditions":
            mixed[key] = frame
            continue
        doubled = frame.assign(**(2 * frame.select_dtypes("float")))
        parts = [doubled.assign(**other) for other in others]
        mixed[key] = pd.concat([parts[0], frame, *parts[1:]], ignore_index=True)
    figure, svg = drawn(case)
    assert svg == save_svg(figure) == save_svg(figure_of(name, mixed))
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<text" not in svg  # letters are outlines: no font is needed to see them
    assert b"<dc:date>" not in svg
    assert dict(rcParams) == before


@pytest.mark.parametrize("case", ["conditions", "sharpness_evaluation", "spectrum"])
def test_a_pdf_has_equal_bytes_each_time_fonts_that_journals_take_and_leaves_the_svg(case):
    figure, svg = drawn(case)
    pdf = save_pdf(figure)
    name, tables = CASES[case]
    assert pdf == save_pdf(figure) == save_pdf(figure_of(name, tables()))
    assert pdf.startswith(b"%PDF")
    assert b"/CreationDate" not in pdf
    assert b"/Subtype /Type3" not in pdf
    assert save_svg(figure) == svg


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


@pytest.mark.parametrize("case", CASES)
def test_axes_have_three_numbers_or_more_and_no_text_lies_on_another_or_outside(case):
    figure, _ = drawn(case)
    with styled():
        figure.draw_without_rendering()
        for axes in figure.axes:
            for axis in (axes.xaxis, axes.yaxis):
                # Names, and the values of a sweep, are as many as there are.
                if not isinstance(axis.get_major_locator(), FixedLocator):
                    assert len(numbers_of(axis)) not in (1, 2), axis.get_label_text()
        boxes = {text: text.get_window_extent() for text in texts_of(figure)}
    assert len(boxes) > 5
    for text, box in boxes.items():
        assert figure.bbox.padded(1).fully_containsx(box.x0), text
        assert figure.bbox.padded(1).fully_containsx(box.x1), text
    for (a, first), (b, second) in combinations(boxes.items(), 2):
        shared = Bbox.intersection(first, second)
        touching = shared and shared.width > 1 and shared.height > 2  # pixels, of 1/72 inch
        assert not touching, (a, b)


REFUSING = ("conditions", "sharpness_evaluation", "training_curves", "reliability", "minima")
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
        ("agreement", "no published values to compare with"),
        ("corruptions", "no network that trained was tested under corruptions"),
    ],
)
def test_a_figure_without_rows_says_so(name, sentence):
    tables = CASES[name][1]()
    empty = {
        key: frame.iloc[:0] for key, frame in tables.items() if key not in ("models", "conditions")
    }
    figure = figure_of(name, tables | empty)
    assert sentence in {text.replace("\n", " ") for text in written(figure)}
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
    looks = study_looks(plain_conditions(map(str, range(72)))).of.values()
    assert len({(look.marker, look.colour) for look in looks}) == 72
    assert [look.colour for look in looks][: len(COLOURS)] == list(COLOURS)


def test_looks_follow_the_study_whatever_a_table_shows_first():
    conditions = plain_conditions()
    looks = study_looks(conditions).of
    assert list(looks) == list(CONDITIONS)
    backwards = measures_frame(CONDITIONS[::-1])
    figure = figure_of("conditions", condition_tables(CONDITIONS) | {"measures": backwards})
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_label() in looks:
                assert line.get_color() == looks[line.get_label()].colour


def test_a_condition_has_one_colour_in_all_figures():
    tables = condition_tables()
    looks = study_looks(plain_conditions()).of
    for name in ("conditions", "sharpness_evaluation", "training_curves"):
        found = {}
        for axes in figure_of(name, tables).axes:
            for line in axes.lines:
                found.setdefault(line.get_label(), set()).add((line.get_color(), line.get_marker()))
        for condition in CONDITIONS[:3]:
            assert found[condition] == {(looks[condition].colour, looks[condition].marker)}


def test_cells_of_a_sweep_are_shades_of_what_they_vary_and_look_like_it_where_they_are_many():
    few = study_looks(conditions_frame(radius_cells()))
    cells = [look for name, look in few.of.items() if "rho" in name]
    assert {look.marker for look in cells} == {few.of["baseline_sam"].marker}
    assert len({look.colour for look in cells}) == len(cells)
    many = study_looks(conditions_frame(grid_cells()))
    assert list(many.names.values()) == ["baseline", "baseline_sam", "weight_decay"]


SPANS = [(1.0, 1.2), (0.2, 0.5), (3.1e-5, 9e-5), (2e-6, 4e-4), (0.003, 7), (1e-9, 3.0), (1, 9e6)]
LINEAR = [
    (0.9617, 0.9683),
    (-8.03, 2.2),
    (0, 7.81e-6),
    (86.4, 92.5),
    (0.0, 1.0),
    (12e4, 13e4),
    (4.8, 28.5),
]


@pytest.mark.parametrize("axis", ["xaxis", "yaxis"])
@pytest.mark.parametrize(
    ("span", "logarithmic"), [*((s, True) for s in SPANS), *((s, False) for s in LINEAR)]
)
def test_every_axis_has_three_numbers_or_more_that_do_not_overlap(axis, span, logarithmic):
    with styled():
        figure, [axes] = panel_grid("", 1, 1, (1.6, 1.5))
        axes.plot(span, span)
        draw_axis(getattr(axes, axis), "Loss (nats)", span, logarithmic)
        figure.draw_without_rendering()
        low, high = sorted(getattr(axes, axis).get_view_interval())
        ticks = [
            tick.label1
            for tick in getattr(axes, axis).get_major_ticks()
            if low <= tick.get_loc() <= high and tick.label1.get_text()
        ]
        boxes = [tick.get_window_extent() for tick in ticks]
    side = ("x0", "x1") if axis == "xaxis" else ("y0", "y1")
    ends = sorted((getattr(box, side[0]), getattr(box, side[1])) for box in boxes)
    assert len(ends) >= 3
    assert all(left[1] < right[0] for left, right in pairwise(ends))
    assert len({tick.get_text() for tick in ticks}) == len(ticks)


@pytest.mark.parametrize("name", ["conditions", "minima", "sharpness_evaluation"])
def test_a_measure_without_a_finite_value_has_no_panel(name):
    tables = condition_tables() | {"measures": measures_frame(CONDITIONS[:3])}
    measures = tables["measures"]
    drawn_before = len(figure_of(name, tables).axes)
    measures.loc[measures["measure"] == "sam_sharpness", "value"] = np.inf
    axes = figure_of(name, tables).axes
    assert len(axes) < drawn_before
    assert not any("SAM" in each.get_title() + each.get_ylabel() for each in axes)


def test_an_axis_without_a_finite_value_is_drawn():
    with styled():
        figure, [axes] = panel_grid("", 1, 1, (2, 2))
        axes.plot([1.0, 2.0], [np.inf, np.nan])
        draw_axis(axes.yaxis, "SAM-sharpness (–)", [np.inf, np.nan], logarithmic=True)
        figure.draw_without_rendering()
    assert axes.get_yscale() == "linear"


def test_the_power_of_ten_of_an_axis_stands_in_its_label():
    assert with_power("Training loss (nats)", "10⁻³") == "Training loss (10⁻³ nats)"
    assert with_power("Hessian trace (–)", "10⁴") == "Hessian trace (10⁴)"
    assert with_power("Epoch", "") == "Epoch"


def test_an_axis_is_logarithmic_in_the_figures_of_all_networks_or_of_none():
    rows = measures_frame(measures=FEW)
    zero = rows.assign(network="vit", value=0.0)
    for other, scale in ((rows.assign(network="vit"), "log"), (zero, "linear")):
        tables = condition_tables() | {"measures": pd.concat([rows, other])}
        figure = figure_of("conditions", tables)
        [axes] = [axes for axes in figure.axes if axes.get_title().startswith("SAM")]
        assert axes.get_yscale() == scale


def test_the_file_of_a_figure_without_anything_says_why_and_others_do_not():
    notice = style.notice("vit on digits", "no values < 3 & none")
    assert notice_of(save_svg(notice).decode()) == "no values < 3 & none"
    assert notice_of(drawn("conditions")[1].decode()) is None
