"""Names that users give cannot run in a spreadsheet, and stay text in pages and figures."""

from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest
from audio_cases import COLUMNS, ROWS, audio_folder
from figure_cases import domains_frame, figure_of, models_frame
from study_cases import component

from minimascope.analysis.render import Fold, html, latex, page
from minimascope.errors import InputError
from minimascope.plots.style import save_svg
from minimascope.study.names import fault_of_name

FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "-", " =1+1", "-x")
UNSEEN = ("\t=1+1", "a\nb", "a\0b", "\x1b[2J", "a\x85b", "a\u2028b", "\ud800")
VALUES = ("NA", "nan", "NULL", "None", "n/a", "<NA>", "true", "False", "Infinity")
PLAIN = ("none", "trues", "-0.5", "+1", "0", "a=b", "a-b", "naïve", "🐕", "nan1", "<script>", "$x$")


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_are_no_names(name):
    assert "formula" in fault_of_name(name)


@pytest.mark.parametrize("name", UNSEEN)
def test_characters_that_cannot_be_shown_are_in_no_name(name):
    assert "cannot be shown" in fault_of_name(name)


@pytest.mark.parametrize("name", VALUES)
def test_words_that_tables_take_for_values_are_no_names(name):
    assert "stands for a value" in fault_of_name(name)


@pytest.mark.parametrize("name", PLAIN)
def test_numbers_and_all_other_text_are_names(name):
    assert fault_of_name(name) == ""


def test_the_words_are_those_that_pandas_takes_for_missing_or_true(tmp_path):
    for name in VALUES[:8]:
        (tmp_path / "t.csv").write_text(f"name\n{name}\n{name}\n")
        assert list(pd.read_csv(tmp_path / "t.csv")["name"]) != [name, name]


@pytest.mark.parametrize("column", ["filename", "label", "domain"])
def test_a_table_of_recordings_with_a_formula_is_refused_by_name(tmp_path, column):
    place = COLUMNS.index(column)
    formula = "=1+1.wav" if column == "filename" else "=1+1"
    rows = [
        tuple(formula if at == place else cell for at, cell in enumerate(row))
        if row[place] == ROWS[0][place]
        else row
        for row in ROWS
    ]
    audio_folder(tmp_path, rows)
    with pytest.raises(InputError, match=rf"table\.csv: {column} '=1\+1.*formula.*; rename it"):
        component("dataset", "audio_folder")(tmp_path, "table.csv")


class Page(HTMLParser):
    """The tags and the text of an HTML page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)

    def handle_data(self, data):
        self.texts.append(data)


INJECTIONS = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "&lt;b&gt;", "a|b\\c")


@pytest.mark.parametrize("name", INJECTIONS)
def test_names_stay_text_in_pages(name):
    table = pd.DataFrame({name: [name, "**bold**"]}, index=pd.Index([name, "b"], name=name))
    found = Page(page(html([table, name, Fold(name, [name])])))
    cells = {"table", "thead", "tbody", "tr", "th", "td"}
    folds = {"details", "summary", "ul", "li"}
    assert found.tags <= {"meta", "style", "body", "div", "b", "p", *cells, *folds}
    # Two headers, a row, a cell, the paragraph, a title and a statement.
    assert found.texts.count(name) == 7
    assert "b" in found.tags


@pytest.mark.parametrize("name", [r"\input{/etc/passwd}", "$x$", "50%", "a_b^c~d", "#&{}"])
def test_names_stay_text_in_latex(name):
    table = pd.DataFrame({name: [name]}, index=pd.Index([name], name="Condition"))
    table.attrs["caption"] = name
    text = latex([table])
    assert name not in text
    assert r"\input{" not in text
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")


@pytest.mark.parametrize("name", [*INJECTIONS, r"$\frac{$", "$x$", "_hidden", "a\\nb", "😀"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_of_domains_stay_text_in_a_figure(name):
    models = models_frame()
    frame = domains_frame(models).replace({"name": {"B": name}})
    figure = figure_of("domains", {"domains": frame})
    svg = save_svg(figure)
    labels = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    assert name in labels
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert not tags & {"script", "image", "img", "foreignObject", "a"}
