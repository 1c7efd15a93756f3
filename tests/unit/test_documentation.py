"""What is written down twice says the same in both places."""

import re
from pathlib import Path

import pandas as pd
import pytest
from tools import run_tool

import findings

ROOT = Path(__file__).parents[2]


def test_configuration_reference_is_what_the_schema_says():
    published = run_tool("configuration_reference", check=True).stdout
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == published, "docs/configuration.md is out of date; run `make docs`"


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")))
def test_every_link_to_a_file_leads_somewhere(document):
    text = document.read_text(encoding="utf-8")
    targets = [t for t in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in t]
    missing = [target for target in targets if not (document.parent / target).exists()]
    assert not missing


GUIDES = pytest.mark.parametrize("guide", [ROOT / "README.md", ROOT / "docs" / "tutorial.md"])


@GUIDES
def test_a_guide_names_only_targets_that_make_has(guide):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = guide.read_text(encoding="utf-8")
    used = set(re.findall(r"^ {4}make ([a-z-]+)", text, flags=re.MULTILINE))
    assert "run" in used
    assert used <= set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


@GUIDES
def test_a_guide_names_only_studies_that_exist(guide):
    studies = re.findall(r"STUDY=(\S+\.yaml)", guide.read_text(encoding="utf-8"))
    assert studies
    assert all((ROOT / study).exists() for study in studies)


@pytest.mark.parametrize("page", findings.pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_says_what_the_tables_say(page):
    written = page.read_text(encoding="utf-8")
    assert findings.filled(page) == written, f"{page} is out of date; run `make docs`"


@pytest.mark.parametrize("name", findings.FIGURES)
def test_the_figures_of_the_documentation_show_the_tables_of_their_studies(name):
    drawn, written = findings.figure(name).decode(), findings.figure_file(name).read_text("utf-8")
    number = re.compile(r"-?\d+\.\d+")
    assert number.split(drawn) == number.split(written), "out of date; run `make docs`"
    found, shown = (list(map(float, number.findall(svg))) for svg in (drawn, written))
    # Processors may round the last digits of a place in points differently.
    assert found == pytest.approx(shown, abs=0.01)


def test_readme_and_findings_state_what_was_found_only_in_blocks_made_from_tables():
    made = {page.relative_to(ROOT).as_posix() for page in findings.pages()}
    assert {"README.md", "docs/findings.md", "docs/results/README.md"} <= made
    for name in ("docs/findings.md", "docs/results/README.md"):
        own = findings.BLOCK.sub("", (ROOT / name).read_text(encoding="utf-8"))
        assert not numbers_in(own)


# Names, dates and references, in which digits and numbers in words measure nothing.
NOT_MEASURED = re.compile(
    r"ResNet-18|VGG-19|CIFAR-10|CNN1[04]|AVX2|ViT × 1/16|VGG-19 × 1/8|ResNet-18 × 1/16"
    r"|95 %|[Cc]laim (1[01]|[1-9])\b|\b(19|20)\d\d\b|arXiv:[\d.]+"
)
WORDS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twice|tenfold|half"
# Half of the models are those above the median; the logarithm of a trend has the base ten.
ALLOWED = re.compile(
    "per tenfold norm|per tenfold sharpness|half would need|mixes two questions|tells two circles"
    "|the other two|two groups of conditions|Three pairs of|nine significant digits"
)
NOT_TEXT = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|`[^`]*`|\]\([^)]*\)", re.DOTALL)


def numbers_in(text):
    text = NOT_MEASURED.sub(" ", " ".join(NOT_TEXT.sub(" ", text).split()))
    pattern = rf"\d+(?:[.,]\d+)*|\b(?:{WORDS})\b"
    return re.findall(pattern, ALLOWED.sub(" ", text), flags=re.IGNORECASE)


def test_readme_has_no_measured_number_outside_of_blocks_made_from_tables():
    own = findings.BLOCK.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    pythons, disk, headings = {"3.11", "3.12", "3.13"}, {"7"}, {"Two", "ten"}
    assert set(numbers_in(own)) <= pythons | disk | headings


@pytest.mark.parametrize("template", sorted(findings.TEMPLATES.iterdir()), ids=lambda p: p.name)
def test_a_template_has_no_number_of_its_own(template):
    assert not numbers_in(template.read_text(encoding="utf-8"))


def test_numbers_in_a_template_are_found_in_digits_and_in_words():
    text = "by {{ digits.x | to('.2f') }} or 1.3, in three networks of CIFAR-10 at 95 % (2021)"
    assert numbers_in(text) == ["1.3", "three"]


@pytest.fixture
def one_study(tmp_path, monkeypatch):
    """A template and a table, in which a value is 1.5."""
    results, templates = tmp_path / "results", tmp_path / "templates"
    (results / "made_up").mkdir(parents=True)
    templates.mkdir()
    pd.DataFrame({"measure": ["a", "b"], "value": [1.5, 2.5]}).to_csv(
        results / "made_up" / "found.csv", index=False
    )
    (results / "runs.csv").write_text("study\nmade_up\n")
    monkeypatch.setattr(findings, "RESULTS", results)
    monkeypatch.setattr(findings, "TEMPLATES", templates)
    findings.read_table.cache_clear()
    yield templates / "page.md.j2"
    findings.read_table.cache_clear()


def test_a_statement_has_the_numbers_of_its_tables_and_names_them(one_study):
    one_study.write_text(
        "{% call statement() %}\n"
        "{% do given(made_up.row('found', measure='a').value < 2) %}\n"
        "It is small, {{ made_up.row('found', measure='a').value | to('.1f') }}.\n"
        "{% endcall %}\n"
    )
    text, statements = findings.render(one_study.name, one_study.parents[1] / "page.md")
    assert text.startswith("It is small, 1.5.\n<sub>Tables: [made_up/found](results/made_up/found.")
    assert statements == {"It is small, 1.5.": ["made_up/found.csv"]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("{% do given(made_up.row('found', measure='a').value > 2) %}", "no longer say"),
        ("{{ made_up.rows('found', measure='c') }}", "no row of found"),
        ("{{ made_up.row('found', measure=['a', 'b']).value }}", "too many values"),
    ],
)
def test_what_tables_do_not_say_is_not_written(one_study, wrong, message):
    one_study.write_text(wrong)
    with pytest.raises(ValueError, match=message):
        findings.render(one_study.name, one_study.parents[1] / "page.md")
