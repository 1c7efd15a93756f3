"""What README.md and docs/tutorial.md say of results, seeds and logs holds for those of a study."""

import re
import subprocess
import sys

import pytest
import yaml
from small_study import ROOT, STUDY, Project

pytestmark = pytest.mark.workflow

GUIDES = "README.md", "docs/tutorial.md"


def code_of(guide: str) -> str:
    """Return the one block of a guide that reads results."""
    text = (ROOT / guide).read_text("utf-8")
    found = re.findall(r"^```python\n(import pandas.*?)^```", text, re.DOTALL | re.MULTILINE)
    (code,) = found
    return code


@pytest.mark.parametrize("guide", GUIDES)
def test_results_are_read_as_the_guide_says(finished: Project, guide: str):
    code = code_of(guide).replace("results/digits/", f"results/{STUDY['study']}/")
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=finished.folder, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    for condition in STUDY["conditions"]:
        assert re.search(rf" {condition} +[\d.]+ ", result.stdout), result.stdout


def section_of(title: str) -> str:
    """Return a section of README.md."""
    text = (ROOT / "README.md").read_text("utf-8")
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_more_seeds_train_only_new_networks(copied: Project):
    (block,) = re.findall(
        r"^```yaml\n(.*?)^```", section_of("More seeds"), re.DOTALL | re.MULTILINE
    )
    study = {**STUDY, **yaml.safe_load(block)}
    new = set(study["seeds"]) - set(STUDY["seeds"])
    assert new
    assert copied.planned(study)["train"] == len(new) * len(STUDY["conditions"])


def test_logs_are_where_the_guide_says(finished: Project):
    own, of_snakemake = re.findall(r"`([\w.<>/]+/)`", section_of("Logs"))
    networks = list(finished.results("models").rglob("model.safetensors"))
    logs = finished.folder / own.replace("<study>", STUDY["study"]) / "train"
    assert len(list(logs.rglob("*.log"))) == len(networks)
    assert list((finished.folder / of_snakemake).glob("*.log"))


def test_what_the_guide_says_of_citing_is_there():
    section = section_of("Citing")
    assert "[CITATION.cff](CITATION.cff)" in section
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["license"] == "MIT"
    assert "The licence is MIT" in section
    assert "arXiv:" in (ROOT / "docs/measures.md").read_text("utf-8")
