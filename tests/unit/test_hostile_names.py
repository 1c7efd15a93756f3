"""Names that users give cannot run in a spreadsheet, and stay text in pages and figures."""

import csv
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest
from audio_cases import COLUMNS, ROWS, audio_folder
from model_frames import domains_frame, models_frame
from PIL import Image

from minimascope.analysis.html import page, paragraph, table_html
from minimascope.analysis.tables import to_latex
from minimascope.data import image_folder
from minimascope.data.audio_folder import load as load_recordings
from minimascope.data.recordings import read_recordings, write_recordings
from minimascope.errors import InputError
from minimascope.names import fault_of_name
from minimascope.plots import domains
from minimascope.plots.style import save_svg

FORMULAS = (
    *("=1+1", '=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "=", "-", " =1+1"),
    *("-x", "+a", "-1e"),
)
UNSEEN = ("\t=1+1", "a\tb", "\rx", "a\nb", "a\0b", "\x1b[2J", "a\x85b", "a\u2028b", "\ud800")
VALUES = ("NA", "nan", "NULL", "None", "true", "False", "inf", "Infinity", "n/a", "<NA>")
PLAIN = (
    *("none", "Na", "Nan", "trues"),
    *(
        "dog",
        "-0.5",
        "+1",
        "-12",
        "0",
        "1,5",
        "a=b",
        "a-b",
        "a@b",
        "naïve",
        "犬",
        "🐕",
        "S1",
        "nan1",
    ),
    *("<script>", "a|b", "a_b", "50 %", "a\\b", "$x$", "a&b", "New York", "information"),
)


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
    for name in (*VALUES[:6], "n/a", "<NA>"):
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
        load_recordings(tmp_path, "table.csv")


def test_what_is_written_of_recordings_holds_no_formula(tmp_path):
    audio_folder(tmp_path, [(f"{n}.wav", *row[1:]) for n, row in enumerate(ROWS)])
    recordings = load_recordings(tmp_path, "table.csv")
    write_recordings(tmp_path / "written.csv", recordings)
    with (tmp_path / "written.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell and fault_of_name(cell) and cell not in "truefalse"]
    changed = (tmp_path / "written.csv").read_text().replace("watch", "=1+1")
    (tmp_path / "written.csv").write_text(changed)
    with pytest.raises(InputError, match=r"written\.csv: domain '=1\+1'"):
        read_recordings(tmp_path / "written.csv")


def test_a_class_of_pictures_with_a_formula_for_a_name_is_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / split / "=1+1").mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / split / "=1+1" / "1.png")
    with pytest.raises(
        InputError, match=r"class '=1\+1' would run as a formula.*rename its folder"
    ):
        image_folder.load(tmp_path, ".")


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
    found = Page(page(table_html(table), paragraph(name)))
    cells = {"table", "thead", "tbody", "tr", "th", "td"}
    assert found.tags <= {"meta", "style", "body", "b", "p", *cells}
    assert found.texts.count(name) == 5  # two headers, a row, a cell and the paragraph
    assert "b" in found.tags


@pytest.mark.parametrize("name", [r"\input{/etc/passwd}", "$x$", "50%", "a_b^c~d", "#&{}"])
def test_names_stay_text_in_latex(name):
    table = pd.DataFrame({name: [name]}, index=pd.Index([name], name="Condition"))
    table.attrs["caption"] = name
    text = to_latex(table)
    assert name not in text
    assert r"\input{" not in text
    assert text.count("{") - text.count("\\{") == text.count("}") - text.count("\\}")


@pytest.mark.parametrize("name", [*INJECTIONS, r"$\frac{$", "$x$", "_hidden", "a\\nb", "😀"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_of_domains_stay_text_in_a_figure(name):
    models = models_frame()
    frame = domains_frame(models).replace({"name": {"B": name}})
    figure = domains.plot(frame, models["dataset"].iloc[0])
    svg = save_svg(figure)
    labels = [label.get_text() for axes in figure.axes for label in axes.get_xticklabels()]
    assert name in labels
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}
    assert not tags & {"script", "image", "img", "foreignObject", "a"}
