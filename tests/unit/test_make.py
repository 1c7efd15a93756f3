"""What the Makefile does before any program runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
# It takes its time over what no study decides, and needs that, whole, for a study.
RUNS = """#!/bin/sh
case "$*" in
    *" -- published")
        mkdir -p results && mkdir results/published && sleep 0.5 && touch results/published/whole;;
    *run_study.py*) test -f results/published/whole;;
esac
"""


@pytest.mark.skipif(shutil.which("flock") is None, reason="needs flock")
def test_of_two_studies_that_start_at_once_the_second_waits_for_what_they_share(tmp_path: Path):
    for name in ("Makefile", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(RUNS, encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
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


# Of the programs that a run starts, only the one that runs jobs is another one here.
PYTHON = f"""#!/bin/sh
case "$*" in
    *run_study.py*) echo "$*" >> started;;
    *) exec {sys.executable} "$@";;
esac
"""
STUDY = """study: mine
seeds: [0]
datasets: {digits: {source: digits}, own: {source: image_folder, path: own, image_size: 32}}
networks: {resnet: {architecture: resnet18}}
training: {epochs: 1, batch_size: 10, optimizer: {name: sgd, lr: 0.1}}
conditions: {baseline: {}}
"""


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """What calls a target of make for a study, in a folder of its own without raw data."""
    for name in (
        "Makefile",
        "requirements.txt",
        "constraints.txt",
        "tools",
        "scripts",
        "resources",
    ):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "python").write_text(PYTHON, encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    (tmp_path / "a $HOME b.yaml").write_text(STUDY, encoding="utf-8")
    outside = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return lambda target: subprocess.run(
        ["make", target, f"BIN={tmp_path}", "READY=", "STUDY=a $HOME b.yaml"],
        cwd=tmp_path,
        env=outside,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("target", ["run", "report"])
def test_no_job_starts_while_data_are_missing(run: Callable, tmp_path: Path, target: str):
    result = run(target)
    assert (result.returncode, result.stdout) == (2, "")
    fault, of_make = result.stderr.splitlines()
    assert fault.startswith("error: datasets.own.path: data/own does not exist; put the pictures")
    assert of_make.startswith("make: *** ")
    assert not (tmp_path / "started").exists()


def test_a_run_whose_data_are_there_says_nothing_before_its_jobs(run: Callable, tmp_path: Path):
    for split in ("train", "test"):
        (tmp_path / "data" / "own" / split / "cat").mkdir(parents=True)
        for name in ("1.png", "2.png"):
            Image.new("L", (8, 8)).save(tmp_path / "data" / "own" / split / "cat" / name)
    result = run("run")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    # The dollar of its name is no variable of make or the shell.
    assert "--configfile a $HOME b.yaml " in (tmp_path / "started").read_text()
    (tmp_path / "started").unlink()
    (tmp_path / "results").touch()
    told = run("run").stderr.splitlines()[0]
    assert told == "error: results is a file where the folder of results belongs; rename it"
    assert not (tmp_path / "started").exists()


def test_locks_that_a_killed_run_left_are_removed_by_what_ctrl_c_ends_in_one_line():
    assert "python tools/run_study.py" in make("unlock").stdout
