"""A study run from raw data to its report: all is there, can be read and says what it is."""

import base64
import csv
import json
import math
import re
from collections import Counter
from html import unescape
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from documented_tables import ALONG_AND_BETWEEN, check_columns, documented_tables
from markupsafe import escape
from safetensors import safe_open
from safetensors.numpy import load_file
from scipy.special import softmax
from small_study import ALONG, ROOT, STUDY, Project

from minimascope.analysis.claims_text import text as claims_text
from minimascope.analysis.render import html
from minimascope.files import read_json as read_document
from minimascope.npz import read_npz
from minimascope.plots.notices import notice_of
from minimascope.report.contents import contents_of, kind_of
from minimascope.report.facts import facts_of
from minimascope.report.tidy import TIDY
from minimascope.tables_and_figures import FIGURES

pytestmark = pytest.mark.workflow

RUN = ["dataset", "network", "condition", "seed"]
# What stands where there is no table to show: two conditions, whose training nobody judges.
SENTENCES = {
    "trained": "Whether the networks trained is not judged",
    "trends": "there are too few conditions for intervals",
    "interactions": "No condition besides the baseline is there both with and without SAM",
}
RUNS = [(condition, seed) for condition in STUDY["conditions"] for seed in STUDY["seeds"]]


def summary(project: Project) -> pd.DataFrame:
    """Return what Snakemake says about each file of the study: rule, log, inputs, status."""
    result = project.run(STUDY, "--detailed-summary", "--quiet", "all")
    assert result.returncode == 0, result.stdout
    lines = result.stdout.splitlines()
    (first,) = (row for row, line in enumerate(lines) if line.startswith("output_file\t"))
    table = list(csv.DictReader(lines[first:], delimiter="\t"))
    return pd.DataFrame(table).set_index("output_file")


@pytest.fixture(scope="module")
def files(finished: Project) -> pd.DataFrame:
    return summary(finished)


def read_csv(path: Path) -> None:
    # Nothing of this study has SAM and another setting beside it, or SAM at three radii.
    empty = path.stem in ("interactions", "sam_radius")
    assert (len(pd.read_csv(path)) == 0) == empty, path


