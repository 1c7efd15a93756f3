"""Snakemake's own report of a finished study, which shows what the study's report shows."""

import json
from html import unescape
from pathlib import Path

import pytest
import yaml
from small_study import ROOT, STUDY, Project

pytestmark = pytest.mark.workflow

CONTENTS = yaml.safe_load((ROOT / "report" / "contents.yaml").read_text(encoding="utf-8"))


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


def test_section_title_and_caption_are_those_of_the_list(reported: Path):
    texts = {
        kind: (section["title"], part["title"], " ".join(part["caption"].split()))
        for section in CONTENTS
        for kind, part in section["parts"].items()
    }
    found, sections = embedded(reported), sections_of(reported)
    for path, kind, of in (
        (
            "small/figures/digits/resnet18/conditions.svg",
            "figures/conditions",
            ": resnet18 on digits",
        ),
        ("small/figures/digits/trends.svg", "figures/trends", ": digits"),
        ("small/tables/main.html", "tables/main", ""),
        ("published/figures/toy_geometry.svg", "figures/toy_geometry", ""),
    ):
        section, title, caption = texts[kind]
        result = found[f"results/{path}"]
        assert sections[f"results/{path}"] == section
        assert result["labels"] == {"Title": title + of}
        assert unescape(result["caption"]) == f"<p>{caption}</p>\n"
