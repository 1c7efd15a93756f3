"""A training that is killed and started again ends with the bytes of one that was not."""

import csv
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import Project, study_with

pytestmark = pytest.mark.workflow

LONG = study_with(
    {
        "seeds": [0],
        "training.epochs": 60,
        "training.test_every": 20,
        "training.augment": {"crop_padding": 1},
        "training.dropout": 0.1,
    }
)
MODEL = "models/digits/resnet18/baseline_sam/seed0/model.safetensors"
TARGET = f"results/small/{MODEL}"
TIMING = {"seconds", "samples_per_second"}


def train(folder: Path, checkout: Path) -> Project:
    folder.mkdir()
    project = Project(checkout, folder)
    result = project.run(LONG, "--", TARGET)
    assert result.returncode == 0, result.stdout
    return project


def history(project: Project) -> list[dict[str, str]]:
    with project.results(MODEL).with_name("history.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [{key: row[key] for key in row if key not in TIMING} for row in rows]


def kill_while_training(project: Project, draws: random.Random) -> int:
    """Start a run, kill its whole process group during training, and return the epochs kept."""
    checkpoint = project.results(MODEL).with_name("checkpoint.safetensors")
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    process = subprocess.Popen(
        project.command(LONG, "--", TARGET),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before:
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.01)
    time.sleep(draws.uniform(0, 0.4))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return checkpoint.stat().st_mtime_ns


def test_a_run_killed_at_random_steps_ends_with_the_same_bytes(project: Project, tmp_path: Path):
    undisturbed = train(tmp_path / "undisturbed", project.checkout)
    draws = random.Random(20261120)
    for _ in range(3):
        kill_while_training(project, draws)
        assert not project.results(MODEL).exists()
        # What Snakemake asks for after a run that could not end by itself.
        assert project.run(LONG, "--unlock").returncode == 0
    result = project.run(LONG, "--", TARGET)
    assert result.returncode == 0, result.stdout

    log = project.results("logs/train/digits/resnet18/baseline_sam/seed0.log").read_text()
    first_bar = log.replace("\r", "\n").split("training:")[1]
    assert " 0/60" not in first_bar, "the last run did not continue from the checkpoint"
    assert project.results(MODEL).read_bytes() == undisturbed.results(MODEL).read_bytes()
    assert history(project) == history(undisturbed)
    assert len(history(project)) == LONG["training"]["epochs"]
    assert not project.results(MODEL).with_name("checkpoint.safetensors").exists()


def test_the_same_seed_twice_gives_the_same_bytes(project: Project, tmp_path: Path):
    study = study_with(
        {"training.optimizer": {"name": "adam", "lr": 0.001}, "training.label_smoothing": 0.1}
    )
    folder = tmp_path / "again"
    folder.mkdir()
    again = Project(project.checkout, folder)
    target = "models/digits/resnet18/baseline_sam/seed1/model.safetensors"
    for twin in (project, again):
        result = twin.run(study, "--", f"results/small/{target}")
        assert result.returncode == 0, result.stdout
    assert project.results(target).read_bytes() == again.results(target).read_bytes()
