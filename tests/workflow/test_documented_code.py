"""What README.md and docs/tutorial.md do with results runs on those of a study."""

import re
import subprocess
import sys

import pytest
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
