"""The page itself: parts turned into HTML that needs no other file."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..analysis.measure_name import COMPARED
from ..analysis.measure_names import MEASURES, MeasureName, measures_of
from ..analysis.render import html
from ..plots.notices import notice_of
from .contents import Part, Section
from .opening import settings_in_words

# Larger tables are left to programs, which read the files.
LARGEST_DOWNLOAD = 300_000  # bytes


class Figure(NamedTuple):
    """A figure as SVG, and the path of its files from the page, without their endings."""

    svg: str
    place: str


NO_FIGURE = Figure("", "")


class Files(NamedTuple):
    """What parts are made of, by the names of their results.

    Attributes:
        tables: as HTML.
        figures: what is drawn.
        surfaces: interactive figures as plotly's JSON.
        downloads: tables as CSV.
    """

    tables: Mapping[str, str]
    figures: Mapping[str, Figure]
    surfaces: Mapping[str, str]
    downloads: Mapping[str, str]


def render(
    template: str,
    sections: Sequence[Section],
    files: Files,
    measures: pd.DataFrame,
    provenance: Mapping[str, pd.DataFrame],
    own: Mapping[str, str] | None = None,
    **texts: Any,
) -> str:
    """Return the report as one HTML page.

    Args:
        template: the page in Jinja2; what it is filled with is escaped.
        sections: in the order in which they are shown.
        files: what the parts of the sections are made of.
        measures: columns ``measure``, ``family`` and ``unit``: what is explained.
        provenance: tables by their titles.
        own: what functions of the user's own file say of themselves, by name.
        **texts: what else the template asks for.

    Raises:
        jinja2.UndefinedError: the template asks for something that is not there.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.filters |= {
        "raw": Markup,
        "table": lambda table: Markup(html([table])),
        "settings": settings_in_words,
    }
    return environment.from_string(template).render(
        sections=sections,
        content=lambda part: content(part, files),
        notice=lambda part: notice_of(files.figures.get(part.name, NO_FIGURE).svg),
        measures=_described(measures, own or {}),
        provenance=provenance,
        **texts,
    )


def _described(measures: pd.DataFrame, own: Mapping[str, str]) -> list[MeasureName]:
    found = measures_of(measures, *COMPARED)
    for measure, name in found.items():
        # The names of what a function of the user measures begin with its own.
        said = [text for function, text in own.items() if text and measure.startswith(function)]
        if said and measure not in MEASURES:
            found[measure] = replace(name, description=said[0])
    return [*found.values()]


def content(part: Part, files: Files) -> Markup:
    """Return a table, an embedded picture or an interactive surface as HTML."""
    if part.name in files.surfaces:
        # "</" would end the script, whatever text it is in.
        figure = Markup(files.surfaces[part.name].replace("</", "<\\/"))
        script = Markup('<script type="application/json">{}</script>').format(figure)
        return Markup('<div class="surface">{}</div>').format(script)
    if part.name in files.figures:
        figure = files.figures[part.name]
        image = Markup('<img src="{}" alt="{}">')
        image = image.format(_data_uri("image/svg+xml", figure.svg), part.title)
        links = Markup('<a href="{0}.svg">SVG</a> · <a href="{0}.pdf">PDF</a>').format(figure.place)
        shown = '<div class="wide"><button type="button" class="figure">{}</button></div>\n'
        return Markup(shown + '<p class="files">{}</p>').format(image, links)
    return Markup(files.tables[part.name]) + _download(part, files)


def _download(part: Part, files: Files) -> Markup:
    table = files.downloads.get(part.name, "")
    if not 0 < len(table) <= LARGEST_DOWNLOAD:
        return Markup()
    name = part.name.rpartition("/")[2] + ".csv"
    link = Markup('<p class="files"><a download="{}" href="{}">{}</a></p>')
    return link.format(name, _data_uri("text/csv", table), name)


def _data_uri(kind: str, text: str) -> str:
    return f"data:{kind};base64,{b64encode(text.encode()).decode()}"
