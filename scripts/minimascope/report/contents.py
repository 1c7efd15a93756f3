"""What the report shows: results that lie in folders, in the order and with the captions of a list.

The list (report/contents.yaml) names sections and, in each, tables and figures with a title and a
caption. A figure of that name may exist for every network, for every data set or once.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from ..errors import InputError


class Part(NamedTuple):
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


class Section(NamedTuple):
    """Parts that belong together; ``anchor`` identifies it for links within the page."""

    title: str
    anchor: str
    parts: Sequence[Part]


def sections(contents: Sequence[Mapping[str, Any]], names: Iterable[str]) -> list[Section]:
    """Return the sections that a study has anything for, in the order of the list.

    Args:
        contents: of each section ``title`` and ``parts``, which maps a kind of result (`kind_of`)
            to its ``title`` and ``caption``.
        names: results relative to the study's folder.

    Raises:
        InputError: a result is in no section.
    """
    by_kind: dict[str, list[str]] = {}
    for name in names:
        by_kind.setdefault(kind_of(name), []).append(name)
    found = []
    for number, section in enumerate(contents, 1):
        parts = [
            Part(name, _title(texts["title"], name), texts["caption"])
            for kind, texts in section["parts"].items()
            for name in by_kind.pop(kind, [])
        ]
        if parts:
            found.append(Section(section["title"], f"section-{number}", parts))
    for kind, (name, *_) in by_kind.items():
        raise InputError(f"report: {name} is in no section; name {kind} in report/contents.yaml")
    return found


def kind_of(name: str) -> str:
    """Return a result's name without the data set and network that it is of.

    >>> kind_of("figures/digits/vit/controls")
    'figures/controls'
    """
    path = PurePosixPath(name)
    return f"{path.parts[0]}/{path.name}"


def _title(title: str, name: str) -> str:
    of = " on ".join(reversed(PurePosixPath(name).parts[1:-1]))
    return f"{title}: {of}" if of else title
