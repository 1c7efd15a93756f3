"""Tables in Markdown, as `analysis.render` writes them, laid out for a screen."""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest

GAP = "  "
_BOLD = re.compile(r"\*\*(.+?)\*\*")
# As wide as what it stands for: the four asterisks become spaces.
_BOLD_ON_A_TERMINAL = "    \033[1m\\1\033[0m"

# The head of a column, in lines, and its cells.
Column = tuple[list[str], Sequence[str]]


def narrow(markdown: str, width: int, terminal: bool = False) -> str:
    """Return a text whose tables and paragraphs fit into a number of characters.

    A table that is wider continues below, again with its first column; the names of columns are
    broken between words. A single column that is wider than the screen stays as it is. What is
    bold is in ``**``, or shown bold on a terminal.
    """
    parts = []
    for is_table, lines in groupby(markdown.splitlines(), lambda line: line.startswith("|")):
        if is_table:
            table = "\n\n".join(_blocks([_cells(line) for line in lines], width))
            parts.append(_BOLD.sub(_BOLD_ON_A_TERMINAL, table) if terminal else table)
        else:
            parts += (textwrap.fill(line, width) for line in lines if line)
    return "\n\n".join(parts)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _blocks(rows: list[list[str]], width: int) -> Iterator[str]:
    """Yield a table as tables that stand below each other, each with the first column."""
    head, _, *body = rows
    first, *others = map(_column, head, zip(*body, strict=True))
    shown: list[Column] = []
    for column in others:
        if shown and _width([first, *shown, column]) > width:
            yield _block([first, *shown])
            shown = []
        shown.append(column)
    yield _block([first, *shown])


def _column(name: str, cells: Sequence[str]) -> Column:
    widest = max(map(len, [*cells, *name.split()]))
    return textwrap.wrap(name, widest, break_on_hyphens=False), cells


def _widest(column: Column) -> int:
    head, cells = column
    return max(map(len, [*head, *cells]))


def _width(columns: Sequence[Column]) -> int:
    return sum(map(_widest, columns)) + len(GAP) * (len(columns) - 1)


def _block(columns: Sequence[Column]) -> str:
    heads, bodies = zip(*columns, strict=True)
    # Heads of fewer lines begin lower, above their cells.
    lines = reversed([*zip_longest(*map(reversed, heads), fillvalue="")])
    widths = [*map(_widest, columns)]
    rule = GAP.join("-" * width for width in widths)
    return "\n".join([*_aligned(lines, widths), rule, *_aligned(zip(*bodies, strict=True), widths)])


def _aligned(rows: Iterable[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """Yield lines with the first cell to the left and the others to the right."""
    for first, *others in rows:
        cells = map(str.rjust, others, widths[1:])
        yield GAP.join([first.ljust(widths[0]), *cells]).rstrip()
