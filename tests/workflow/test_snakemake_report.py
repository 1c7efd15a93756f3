"""Snakemake's own report of a finished study, which shows what the study's report shows."""

import json
import re
from html import unescape
from pathlib import Path

import pytest
from small_study import STUDY, Project

pytestmark = pytest.mark.workflow


def captions_of(page: Path) -> dict[str, str]:
    """Return the caption of each figure and table of the study's own report, by its heading."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r'<h3>([^<]*)</h3>\s*<figcaption class="caption">(.*?)</figcaption>', text)
    return {unescape(title): unescape(caption) for title, caption in found}


def embedded(report: Path) -> dict[str, dict]:
    """Return the results that a report of Snakemake holds, by their paths."""
    text = report.read_text(encoding="utf-8").partition("var results = {")[2]
    return json.JSONDecoder().raw_decode("{" + text)[0]


def sections_of(report: Path) -> dict[str, str]:
    """Return the section of each result that a report of Snakemake holds."""
    text = report.read_text(encoding="utf-8").partition("var categories = {")[2]
    categories = json.JSONDecoder().raw_decode("{" + text)[0]
    return {
        path: section
        for section, parts in categories.items()
        for paths in parts.values()
        for path in paths
    }


@pytest.fixture
def reported(copied: Project) -> Path:
    report = copied.folder / "snakemake.html"
    copied.finish(STUDY, "--report", str(report))
    assert not copied.planned(STUDY)
    return report


def test_it_shows_every_figure_and_table_of_the_study_with_its_rule(
    reported: Path, copied: Project
):
    results = copied.folder / "results"
    made = [*results.glob("*/figures/**/*.svg"), *results.glob("*/figures/**/*.html")]
    made += results.glob("*/tables/*.html")
    found = embedded(reported)
    assert found.keys() == {path.relative_to(copied.folder).as_posix() for path in made}
    rules = {
        path.partition("/")[2]: result["job_properties"]["rule"] for path, result in found.items()
    }
    assert rules["small/tables/main.html"] == "tables"
    assert rules["published/tables/published_claims.html"] == "published_tables"
    assert rules["small/figures/digits/trends.svg"] == "plot_digits"


def test_section_title_and_caption_are_those_of_the_study_s_own_report(
    reported: Path, copied: Project
):
    captions = captions_of(copied.folder / "results" / "small" / "report.html")
    found, sections = embedded(reported), sections_of(reported)
    for path, section, title in (
        (
            "small/figures/digits/resnet18/conditions.svg",
            "Conditions against the baseline",
            "Every measure for every condition: resnet18 on digits",
        ),
        (
            "small/figures/digits/sharpness_accuracy.svg",
            "Sharpness and evaluation",
            "Sharpness against accuracy: digits",
        ),
        ("small/tables/main.html", "The answer", "The conditions compared"),
        ("published/figures/toy_geometry.svg", "Toy functions", "Functions and minima"),
    ):
        result = found[f"results/{path}"]
        assert sections[f"results/{path}"] == section
        assert result["labels"] == {"Title": title}
        assert unescape(result["caption"]) == f"<p>{captions[title]}</p>\n"
