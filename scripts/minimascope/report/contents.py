"""What the report shows: results that lie in folders, in the order and with the captions of a list.

The list (report/contents.yaml) names sections and, in each, tables and figures with a title and a
caption, which depend on the facts of the study. A figure of that name may exist for every network,
for every data set or once. What the list does not name, such as a figure of your own, is described
by its name and its docstring.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml
from jinja2 import StrictUndefined, Template

from ..registry import find
from ..study.signatures import docstring

# Where what the list does not name is shown.
OWN = "Your own"
# The tables that captions depend on, where the study has them; see `facts.Facts`.
TABLES_OF_FACTS = (
    "measures",
    "conditions",
    "trends",
    "domains",
    "agreement",
    "adopted",
    "barriers",
)


class Part(NamedTuple):
    """A table, figure or surface of the report.

    Attributes:
        name: where it lies in the study's results, such as ``figures/digits/vit/conditions``.
        title: heading; with the network and the data set where it is of these.
        caption: what it is and how to read it.
        papers: those that it is about, by their ids.
    """

    name: str
    title: str
    caption: str
    papers: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """Identifier for links within the page."""
        return self.name.replace("/", "-").replace(".", "-")


class Section(NamedTuple):
    """Parts that belong together; ``anchor`` identifies it for links within the page."""

    title: str
    anchor: str
    parts: Sequence[Part]


def contents_of(text: str, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the list, with the titles and captions of a study.

    Args:
        text: of report/contents.yaml, in YAML, a template of Jinja2.
        facts: what it is filled with, see `facts.Facts`.

    Raises:
        jinja2.UndefinedError: it asks for something that is not among the facts.
    """
    return yaml.safe_load(Template(text, undefined=StrictUndefined).render(facts))


def sections(
    contents: Sequence[Mapping[str, Any]], names: Iterable[str], parts: Path | None = None
) -> list[Section]:
    """Return the sections that a study has anything for, in the order of the list.

    Results of a kind that the list does not name come last, under `OWN`.

    Args:
        contents: of `contents_of`; of each section ``title`` and ``parts``, which maps a kind of
            result (`kind_of`) to its ``title`` and ``caption``, and to the ids of its ``papers`` if
            it has any.
        names: results relative to the study's folder.
        parts: the user's own file; see `registry.find`.
    """
    by_kind: dict[str, list[str]] = {}
    for name in names:
        by_kind.setdefault(kind_of(name), []).append(name)
    listed = {kind for section in contents for kind in section["parts"]}
    own = {kind: described(kind, parts) for kind in by_kind if kind not in listed}
    found = []
    for number, section in enumerate([*contents, {"title": OWN, "parts": own}], 1):
        parts = [
            Part(name, _title(texts["title"], name), texts["caption"], texts.get("papers", ()))
            for kind, texts in section["parts"].items()
            for name in by_kind.get(kind, [])
        ]
        if parts:
            found.append(Section(section["title"], f"section-{number}", parts))
    return found


def described(kind: str, parts: Path | None = None) -> dict[str, str]:
    """Return a title, made of the name, and a caption: its function's docstring up to a blank line.

    Args:
        kind: that of a registered table or figure; see `kind_of`.
        parts: the user's own file; see `registry.find`.
    """
    folder, _, name = kind.partition("/")
    caption = docstring(find(folder, name, parts))
    title = name.replace("_", " ")
    return {
        "title": title[0].upper() + title[1:],
        "caption": caption.replace("`", ""),
    }


def as_rst(text: str) -> str:
    r"""Return plain text as reStructuredText that is a template of Jinja2 besides.

    >>> print(as_rst("5 * {{ x }}"))
    5 \* \{\{ x \}\}
    """
    return re.sub(r"([^\w\s]|_)", r"\\\1", text)


def kind_of(name: str) -> str:
    """Return a result's name without the data set and network that it is of.

    >>> kind_of("figures/digits/vit/conditions")
    'figures/conditions'
    """
    path = PurePosixPath(name)
    return f"{path.parts[0]}/{path.name}"


def _title(title: str, name: str) -> str:
    of = " on ".join(reversed(PurePosixPath(name).parts[1:-1]))
    return f"{title}: {of}" if of else title
