"""What is written down twice says the same in both places."""

import re
from pathlib import Path

import pytest
from tools import run_tool

ROOT = Path(__file__).parents[2]


def test_configuration_reference_is_what_the_schema_says():
    printed = run_tool("configuration_reference", check=True).stdout
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == printed, "docs/configuration.md is out of date; run `make docs`"


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
