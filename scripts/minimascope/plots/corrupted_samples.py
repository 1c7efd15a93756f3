"""Figure: one test input of a data set under every corruption at every severity."""

import math
from base64 import b64decode
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage, imread

from ..components import RECORDINGS
from ..data.corruptions.kinds import HIGHEST_DB, LOWEST_DB, NONE
from .style import PAGE, new_figure, select

NAMES, TOP = 1.3, 0.6  # inches, of corruptions beside the pictures and of what is above these
SIDE = 0.62  # inches, of an image; log-mels fill the page and are as high
MOST_ROWS = 12  # corruptions of images that stand below each other
# Pixels between pictures, and the least of a picture's side.
GAP, LEAST = 4, 48
Pictures = Mapping[tuple[str, int], np.ndarray]


def plot(corrupted_samples: pd.DataFrame, dataset: str) -> Figure:
    """Return pictures of one test input: a corruption a row, severities from left to right.

    Without corruption it comes first in each row, where it is known as such (severity 0). Of
    log-mels, the lowest band is at the bottom; levels below all but a twentieth of those without
    corruption look alike.

    Args:
        corrupted_samples: rows of `analysis.collect.corrupted_samples`.
    """
    rows = select(corrupted_samples, dataset)
    is_sound = rows["of"].iloc[0] == RECORDINGS
    pictures = {
        (row.corruption, row.severity): imread(BytesIO(b64decode(row.picture)))
        for row in rows.itertuples()
    }
    names = [name for name in rows["corruption"].unique() if name != NONE[0]]
    severities = sorted(rows["severity"].unique())
    blocks = 1 if is_sound else math.ceil(len(names) / MOST_ROWS)
    size = math.ceil(len(names) / blocks)
    width = PAGE if is_sound else blocks * (NAMES + SIDE * len(severities))
    kind = "recording" if is_sound else "image"
    title = f"{dataset}: a test {kind} of class {rows['label'].iloc[0]} under every corruption"
    figure = new_figure(title, width, TOP + SIDE * size)
    for number, axes in enumerate(figure.subplots(1, blocks, squeeze=False).flat):
        shown = names[number * size : (number + 1) * size]
        image = _draw(axes, pictures, shown, severities)
        # Rows of all blocks are as high as each other.
        axes.set_ylim(len(image.get_array()) * size / len(shown), -0.5)
        if is_sound:
            _scale(image, pictures)
            figure.colorbar(image, ax=axes, label="Power (dB)", shrink=0.5, aspect=30)
    return figure


def _draw(
    axes: Axes, pictures: Pictures, names: Sequence[str], severities: Sequence[int]
) -> AxesImage:
    """Draw the pictures of some corruptions as one image with their names beside it."""
    first = next(iter(pictures.values()))
    times = max(1, math.ceil(LEAST / min(first.shape[:2])))
    height, width = (times * length + GAP for length in first.shape[:2])
    shape = (height * len(names) - GAP, width * len(severities) - GAP, *first.shape[2:])
    canvas = np.full(shape, np.nan if first.ndim == 2 else 1.0)
    for row, name in enumerate(names):
        for column, severity in enumerate(severities):
            picture = pictures[NONE if severity == NONE[1] else (name, severity)]
            enlarged = picture.repeat(times, axis=0).repeat(times, axis=1)
            at = slice(row * height, None), slice(column * width, None)
            canvas[at][: height - GAP, : width - GAP] = enlarged
    image = axes.imshow(canvas, cmap="gray", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    heads = ["none" if severity == NONE[1] else str(severity) for severity in severities]
    axes.set_xticks([width * (i + 0.5) for i in range(len(heads))], heads)
    axes.set_yticks(
        [height * (i + 0.5) for i in range(len(names))], [name.replace("_", " ") for name in names]
    )
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Severity")
    axes.xaxis.set_label_position("top")
    return image


def _scale(image: AxesImage, pictures: Pictures) -> None:
    """Show levels of log-mels as decibels."""
    image.set_data(_decibels(image.get_array()))
    image.set_cmap("magma")
    loudest = max(map(np.max, pictures.values()))
    image.set_clim(_decibels(np.quantile(pictures[NONE], 0.05)), _decibels(loudest))


def _decibels(level: np.ndarray | float) -> np.ndarray | float:
    return LOWEST_DB + (HIGHEST_DB - LOWEST_DB) * level
