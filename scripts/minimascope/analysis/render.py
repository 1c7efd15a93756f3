"""What readers see of tables – tables of text, paragraphs, folds – as Markdown, HTML and LaTeX.

In all of it ``**x**`` is bold, and everything else is text, whatever it holds.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd

from .numbers import MISSING

_BOLD = re.compile(r"\*\*(.+?)\*\*")
# Sentences of captions about bold cells, or about columns that a table may lack.
_ABOUT = re.compile(r" ?\b(Bold|All|Flips): .*?\.(?= |$)")
# Spaces within numbers and before their marks, where no line ends; it may before a power of ten or
# the end of an interval.
_WITHIN_NUMBERS = re.compile(r" (?=[±%†‡§])|(?<=[±×]) ")
# How a cell of numbers begins: maybe in bold, as an interval or a bound. The name 2d_cnn is none.
_NUMBER = re.compile(r"(\*\*)?[<>≤≥] ?\d|(\*\*)?[(\[]*[+−-]?(\d[\d.,]*+(?![A-Za-z_])|∞)")
_PLAIN_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
_LATEX_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "_%&#${}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "×": r"$\times$",
        "−": "$-$",
        "–": "--",
        "—": "---",
        "ρ": r"$\rho$",
        "†": r"$\dagger$",
        "‡": r"$\ddagger$",
        "§": r"\S{}",
    }
)
# A table that is too wide scrolls, with the keyboard, too.
_SCROLLED = '<div class="wide" role="region" aria-label="Table" tabindex="0">{}</div>'
_PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
body {{ font-family: sans-serif; font-size: 14px; overflow-x: auto }}
table {{ border-collapse: collapse }}
th, td {{ padding: 3px 10px; text-align: right }}
.text, tbody th, thead th:first-child {{ text-align: left }}
thead th {{ border-bottom: 1px solid; vertical-align: bottom }}
tbody th {{ font-weight: normal }}
tbody tr:nth-child(even) {{ background: #f4f4f4 }}
p, li {{ max-width: 95ch }}
</style>
<body>
{body}
</body>
"""


@dataclass(frozen=True)
class Fold:
    """Statements under a title; the first bold text of each is its class in HTML, too."""

    title: str
    statements: Sequence[str]


# Tables of text, folds and paragraphs, in their order. The ``attrs`` of a table may hold its
# ``caption``, which stands below it, ``labels``, if each cell is a label, and ``blocks``: lists of
# columns that HTML shows below each other, since all would be too wide.
Text = Sequence[pd.DataFrame | Fold | str]
# HTML folds longer tables, if asked to.
MOST_ROWS = 20
# More columns of estimates do not fit on a page.
MOST_COLUMNS = 6


def captioned(rows: object, caption: str) -> pd.DataFrame:
    """Return rows of text as a table with a caption; their first column names the rows.

    A column ``Note`` that is empty throughout is left out.
    """
    table = pd.DataFrame(rows)
    if "Note" in table and not table["Note"].any():
        table = table.drop(columns="Note")
    table = table.set_index(table.columns[0])
    table.attrs["caption"] = fitting(caption, table)
    return table


def fitting(caption: str, table: pd.DataFrame) -> str:
    """Return a caption without the sentences about bold cells or columns that a table lacks."""
    bold = any(_BOLD.search(cell) for cell in map(str, table.to_numpy(object).ravel()))
    there = {*table.columns, *(["Bold"] if bold else [])}
    return _ABOUT.sub(lambda found: found[0] if found[1] in there else "", caption).strip()


