"""Snakemake takes the conda environments of all rules; a pretend conda answers its questions."""

import os
import re
from pathlib import Path

import pytest
from small_study import ROOT, STUDY, Project

pytestmark = pytest.mark.workflow

CONDA = """#!/bin/sh
case "$*" in
--version) echo conda 25.1.0 ;;
"info --json") echo '{{"platform": "linux-64", "conda_prefix": "{0}", "root_prefix": "{0}"}}' ;;
"config --get channel_priority --json") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
*) echo "conda $* is not pretended" >&2; exit 1 ;;
esac
"""


def test_every_rule_has_one_of_the_two_environments(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    conda = tmp_path / "bin" / "conda"
    conda.parent.mkdir()
    conda.write_text(CONDA.format(tmp_path), encoding="utf-8")
    conda.chmod(0o755)
    # Behind the interpreter's folder, which has no conda.
    monkeypatch.setenv("PATH", f"{conda.parent}:{os.environ['PATH']}")
    result = project.run(STUDY, "--dry-run", "--sdm", "conda")
    assert result.returncode == 0, result.stdout
    created = re.findall(r"Conda environment (\S+) will be created", result.stdout)
    expected = {ROOT / "envs" / "cpu.yaml", ROOT / "envs" / "cuda.yaml"}
    assert {Path(path).resolve() for path in created} == expected
    for file in (ROOT / "rules").glob("*.smk"):
        text = file.read_text(encoding="utf-8")
        assert text.count("\n    script:") == text.count("\n    conda:"), file
