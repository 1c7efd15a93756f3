"""What the report shows: results that lie in folders, in the order and with the captions of a list.

The list (report/contents.yaml) names sections and, in each, tables and figures with a title and a
caption. A figure of that name may exist for every network, for every data set or once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..errors import InputError


@dataclass(frozen=True)
class Part:
    """A table, figure or surface of the report.

    Attributes:
        name: where it lies in the study's results, such as ``figures/digits/vit/controls``.
        title: heading; with the network and the data set where it is of these.
        caption: what it is and how to read it.
    """

    name: str
    title: str
    caption: str

    @property
    def anchor(self) -> str:
        """Identifier for links within the page."""
        return self.name.replace("/", "-").replace(".", "-")


@dataclass(frozen=True)
class Section:
    """Parts that belong together; ``anchor`` identifies it for links within the page."""

    title: str
    anchor: str
    parts: Sequence[Part]


def sections(contents: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[Section]:
    """Return the sections that a study has anything for, in the order of the list.

    Args:
        contents: of each section ``title`` and ``parts``, which maps a kind of result, such as
            ``tables/main`` or ``figures/controls`` (of any network or data set), to its
            ``title`` and ``caption``.
        names: results relative to the study's folder.

    Raises:
        InputError: a result is in no section.
    """
    waiting = dict.fromkeys(names)
    found = []
    for number, section in enumerate(contents, 1):
        parts = []
        for kind, texts in section["parts"].items():
            own = [name for name in waiting if kind_of(name) == kind]
            parts += [Part(name, _title(texts["title"], name), texts["caption"]) for name in own]
            for name in own:
                del waiting[name]
        if parts:
            found.append(Section(section["title"], f"section-{number}", parts))
    if waiting:
        raise InputError(
            f"report: {next(iter(waiting))} is in no section; name {kind_of(next(iter(waiting)))} "
            "in report/contents.yaml"
        )
    return found


def kind_of(name: str) -> str:
    """Return a result's name without the data set and network that it is of.

    >>> kind_of("figures/digits/vit/controls")
    'figures/controls'
    """
    path = PurePosixPath(name)
    return f"{path.parts[0]}/{path.name}"


def _title(title: str, name: str) -> str:
    match PurePosixPath(name).parts[1:-1]:
        case (dataset, network):
            return f"{title}: {network} on {dataset}"
        case (dataset,):
            return f"{title}: {dataset}"
    return title