def in_blocks(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns HTML shows in blocks of at most `MOST_COLUMNS`, much alike."""
    count = math.ceil(len(table.columns) / MOST_COLUMNS)
    size = math.ceil(len(table.columns) / max(count, 1))
    columns = list(table.columns)
    table.attrs["blocks"] = [columns[at : at + size] for at in range(0, len(columns), max(size, 1))]
    return table


def joined(notes: pd.Series) -> str:
    """Return different notes as one text; one that is empty may be missing, as in a file."""
    return "; ".join(dict.fromkeys(notes[notes.notna() & (notes != "")]))


def markdown(text: Text) -> str:
    """Return a text in Markdown."""
    return "\n".join(map(_markdown, text))


def html(text: Text, folded: bool = False) -> str:
    """Return a text in HTML, without a page around it.

    Args:
        text: what to show.
        folded: whether tables of more than `MOST_ROWS` rows are folded.
    """
    return "\n".join(_html(part, folded) for part in text)


def latex(text: Text) -> str:
    """Return the tables of a text in LaTeX, each as wide as the text.

    Needs the packages booktabs and graphicx.
    """
    return "\n".join(_latex_table(part) for part in text if isinstance(part, pd.DataFrame))


def page(text: Text) -> str:
    """Return a text as an HTML page of its own."""
    return _PAGE.format(body=html(text))


RENDERERS = {"md": markdown, "html": page, "tex": latex}


def table_html(table: pd.DataFrame) -> str:
    """Return a table in HTML, without its caption; columns of text have the class ``text``."""
    cell = _html_label if table.attrs.get("labels") else _html_text
    classes = [' class="text"' if side == "left" else "" for side in _sides(table)]
    heads = zip(classes, table.columns, strict=True)
    # The name of the index is in the row of the columns' names, and not in one of its own.
    head = "".join(f"<th{of}>{_escaped(name)}</th>\n" for of, name in heads)
    rows = []
    for name, values in zip(table.index, _cells(table), strict=True):
        shown = zip(classes, values, strict=True)
        cells = "".join(f"<td{of}>{cell(value)}</td>\n" for of, value in shown)
        rows.append(f"<tr>\n<th>{_escaped(name)}</th>\n{cells}</tr>\n")
    first = _escaped(table.index.name or "")
    return (
        f"<table>\n<thead>\n<tr>\n<th>{first}</th>\n{head}</tr>\n</thead>\n"
        f"<tbody>\n{''.join(rows)}</tbody>\n</table>"
    )


def _cells(table: pd.DataFrame) -> list[list[object]]:
    """Return the cells of each row; missing ones are empty."""
    return table.astype(object).where(table.notna(), "").to_numpy().tolist()


def _sides(table: pd.DataFrame) -> list[str]:
    """Return to which side each column is aligned: ``right`` for numbers, ``left`` for text.

    A column is of numbers if half of its cells that say anything begin with one, so that a word
    where a number is lacking moves none.
    """
    rows = _cells(table)
    sides = []
    for at in range(len(table.columns)):
        said = [str(row[at]) for row in rows if row[at] not in ("", MISSING)]
        numbers = sum(bool(_NUMBER.match(cell)) for cell in said)
        sides.append("right" if 2 * numbers >= len(said) else "left")
    return sides


def _markdown(part: pd.DataFrame | Fold | str) -> str:
    if isinstance(part, str):
        return f"{part}\n"
    if isinstance(part, Fold):
        return "\n".join([f"**{part.title}**\n", *(f"- {item}" for item in part.statements), ""])
    alignment = ("left", *_sides(part))
    table = part.to_markdown(disable_numparse=True, colalign=alignment)
    caption = part.attrs.get("caption")
    return f"{table}\n\n{caption}\n" if caption else f"{table}\n"


def _html(part: pd.DataFrame | Fold | str, folded: bool) -> str:
    if isinstance(part, str):
        return f"<p>{_html_text(part)}</p>"
    if isinstance(part, Fold):
        items = "\n".join(f"<li>{_html_statement(item)}</li>" for item in part.statements)
        summary = f"<summary>{_escaped(part.title)}</summary>"
        return f'<details class="claim">{summary}\n<ul>\n{items}\n</ul>\n</details>'
    blocks = part.attrs.get("blocks", [list(part.columns)])
    tables = [_SCROLLED.format(table_html(part[columns])) for columns in blocks]
    if folded and len(part) > MOST_ROWS:
        summary = f"<summary>Show all {len(part)} rows</summary>"
        tables = [f"<details>{summary}", *tables, "</details>"]
    if caption := part.attrs.get("caption"):
        tables.append(f'<p class="note">{_html_text(caption)}</p>')
    return "\n".join(tables)


def _html_text(text: object) -> str:
    return _BOLD.sub(r"<b>\1</b>", _WITHIN_NUMBERS.sub("\u00a0", _escaped(text)))


def _html_label(text: str) -> str:
    """Return a text as a label whose class it is, too."""
    return f'<span class="label {_class(text)}">{_escaped(text)}</span>' if text else ""


def _class(text: str) -> str:
    return text.lower().replace(" ", "-")


def _html_statement(text: str) -> str:
    def bold(found: re.Match) -> str:
        return f'<b class="label {_class(found[1])}">{found[1]}</b>'

    return _BOLD.sub(bold, _escaped(text), count=1)


def _escaped(text: object) -> str:
    return escape(str(text))


def _latex_table(table: pd.DataFrame) -> str:
    escaped = table.map(_latex).rename(index=_latex, columns=_latex)
    text = escaped.rename_axis(index=None, columns=_latex(table.index.name)).to_latex(
        escape=False,
        column_format="l" + "".join(side[0] for side in _sides(table)),
        caption=_latex(table.attrs["caption"]),
        position="tbp",
    )
    fitted = "\\resizebox{\\textwidth}{!}{%\n\\begin{tabular}"
    return text.replace("\\begin{tabular}", fitted).replace("\\end{tabular}", "\\end{tabular}}")


def _latex(text: str) -> str:
    text = text.translate(_LATEX_SPECIAL)
    text = re.sub(
        "[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda match: f"$^{{{match[0].translate(_PLAIN_DIGITS)}}}$", text
    )
    return _BOLD.sub(r"\\textbf{\1}", text)
