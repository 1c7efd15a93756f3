"""How conditions and networks look, the same in every figure of a study."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from .style import COLOURS, GREY, LINE_STYLES, MARKERS, NEUTRAL

# With more conditions than these, the cells of a sweep look like the condition that they vary.
MOST = 8
FILLS = ("full", "none", "left", "bottom", "right", "top")
UNTRAINED = {
    "color": GREY,
    "marker": "o",
    "markerfacecolor": "none",
    "linestyle": "none",
    "markersize": 3.5,
    "markeredgewidth": 0.8,
    "zorder": 1.5,
}


@dataclass(frozen=True)
class Look:
    """How a condition looks."""

    colour: str
    marker: str
    line_style: str | tuple

    @property
    def dots(self) -> dict[str, Any]:
        """What matplotlib draws its markers with."""
        return {"color": self.colour, "marker": self.marker, "linestyle": "none"}

    @property
    def line(self) -> dict[str, Any]:
        """What matplotlib draws its line with."""
        return self.dots | {"linestyle": self.line_style}


def list_looks(names: Iterable[str]) -> dict[str, Look]:
    """Return a look for each of some names, in their order."""
    looks = zip(names, cycle(COLOURS), cycle(MARKERS), cycle(LINE_STYLES), strict=False)
    return {name: Look(*look) for name, *look in looks}


@dataclass(frozen=True)
class Looks:
    """How the conditions and networks of a study look.

    Attributes:
        of: look of each condition, in the order of the study.
        names: what readers see of each look: conditions, or base conditions where there are many.
        networks: how the markers of each network are filled, and its lines drawn.
    """

    of: dict[str, Look]
    names: dict[Look, str]
    networks: dict[str, tuple[str, str | tuple]]

    def handles(self, lines: bool = False) -> list[Line2D]:
        """Return the legend's entries for conditions, with or without their lines."""
        drawn = {name: look.line if lines else look.dots for look, name in self.names.items()}
        return [Line2D([], [], **look, label=name) for name, look in drawn.items()]

    def network_handles(self, lines: bool = False) -> list[Line2D]:
        """Return the legend's entries for networks, if there are several."""
        return [
            Line2D(
                [],
                [],
                color=NEUTRAL,
                marker="o",
                fillstyle=fill,
                markerfacecoloralt="white",
                linestyle=line if lines else "none",
                label=name,
            )
            for name, (fill, line) in self.networks.items()
            if len(self.networks) > 1
        ]

    def dots(self, condition: str, network: str) -> dict[str, Any]:
        """What matplotlib draws the markers of a condition with, where networks are together."""
        look, (fill, _) = self.of[condition], self.networks[network]
        return look.dots | {"fillstyle": fill, "markerfacecoloralt": "white"}


def study_looks(conditions: pd.DataFrame) -> Looks:
    """Return how the conditions and networks of a study look, in its order.

    Colour and marker belong to the base condition, whose line is solid. The cells of
    a sweep differ from it by shade and line; with more than 8 conditions they look like it.

    Args:
        conditions: columns ``network``, ``condition`` and ``base_condition``, of the whole study.
    """
    base_of = dict(zip(conditions["condition"], conditions["base_condition"], strict=True))
    many = len(base_of) > MOST
    bases = list_looks(dict.fromkeys(base_of.values()))
    found = {}
    for base, look in bases.items():
        cells = [name for name, own in base_of.items() if own == base != name]
        shades = [None] * len(cells) if many else _shades(look.colour, len(cells))
        found[base] = replace(look, line_style="-")
        for cell, colour, line in zip(cells, shades, cycle(LINE_STYLES[1:]), strict=False):
            found[cell] = Look(colour, look.marker, line) if colour else found[base]
    of = {name: found[name] for name in base_of}
    names = {}
    for name, look in of.items():
        names.setdefault(look, base_of[name] if many else name)
    networks = zip(
        sorted(conditions["network"].unique()), cycle(FILLS), cycle(LINE_STYLES), strict=False
    )
    return Looks(of, names, {name: (fill, line) for name, fill, line in networks})


def _shades(colour: str, count: int) -> list[str]:
    """Return lighter and darker shades of a colour, from light to dark."""
    rgb = np.array(to_rgb(colour))
    half = (count + 1) // 2
    light = [rgb + share * (1 - rgb) for share in np.linspace(0.6, 0.3, half)]
    dark = [rgb * share for share in np.linspace(0.7, 0.35, count - half)]
    return list(map(to_hex, [*light, *dark]))


def draw_untrained(axes: Axes, x: ArrayLike, y: ArrayLike) -> None:
    """Draw models that did not train, whatever their condition."""
    if len(x):
        axes.plot(x, y, **UNTRAINED)


def untrained_handles(models: pd.DataFrame) -> list[Line2D]:
    """Return the legend's entry for models that did not train, if there are any."""
    return [] if models["trained"].all() else [Line2D([], [], **UNTRAINED, label="did not train")]
