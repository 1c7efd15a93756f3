"""Figure: every measure along a swept training setting."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from ..analysis.measure_names import measures_of
from ..analysis.tables import at_minima
from .looks import Look, study_looks
from .scales import draw_axis, is_logarithmic, log_measures
from .style import GREY, LINE_STYLES, balanced, notice, panel_grid, select

PANEL = (2.4, 2.0)  # inches
AXIS_WIDTH = 1.5  # inches, about
DIGIT_WIDTH = 0.07  # inches
SYMBOLS = {
    "sam.rho": "SAM radius ρ",
    "sam.adaptive": "ASAM's η",
    "sam.gap_weight": "GSAM's α",
    "sam.group_size": "m-SAM's m",
    "optimizer.lr": "Learning rate",
    "batch_size": "Batch size",
    "label_noise": "Label noise",
}
# Names a missing setting of a condition.
LACKING = {"sam.rho": "SAM"}
HOLLOW = {"marker": "o", "markersize": 4.5, "markerfacecolor": "white", "linestyle": "none"}
NO_SETTING = {"dataset", "network", "condition", "base_condition"}


def plot(summary: pd.DataFrame, conditions: pd.DataFrame, dataset: str, network: str) -> Figure:
    """Return a panel for each evaluation and measure of sharpness over a swept setting.

    The setting is the number that has the most values among conditions of one base condition; what
    else varies makes lines of their own. Points are means over seeds with their standard errors.
    Those of conditions of which a seed did not train are hollow. Conditions without the setting are
    level lines in a band of their standard error. Where no number is swept, the figure says so.
    """
    of_all = at_minima(select(summary, dataset))
    rows = select(of_all, dataset, network)
    settings = select(conditions, dataset, network).set_index("condition")
    names = measures_of(rows, "evaluation", "sharpness")
    varied = _varied(settings)
    if not varied or not names:
        return notice(f"{network} on {dataset}", "no number is swept")
    setting, *others = varied
    label = SYMBOLS.get(setting, setting)
    places = _places(settings, setting, others)
    looks, logarithmic = _looks(places, study_looks(conditions).of), log_measures(of_all, "mean")
    handles = [Line2D([], [], **look.line, label=line) for line, look in looks.items()]
    if (rows.loc[rows["condition"].isin(places.index), "n_untrained"] > 0).any():
        handles.append(Line2D([], [], **HOLLOW, color=GREY, label="not all seeds trained"))
    title = f"{network} on {dataset}"
    figure, panels = panel_grid(title, len(names), balanced(len(names)), PANEL, handles)
    for axes, (measure, name) in zip(panels, names.items(), strict=True):
        points = rows[rows["measure"] == measure].join(places, on="condition", how="inner")
        for line, part in points.groupby("line", sort=False):
            _draw(axes, part, looks[line])
        draw_axis(axes.yaxis, name.axis_label, points["mean"], measure in logarithmic, 21)
        if is_logarithmic(places["x"], usually=places["x"].max() > 10 * places["x"].min()):
            axes.set_xscale("log")
        _set_ticks(axes, places["x"])
        axes.set_xlabel(label)
    figure.align_ylabels()
    return figure


def _varied(settings: pd.DataFrame) -> list[str]:
    """Return the numbers that vary within a base condition, those with the most values first."""
    numbers = settings.drop(columns=NO_SETTING, errors="ignore").select_dtypes("number")
    counts = numbers.groupby(settings["base_condition"]).nunique().max()
    return list(counts[counts > 1].sort_values(ascending=False, kind="stable").index)


def _places(settings: pd.DataFrame, setting: str, others: list[str]) -> pd.DataFrame:
    """Return the ``line`` and ``x`` of each condition that is drawn, with the line's parts.

    ``x`` is NaN without the setting. Lines of a single point are left out, unless all are: where
    other settings vary together with this one, they do not part the points of a base condition.
    """
    lacking = f" without {LACKING.get(setting, setting.split('.')[-1])}"
    absent = settings[setting].isna()
    for varied in (others, []):
        extra = pd.Series(
            [
                "".join(f", {key.split('.')[-1]} {value:g}" for key, value in row.dropna().items())
                for _, row in settings[varied].iterrows()
            ],
            settings.index,
            dtype=object,
        ) + absent.map({True: lacking, False: ""})
        places = pd.DataFrame(
            {
                "base_condition": settings["base_condition"],
                "extra": extra,
                "line": settings["base_condition"] + extra,
                "x": settings[setting],
            }
        )
        swept = places.groupby("line")["x"].transform("nunique") > 1
        if swept.any():
            break
    return places[swept | absent]


def _looks(places: pd.DataFrame, conditions: Mapping[str, Look]) -> dict[str, Look]:
    """Return a look for each line: colour and marker say its base condition, the line what else."""
    lines = places.drop_duplicates("line")
    extras = list(lines.sort_values("x", na_position="last", key=pd.isna)["extra"].unique())
    return {
        row.line: replace(
            conditions[row.base_condition],
            line_style=LINE_STYLES[extras.index(row.extra) % len(LINE_STYLES)],
            **({"marker": ""} if math.isnan(row.x) else {}),
        )
        for row in lines.itertuples()
    }


def _draw(axes: Axes, points: pd.DataFrame, look: Look) -> None:
    """Draw the points of one line, or a level line if they have no place on the axis."""
    if points["x"].isna().all():
        [mean], [sem] = points["mean"], points["sem"].fillna(0)
        axes.axhline(mean, color=look.colour, linestyle=look.line_style)
        axes.axhspan(mean - sem, mean + sem, color=look.colour, alpha=0.2, linewidth=0)
        return
    points = points.sort_values("x")
    error = points["sem"].fillna(0)
    axes.errorbar(points["x"], points["mean"], error, **look.line, markersize=4.5, capsize=2)
    lost = points[points["n_untrained"] > 0]
    axes.plot(lost["x"], lost["mean"], **look.dots | HOLLOW | {"marker": look.marker}, zorder=3)


def _set_ticks(axes: Axes, values: Iterable[float]) -> None:
    """Put a tick at each value, with its label where there is room for it."""
    values = sorted({value for value in values if not math.isnan(value)})
    scale = math.log10 if axes.get_xscale() == "log" else float
    length = scale(values[-1]) - scale(values[0])
    labels, end = [], -math.inf
    for value in values:
        label = f"{value:g}"
        middle = AXIS_WIDTH * (scale(value) - scale(values[0])) / (length or 1)
        half = DIGIT_WIDTH * (len(label) + 1) / 2
        fits = middle - half >= end
        labels.append(label if fits else "")
        end = middle + half if fits else end
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(values, labels)
