"""What the Makefile does before any program runs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# It takes its time over what no study decides, and needs that, whole, for a study.
SNAKEMAKE = """#!/bin/sh
case "$*" in
    *" -- published")
        mkdir -p results && mkdir results/published && sleep 0.5 && touch results/published/whole;;
    *) test -f results/published/whole;;
esac
"""


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock")
def test_of_two_studies_that_start_at_once_the_second_waits_for_what_they_share(tmp_path: Path):
    for name in ("Makefile", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    for name, text in {"snakemake": SNAKEMAKE, "python": "#!/bin/sh\n"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "run", f"BIN={tmp_path}", "READY="]
    runs = [
        subprocess.Popen(command, cwd=tmp_path, env=outside, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for run in runs:
        assert run.wait() == 0, run.stderr.read()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Ask make what it would do."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "--dry-run", *arguments, "READY="],
        cwd=ROOT,
        env=outside,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("study=mine.yaml", "study= is no setting; write one of: STUDY= PROFILE= CORES="),
        ("Profile=slurm", "Profile= is no setting; write one of: STUDY= PROFILE="),
        ("studies/mine.yaml", "a study is named by STUDY=studies/mine.yaml"),
    ],
)
def test_what_make_would_leave_unread_is_refused(given: str, told: str):
    result = make("check", given)
    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert told in line


def test_settings_are_read():
    assert "'mine.yaml'" in make("check", "STUDY=mine.yaml", "CORES=1", "PROFILE=p").stdout


def test_a_comparison_needs_two_studies():
    result = make("compare", "A=mine")
    assert result.returncode == 2
    assert "name two studies, or folders of results: A=… B=…" in result.stderr
