"""Tables as HTML pages of their own, as the report shows them."""

import re
from html import escape

import pandas as pd

_PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
body {{ font-family: sans-serif; font-size: 14px; overflow-x: auto }}
table {{ border-collapse: collapse }}
th, td {{ padding: 3px 10px; text-align: right; white-space: nowrap }}
thead th {{ border-bottom: 1px solid; white-space: normal; vertical-align: bottom }}
tbody th {{ text-align: left; font-weight: normal }}
tbody tr:nth-child(even) {{ background: #f4f4f4 }}
</style>
<body>
{body}
</body>
"""


def page(*parts: str) -> str:
    """Return an HTML page that needs no other file, from tables and paragraphs."""
    return _PAGE.format(body="\n".join(parts))


def body_of(text: str) -> str:
    """Return what `page` was made of, as one text."""
    return text.partition("<body>")[2].partition("</body>")[0]


def table_html(table: pd.DataFrame) -> str:
    """Return a table of text as HTML; ``**x**`` becomes bold, everything else is escaped."""
    cells = table.astype(object).where(table.notna(), "")
    cells = cells.map(lambda text: re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", _escaped(text)))
    cells = cells.rename(index=_escaped, columns=_escaped)
    for axis in (cells.index, cells.columns):
        axis.names = [name and _escaped(name) for name in axis.names]
    return cells.to_html(escape=False, border=0)


def _escaped(text: object) -> str:
    return escape(str(text))


def paragraph(text: str) -> str:
    """Return a paragraph of plain text as HTML."""
    return f"<p>{escape(text)}</p>"
