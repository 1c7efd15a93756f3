import base64
import re
import shutil
import subprocess
from html import unescape
from inspect import getdoc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from docutils.core import publish_parts
from jinja2 import Template, UndefinedError

import minimascope
from minimascope.analysis.measure_names import MEASURES
from minimascope.errors import InputError
from minimascope.plots import reliability
from minimascope.report.contents import OWN, Part, Section, as_rst, contents_of, sections
from minimascope.report.facts import Facts
from minimascope.report.opening import data_in_words, held_out_in_words
from minimascope.report.page import LARGEST_DOWNLOAD, Figure, Files, content, render
from minimascope.report.provenance import commit, jobs_table, made_with, provenance_tables
from minimascope.report.tidy import tidy_tables
from minimascope.study.adopted import adopted_conditions
from minimascope.tables_and_figures import ALL_FIGURES, PAGES, TABLES

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "report"
PAPERS = yaml.safe_load((ROOT / "resources" / "papers.yaml").read_text(encoding="utf-8"))
CONTENTS = contents_of(
    (REPORT / "contents.yaml").read_text(encoding="utf-8"),
    dict.fromkeys(Facts._fields, 2),
)
TEMPLATE = (REPORT / "page.html.j2").read_text(encoding="utf-8")
LIST = [
    {
        "title": "First",
        "parts": {
            "figures/b": {"title": "B", "caption": "What b is."},
            "tables/a": {"title": "A", "caption": "What a is."},
        },
    },
    {"title": "Second", "parts": {"figures/c": {"title": "C", "caption": "What c is."}}},
]


def test_parts_come_in_the_order_of_the_list_and_networks_in_that_of_the_study():
    names = ["tables/a", "figures/digits/vit/b", "figures/digits/b"]
    (first,) = sections(LIST, names)
    assert [part.name for part in first.parts] == [*names[1:], names[0]]
    assert [part.title for part in first.parts] == ["B: vit on digits", "B: digits", "A"]
    assert [part.caption for part in first.parts] == ["What b is."] * 2 + ["What a is."]


def test_a_section_without_results_is_left_out():
    assert [section.title for section in sections(LIST, ["figures/c"])] == ["Second"]
    assert sections(LIST, []) == []


def test_what_no_section_names_comes_last_with_its_name_and_docstring():
    names = ["figures/x/d/reliability", "tables/main", "figures/c"]
    listed, own = sections(LIST, names)
    assert (listed.title, own.title) == ("Second", OWN)
    figure, table = own.parts
    assert (figure.title, table.title) == ("Reliability: d on x", "Main")
    assert figure.caption == " ".join(getdoc(reliability.plot).partition("\n\n")[0].split())
    assert table.caption.startswith("Return what the main_table of each network shows")


def test_a_caption_comes_through_jinja_and_restructuredtext_as_it_is():
    caption = (
        r"1. |ρ| *not* `x`_ ``y`` {{ z }} {% if %} {# # #} a_b_ [1]_ \n :sub:`2` https://x.y – ×"
    )
    rendered = publish_parts(Template(as_rst(caption)).render(), writer="html")["body"]
    assert unescape(rendered) == f"<p>{caption}</p>\n"


def test_every_registered_table_and_figure_and_nothing_else_has_a_title_and_a_caption():
    kinds = {kind: texts for section in CONTENTS for kind, texts in section["parts"].items()}
    shown = {f"figures/{name}" for name in (*ALL_FIGURES, *PAGES)}
    shown |= {f"tables/{name}" for name, table in TABLES.items() if table.text}
    assert kinds.keys() == shown
    for kind, texts in kinds.items():
        sentences = re.findall(r"[.!?](?=\s|$)", texts["caption"])
        assert len(sentences) >= 2 or kind.startswith("tables/"), kind
        assert texts.keys() - {"papers"} == {"title", "caption"}
        assert set(texts.get("papers", ())) <= PAPERS.keys()


def test_papers_are_named_as_where_their_numbers_come_from():
    rows = (ROOT / "resources" / "published" / "README.md").read_text(encoding="utf-8").splitlines()
    for name, paper in PAPERS.items():
        (row,) = (row for row in rows if row.startswith(f"| `{name}` |"))
        assert paper["title"] in row
        assert paper["authors"].replace(" and ", ", ") in row
        assert f"arXiv:{paper['arxiv']}" in row if "arxiv" in paper else "arXiv" not in row
        assert str(paper["year"]) in name
    claims = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    for name in ("function_centric_2026", "geometric_reappraisal_2025"):
        assert PAPERS[name]["title"] in claims


