"""Figures that have nothing to draw, as the files of figures say it. No matplotlib is imported."""

import re
from html import unescape


def notice_of(svg: str) -> str | None:
    """Return why a figure has nothing to draw, from its SVG; None for one that shows something.

    The sentence is the figure's description, which no other figure has.
    """
    found = re.search("<dc:description>(.*?)</dc:description>", svg, re.DOTALL)
    return unescape(found[1]) if found else None