def read_json(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    kind = "pictures" if path.parent.name == "corrupted" else path.stem
    assert content[{"pictures": "pictures", "ensemble": "corruptions"}.get(kind, "measures")]


def read_svg(path: Path) -> None:
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.find(".//{http://www.w3.org/2000/svg}path") is not None


def read_safetensors(path: Path) -> None:
    with safe_open(path, framework="numpy") as file:
        assert all(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118
        assert json.loads(file.metadata()["minimascope"])


def read_arrays(path: Path) -> None:
    assert all(array.size for array in read_npz(path).values())


def read_html(path: Path) -> None:
    opened: Counter[str] = Counter()
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _: opened.update([tag])
    parser.feed(path.read_text(encoding="utf-8"))
    if path.parent.name == "tables":
        assert opened["p"] if path.stem in SENTENCES else opened["tr"] + opened["li"] > 1
        return
    assert opened["tr"] > opened["table"] >= 8
    assert opened["li"] >= opened["details"] >= 5


def read_markdown(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.stem in SENTENCES:
        assert SENTENCES[path.stem] in text
        return
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) > 2
    assert any(set(line) <= set("|:- ") for line in lines)
    if path.stem in ("main", "sharpness"):
        assert len(lines) == 2 + len(STUDY["conditions"])


def read_latex(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def read_pdf(path: Path) -> None:
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")


READERS = {
    ".csv": read_csv,
    ".json": read_json,
    ".svg": read_svg,
    ".pdf": read_pdf,
    ".safetensors": read_safetensors,
    ".npz": read_arrays,
    ".html": read_html,
    ".md": read_markdown,
    ".tex": read_latex,
}


def test_every_file_that_was_promised_can_be_read(finished: Project, files: pd.DataFrame):
    assert set(files.status) == {"ok"}
    assert set(files.plan) == {"no update"}
    for name in files.index:
        READERS[Path(name).suffix](finished.folder / name)


def test_every_table_and_figure_of_the_study_was_promised(files: pd.DataFrame):
    of_all = ("outcomes", "sharpness_accuracy", "trends", "ensembles")
    figures = {f"figures/digits/{name}" for name in of_all} | {
        f"figures/digits/resnet18/{name}"
        for name, figure in FIGURES.items()
        if not set(figure.needs) & {"hessian", "landscape", "interpolation", "agreement"}
        and name not in ("sweep", "landscape_eigenvectors", "gap_prediction", *ALONG)
    }
    tables = {
        f"tables/{name}.csv"
        for name in (
            *("conditions", "measures", "provenance", "history", "summary", "seed_values"),
            *("main", "sharpness", "ensembles", "ensemble_gain"),
            *("models", "correlations", "variance_shares", "statistics", "claims"),
            *("trends", "trend_points", "rank_agreement", "answer"),
            *("outcomes", "outcome_shares", "interactions", "sam_radius"),
        )
    }
    readable = ("main", "sharpness", "correlations", "statistics", "trends", "claims", "ensembles")
    readable += ("answer", "outcomes", "interactions")
    tables |= {f"tables/{name}.{end}" for name in readable for end in ("md", "html")}
    tables |= {"tables/main.tex"}
    figures = {f"{name}.{end}" for name in figures for end in ("svg", "pdf")}
    expected = figures | tables | {"report.html"}
    of_published = ("claims", "outcomes", "interactions")
    published = {"tables/toy_geometry", *(f"tables/published_{name}" for name in of_published)}
    published = {f"{name}.{end}" for name in published for end in ("csv", "md", "html")}
    published |= {"figures/toy_geometry.svg", "figures/toy_geometry.pdf"}
    assert {f"results/small/{name}" for name in expected} <= set(files.index)
    assert {f"results/published/{name}" for name in published} <= set(files.index)


def test_nothing_else_lies_in_the_results(finished: Project, files: pd.DataFrame):
    made = {path for path in (finished.folder / "results").rglob("*") if path.is_file()}
    records = {path for path in made if path.suffix in (".log", ".tsv")}
    # Which file the results are of.
    note = finished.results("logs/study.txt")
    assert made - records - {note} == {finished.folder / name for name in files.index}
    assert len(records) == 2 * files["log-file(s)"].nunique()


def test_every_job_has_a_log_that_ends_well_and_a_benchmark(finished: Project, files: pd.DataFrame):
    for name in set(files["log-file(s)"]):
        log = finished.folder / name
        assert log.read_text(encoding="utf-8").splitlines()[-1].startswith("finished in ")
        benchmark = str(log).replace("/logs/", "/benchmarks/").replace(".log", ".tsv")
        measured = pd.read_csv(benchmark, sep="\t").iloc[0]
        assert measured["s"] > 0


def test_all_conditions_of_a_seed_start_from_one_initial_file(files: pd.DataFrame):
    starts: dict[str, set[str]] = {}
    for condition, seed in RUNS:
        model = f"results/small/models/digits/resnet18/{condition}/seed{seed}/model.safetensors"
        inputs = files.loc[model, "input-file(s)"].split(",")
        (initial,) = (name for name in inputs if "/initial/" in name)
        starts.setdefault(initial, set()).add(condition)
    assert starts == {
        f"results/small/models/digits/resnet18/initial/seed{seed}.safetensors": set(
            STUDY["conditions"]
        )
        for seed in STUDY["seeds"]
    }


def test_the_table_of_measures_has_one_complete_row_for_each_run_and_measure(finished: Project):
    table = pd.read_csv(finished.results("tables/measures.csv"))
    assert not table.duplicated([*RUN, "measure"]).any()
    assert set(zip(table.condition, table.seed, strict=True)) == set(RUNS)
    sizes = table.groupby("measure").size()
    assert (sizes == len(RUNS)).all(), sizes
    complete = table[[*RUN, "family", "value", "unit", "protocol", "n", "seconds"]]
    assert complete.notna().all(axis=None)
    assert table.value.map(math.isfinite).all()
    assert (table.n > 0).all()
    assert (table.seconds >= 0).all()
    assert set(table.protocol) <= {"corrected", "published"}


def test_every_number_of_the_documents_is_in_the_table_of_measures(finished: Project):
    table = pd.read_csv(finished.results("tables/measures.csv"), keep_default_na=False)
    rows = table.set_index(["condition", "seed", "family", "measure"])
    documents = list(finished.results("measures").rglob("seed*/*.json"))
    assert len(documents) == 3 * len(RUNS)
    for path in documents:
        content = json.loads(path.read_text(encoding="utf-8"))
        condition, seed = path.parent.parent.name, int(path.parent.name.removeprefix("seed"))
        assert content["run"]["condition"] == condition
        for measure in content["measures"]:
            row = rows.loc[condition, seed, path.stem, measure["measure"]]
            assert float(row.value) == measure["value"]
            assert (row.unit, row.n) == (measure["unit"], measure["n"])
            assert float(row.seconds) == content["seconds"]


def test_ensembles_are_set_beside_the_members_that_were_evaluated(finished: Project):
    ensembles = pd.read_csv(finished.results("tables/ensembles.csv"))
    assert ensembles.notna().all(axis=None)
    measures = pd.read_csv(finished.results("tables/measures.csv"))
    rows = ensembles.set_index(["condition", "measure"])
    evaluated = ["test_accuracy", "test_nll", "test_brier", "test_ece"]
    names = [*evaluated, "corruption_accuracy_generated"]
    assert set(rows.index) == {(c, name) for c in STUDY["conditions"] for name in names}
    for (condition, measure), row in rows.iterrows():
        own = measures[(measures.condition == condition) & (measures.measure == measure)]
        assert row.members == len(own) == len(STUDY["seeds"])
        assert row.members_mean == pytest.approx(own.value.mean(), rel=1e-9)
        assert (row.n, row.unit) == (own.n.iloc[0], own.unit.iloc[0])
    for condition in STUDY["conditions"]:
        folder = finished.results(f"measures/digits/resnet18/{condition}")
        files = [folder / f"seed{seed}" / "predictions.safetensors" for seed in STUDY["seeds"]]
        p = np.stack([softmax(load_file(path)["logits"].astype(float), axis=1) for path in files])
        assert rows.gain[condition, "test_brier"] == pytest.approx(p.var(axis=0).sum(1).mean())


def test_the_table_of_histories_has_a_row_for_each_run_and_epoch(finished: Project):
    table = pd.read_csv(finished.results("tables/history.csv"))
    epochs = range(1, STUDY["training"]["epochs"] + 1)
    found = zip(table.condition, table.seed, table.epoch, strict=True)
    assert sorted(found) == sorted((*run, epoch) for run in RUNS for epoch in epochs)
    assert table.notna().all(axis=None)


def test_the_report_shows_every_table_and_figure_with_its_caption(finished: Project, files):
    page = finished.results("report.html").read_text(encoding="utf-8")
    tables = {path.stem: pd.read_csv(path) for path in finished.results("tables").glob("*.csv")}
    listed = (ROOT / "report" / "contents.yaml").read_text(encoding="utf-8")
    contents = contents_of(listed, facts_of(STUDY, tables)._asdict())
    texts = {kind: text for section in contents for kind, text in section["parts"].items()}
    made = [Path(name).relative_to("results") for name in files.index]
    shown = [path for path in made if path.suffix in (".svg", ".md")]
    # What is published about recordings is made, too.
    shown = [path for path in shown if not path.stem.startswith(("asc_", "published-"))]
    assert len(shown) > 10
    for path in shown:
        name = Path(*path.parts[1:]).with_suffix("").as_posix()
        anchor = name.replace("/", "-").replace(".", "-")
        content = (finished.folder / "results" / path).read_text(encoding="utf-8")
        notice = notice_of(content) if path.suffix == ".svg" else None
        if notice:
            # What has nothing to draw is one line that says why.
            line = page.partition(f'<p id="{anchor}">')[2].partition("</p>")[0]
            assert str(escape(notice)) in line
            continue
        assert f'<figure id="{anchor}"' in page
        assert str(escape(texts[kind_of(name)]["caption"])) in page
        if path.suffix == ".svg":
            assert base64.b64encode(content.encode()).decode() in page
        else:
            assert numbers_of(content) <= numbers_of_page(page)
    assert html(claims_text(pd.read_csv(finished.results("tables/claims.csv")))) in page


def numbers_of(markdown: str) -> set[str]:
    """Return all cells of the tables of a Markdown text that hold a digit, without marks."""
    lines = markdown.splitlines()
    cells = {cell.strip(" *†§") for line in lines if line[:1] == "|" for cell in line.split("|")}
    return {cell for cell in cells if any(character.isdigit() for character in cell)}


def numbers_of_page(page: str) -> set[str]:
    """Return all texts between the tags of a page, without marks."""
    texts = (unescape(text).replace("\u00a0", " ") for text in re.findall(r">([^<>]+)<", page))
    return {text.strip(" *†§") for text in texts}


def test_the_report_says_where_its_numbers_come_from(finished: Project):
    page = finished.results("report.html").read_text(encoding="utf-8")
    document = read_document(
        finished.results("measures/digits/resnet18/baseline/seed0/forward.json")
    )
    for text in (document["data"], version("torch"), "train_size: 60", "perturbation"):
        assert text in page


def test_a_second_run_finds_nothing_to_do(copied: Project):
    def times() -> dict[Path, int]:
        paths = copied.results("").rglob("*")
        return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}

    before = times()
    result = copied.run(STUDY)
    assert result.returncode == 0, result.stdout
    assert "Nothing to be done" in result.stdout
    assert times() == before


def test_the_documented_columns_are_those_of_the_tidy_tables_that_the_report_links_to(
    finished: Project,
):
    # Nothing of this study was trained elsewhere, is asked to predict the gap, kept on the way, or
    # between networks.
    absent = {"adopted", "gap_prediction", *ALONG_AND_BETWEEN}
    assert documented_tables().keys() - {"adopted"} == TIDY.keys()
    check_columns(finished, documented_tables().keys() - absent)