FILES = Files(
    tables={"tables/a": "<table></table>\n<p>a &amp; b</p>"},
    figures={"figures/b": Figure("<svg>ä</svg>", "../published/figures/b")},
    downloads={"tables/a": "x,y\n1,ü\n"},
    surfaces={"figures/d/n/landscape": '{"title": "</script><b>"}'},
)


def test_a_figure_is_embedded_byte_for_byte_and_its_title_escaped():
    html = content(Part("figures/b", 'B "<i>"', "?"), FILES)
    (source,) = re.findall(r'src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert base64.b64decode(source).decode() == "<svg>ä</svg>"
    assert 'alt="B &#34;&lt;i&gt;&#34;"' in html


def test_beside_a_figure_are_links_to_its_files():
    html = content(Part("figures/b", "B", "?"), FILES)
    assert re.findall(r'href="([^"]*)">(\w+)</a>', html) == [
        ("../published/figures/b.svg", "SVG"),
        ("../published/figures/b.pdf", "PDF"),
    ]


def test_a_table_comes_with_its_csv_unless_that_is_large():
    part = Part("tables/a", "A", "?")
    html = content(part, FILES)
    assert "<table></table>\n<p>a &amp; b</p>" in html
    (source,) = re.findall(r'<a download="a.csv" href="data:text/csv;base64,([^"]*)"', html)
    assert base64.b64decode(source).decode() == "x,y\n1,ü\n"
    large = Files(FILES.tables, {}, {}, {part.name: "x" * (LARGEST_DOWNLOAD + 1)})
    assert "download" not in content(part, large)
    assert "download" not in content(part, Files(FILES.tables, {}, {}, {}))


def test_a_surface_cannot_end_the_script_it_is_in():
    html = content(Part("figures/d/n/landscape", "L", "?"), FILES)
    assert html.count("</script>") == 1
    assert '{"title": "<\\/script><b>"}' in html


DIGITS = {"digits": {"training": {}, "conditions": {}}}


def rendered(*parts, files=FILES, **config) -> str:
    settings = {"study": "s", "networks": {}, "datasets": {}, "sweeps": {}}
    settings |= {"conditions": {"a": {}, "b": {}}, "training": {}}
    settings |= {"seeds": [1, 2], "protocol": "corrected", **config}
    measures = pd.DataFrame({"measure": ["test_ece"], "family": ["evaluation"], "unit": ["1"]})
    parts = parts or [Part("figures/b", "B<", "What b is.")]
    shown = [Section("One & two", "section-1", parts)]
    texts = {"config": settings, "conditions": ["b", "a"], "configuration": "a: <b>", "plotly": ""}
    texts["adopted"] = adopted_conditions(settings)
    texts["tidy"] = tidy_tables(["models", "measures", "unlisted"])
    texts |= {"held_out": ["swad learns from 48."]}
    texts |= {"papers": PAPERS, "published": False, "data": ["digits (60 samples for testing)"]}
    return render(TEMPLATE, shown, files, measures, {"Jobs": pd.DataFrame({"s": [1.5]})}, **texts)


def test_the_page_needs_no_other_file_and_escapes_what_it_is_filled_with():
    html = rendered(study="<script>")
    assert "<script>" not in html.partition("<main>")[0]
    assert "One &amp; two" in html
    assert "B&lt;" in html
    assert "a: &lt;b&gt;" in html
    assert MEASURES["test_ece"].description in html
    assert MEASURES["test_nll"].description not in html
    sources = set(re.findall(r'(?:src|href)="([^"]*)"', html))
    offered = {"../published/figures/b.svg", "../published/figures/b.pdf"}
    offered |= {"tables/measures.csv", "tables/models.csv"}
    assert offered < sources
    assert all(source.startswith(("#", "data:")) for source in sources - offered)


def test_papers_stand_where_their_claims_do():
    html = rendered(Part("tables/a", "A", "What a is.", ["function_centric_2026"]))
    assert html.count("arXiv:2510.12451") == 1
    assert "arXiv:" not in rendered()
    assert "in tables" not in html, "no table of this report names papers by their ids"


def test_a_caption_stands_once_for_figures_of_several_networks():
    parts = [Part(f"figures/d/{name}/b", f"B: {name}", "What b is.") for name in ("n", "m")]
    parts.append(Part("tables/a", "A", "What a is."))
    figures = {part.name: Figure("<svg/>", "b") for part in parts[:2]}
    html = rendered(*parts, files=FILES._replace(figures=figures))
    assert html.count("What b is.") == html.count("What a is.") == 1


def test_a_figure_that_has_nothing_to_draw_is_one_line():
    files = FILES._replace(
        figures={
            "figures/b": Figure(
                "<svg><dc:description>no pairs &amp; no</dc:description></svg>", "b"
            )
        }
    )
    html = rendered(files=files)
    assert "B&lt;: no pairs &amp; no." in html
    assert "What b is." not in html
    assert "<img src" not in html


def test_headings_come_in_order():
    levels = [int(level) for level in re.findall(r"<h([1-6])", rendered())]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_link_within_the_page_has_a_target():
    html = rendered()
    anchors = set(re.findall(r'href="#([^"]*)"', html))
    assert anchors == {"section-1", "measures", "tables", "provenance"}
    assert anchors <= set(re.findall(r'id="([^"]*)"', html))


def test_the_opening_says_what_kind_of_study_it_is():
    data = rendered(datasets=DIGITS)
    toys = rendered(datasets={})
    published = rendered(protocol="published", datasets=DIGITS)
    assert ["All conditions of a seed" in page for page in (data, toys)] == [True, False]
    assert ["learn is known exactly" in page for page in (data, toys)] == [False, True]
    assert ["artefacts included" in page for page in (data, published)] == [False, True]


def test_the_opening_says_what_each_condition_sets():
    html = rendered(
        datasets={"digits": {"training": {"epochs": 5}, "conditions": {}}},
        training={"optimizer": {"lr": 0.02, "momentum": 0.9}, "sam": None},
        conditions={"a": {"sam": {"rho": 0.05}, "augment": {"horizontal_flip": 0.5}}, "b": {}},
        sweeps={"radii": {"axes": {"training.sam.rho": [0.1, 0.2]}, "conditions": ["a"]}},
    )
    assert "All train with optimizer.lr 0.02, optimizer.momentum 0.9, unless" in html
    assert "<b>a</b>: augment.horizontal_flip 0.5, sam.rho 0.05<" in html
    assert "<b>b</b>: as above<" in html
    assert "<b>radii</b>: sam.rho [0.1, 0.2], of a<" in html
    assert "<b>digits</b>: training.epochs 5<" in html
    assert "on digits (60 samples for testing), under" in html


def test_the_opening_says_which_conditions_have_a_norm_of_their_own():
    html = rendered(datasets=DIGITS, conditions={"a": {}, "b": {"norm": "none"}})
    assert "b has a norm of its own (none), with weights from the same draws." in html
    assert "a has a norm" not in html


def test_the_opening_says_which_conditions_were_trained_elsewhere():
    theirs = {"checkpoint": "a.pt"}
    some = rendered(datasets=DIGITS, conditions={"a": {}, "b": theirs})
    assert "All conditions of a seed that are trained here start from the same" in some
    assert "Trained elsewhere: b." in some
    assert "<p>Those that are trained here train with" in some
    assert "<b>b</b>: checkpoint a.pt<" in some
    all_of_them = rendered(datasets=DIGITS, conditions={"a": theirs, "b": theirs})
    assert "Trained elsewhere: a, b." in all_of_them
    assert "start from the same initial weights" not in all_of_them
    assert "train with" not in all_of_them


def test_data_sets_are_named_with_their_samples_as_far_as_these_are_known():
    rows = [("few", "train_accuracy", 120), ("few", "test_accuracy", 60), ("few", "test_ece", 7)]
    rows.append(("half", "test_accuracy", 1297))
    measures = pd.DataFrame(rows, columns=["dataset", "measure", "n"])
    assert data_in_words(["few", "half", "none"], measures) == [
        "few (120 samples for training, 60 samples for testing)",
        "half (1,297 samples for testing)",
        "none",
    ]


def test_test_samples_of_unseen_domains_are_told_beside_those_of_the_data_set():
    measures = pd.DataFrame(
        [("a", "test_accuracy", 60), ("b", "test_accuracy", 50)],
        columns=["dataset", "measure", "n"],
    )
    rows = [
        *[("a", seed, "domain", name, seen, n)
          for seed in (0, 1)
          for name, seen, n in (("1", True, 20), ("2", False, 30), ("3", False, 10))],
        ("b", 0, "domain", "1", True, 50),
        ("b", 0, "city", "Graz", None, 50),
    ]  # fmt: skip
    domains = pd.DataFrame(rows, columns=["dataset", "seed", "kind", "name", "seen", "n"])
    one, other = data_in_words(["a", "b"], measures, domains)
    assert one.startswith(
        "a (60 samples for testing, 40 of these from domains never seen in training: 2, 3; test"
        " accuracy, generalisation gap, ECE"
    )
    assert other == "b (50 samples for testing)"


def test_conditions_that_learn_from_fewer_samples_than_the_others_are_named_with_how_many():
    rows = [("a", "swad"), ("a", "baseline"), ("a", "both"), ("b", "swad"), ("b", "baseline")]
    conditions = pd.DataFrame(rows, columns=["dataset", "condition"])
    measures = pd.DataFrame([("a", "train_accuracy", 1300)], columns=["dataset", "measure", "n"])
    assert held_out_in_words(conditions, measures) == []
    conditions = conditions.assign(**{"averaging.validation": [0.2, None, 0.2, 0.5, None]})
    several = held_out_in_words(conditions, measures)
    assert several == [
        "swad and both learn from 1,040 of the 1,300 samples for training on a:"
        " a share of 0.2 is held out for validation.",
        "swad learns from fewer samples for training on b:"
        " a share of 0.5 is held out for validation.",
    ]
    [one] = held_out_in_words(conditions[conditions["dataset"] == "a"].iloc[:2], measures)
    assert one.startswith("swad learns from 1,040 of the 1,300 samples for training: a share")
    assert "swad learns from 48." in rendered(datasets=DIGITS).partition("<main>")[0]


def test_a_template_that_asks_for_more_than_it_gets_is_refused():
    with pytest.raises(UndefinedError):
        render("{{ nothing }}", [], FILES, pd.DataFrame(columns=["measure", "family", "unit"]), {})


def record(seconds: float, memory: str | float) -> pd.DataFrame:
    return pd.DataFrame({"s": [seconds], "max_rss": [memory], "cpu_time": [2 * seconds]})


def test_jobs_are_added_up_by_rule_the_longest_first():
    records = {
        "plot/a.tsv": record(1, "-"),
        "train/d/n/c/seed0.tsv": record(2.5, 700.25),
        "train/d/n/c/seed1.tsv": record(4, "500"),
    }
    table = jobs_table(records)
    assert list(table.index) == ["train", "plot"]
    assert table.loc["train"].to_list() == [2, 6.5, 13, 4, 700.2]
    assert table.loc["plot"].to_list()[:4] == [1, 1, 2, 1]
    assert pd.isna(table.loc["plot", "Memory (MB)"])
    assert jobs_table({}).empty


def test_a_record_without_seconds_is_refused_by_name():
    with pytest.raises(InputError, match=r"benchmarks/plot/a\.tsv: no record of a job"):
        jobs_table({"plot/a.tsv": pd.DataFrame({"x": [1]})})


def test_the_report_says_what_made_it(tmp_path: Path):
    jobs = jobs_table({"train/a.tsv": record(4, 1), "plot/a.tsv": record(1.4, "-")})
    made = made_with(tmp_path, jobs)[""]
    assert made["minimascope"] == minimascope.__version__
    assert made["Commit"] == "unknown (no git repository)"
    assert (made["Time of all jobs"], made["Processor time of all jobs"]) == (
        "5 s",
        "at least 11 s",
    )


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_commit_is_told_with_whether_the_checkout_was_changed(tmp_path: Path):
    def git(*arguments: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        command = ["git", "-C", str(tmp_path), *author, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    assert commit(tmp_path) is None, "no commit yet"
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "--message", "First")
    (tmp_path / "results").mkdir()
    assert commit(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "a").write_text("2")
    assert commit(tmp_path) == git("rev-parse", "HEAD") + ", with changes"
    assert commit(tmp_path / "results") is None, "a folder in another repository"


def test_devices_and_data_are_told_from_the_documents():
    documents = pd.DataFrame(
        [
            ("d", "forward", 1.0, "cpu", "abc"),
            ("d", "forward", 2.0, "NVIDIA H200", "abc"),
            ("d", "forward", 3.0, "cpu", "abc"),
            ("e", "evaluation", 4.0, "cpu", "def"),
        ],
        columns=["dataset", "family", "seconds", "device", "data"],
    )
    networks = pd.DataFrame(
        [("d", "vit", None, 1_234_567, 26)],
        columns=["dataset", "network", "norm", "parameters", "weight_layers"],
    )
    tables = provenance_tables(documents, networks)
    assert tables["Networks"].loc["d"].tolist() == ["vit", "–", "1,234,567", 26]
    found = tables["Devices"].reset_index().to_numpy().tolist()
    assert found == [
        ["evaluation", "cpu", 1, 4.0],
        ["forward", "NVIDIA H200", 1, 2.0],
        ["forward", "cpu", 2, 4.0],
    ]
    assert tables["Data"].iloc[:, 0].to_dict() == {"d": "abc", "e": "def"}
    assert tables["Packages"].loc["numpy", "Version"] == np.__version__
