"""The loss around a network as a figure."""

from pathlib import Path

from ..analysis.curves import landscape
from ..files import write_bytes
from ..measurement import Measured
from ..plots.landscape import contours
from ..plots.style import save_pdf, save_png, save_svg, styled

SAVE = {".png": save_png, ".svg": save_svg, ".pdf": save_pdf}


def draw(path: Path, measured: Measured, title: str, unit: str) -> None:
    """Draw contours of the loss on the first plane through a network.

    Args:
        path: of the figure, whose suffix is one of `SAVE`.
        measured: what the family ``landscape`` gave.
        title: of the figure.
        unit: of the loss.
    """
    run = {"dataset": "", "network": "", "condition": "", "seed": 0}
    about = {"run": run, "view": "clean", "details": measured.details}
    frame = landscape({"": about}, [measured.arrays])
    with styled():
        figure = contours(frame, "", "")
        figure.suptitle(title)
        *_, bar = figure.axes
        bar.set_ylabel(f"Loss ({unit})")
    write_bytes(path, SAVE[path.suffix](figure))
