"""`make status` says how far a study has come, from files alone."""

import fcntl
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from small_study import STUDY, Project
from tools import run_tool

from minimascope.checkpoints import CheckpointFile, Progress

pytestmark = pytest.mark.workflow
RUN = "digits/resnet18/baseline/seed1"


def status(project: Project) -> list[str]:
    result: subprocess.CompletedProcess[str] = run_tool(
        "status", project.study_file(STUDY), "--cores", "2", cwd=project.folder
    )
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_a_finished_study(finished: Project):
    size = finished.plan(STUDY).size
    assert status(finished) == [f"4 of 4 networks trained; {size} of {size} jobs done"]


def test_a_study_that_never_ran_is_estimated_by_a_trial_of_this_machine(project: Project):
    size = project.plan(STUDY).size
    (line,) = status(project)
    begin = f"0 of 4 networks trained; 0 of {size} jobs done; about "
    assert re.fullmatch(rf"{begin}\d+ (s|min) left with 2 at once", line)
    assert not (project.folder / "results").exists()


def stop_in_training(project: Project, epoch: int, kept: int) -> Path:
    """Leave a training as it is after an epoch, with a checkpoint of an earlier one."""
    shutil.rmtree(project.results(f"models/{RUN}"))
    log = project.results(f"logs/train/{RUN}.log")
    log.write_text(f"training: epoch 0 of 7\ntraining: epoch {epoch} of 7 after 00:01\n")
    model = torch.nn.Linear(1, 1)
    history = tuple({"epoch": n + 1, "train_loss": 1 / (n + 2)} for n in range(kept))
    path = project.results(f"models/{RUN}/checkpoint.safetensors")
    path.parent.mkdir()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    CheckpointFile(path, "run", torch.device("cpu")).save(model, optimizer, Progress(kept, history))
    return log


def test_a_training_is_told_with_its_epoch_and_loss_while_a_run_goes_on(copied: Project):
    stop_in_training(copied, epoch=3, kept=2)
    size = copied.plan(STUDY).size
    head, training = status(copied)
    done, _, left = head.partition("; about ")
    assert done.startswith("3 of 4 networks trained; ")
    assert done.endswith(f" of {size} jobs done")
    assert left.endswith(" s left with 2 at once")
    name = "digits resnet18 baseline, seed 1: epoch 3 of 7, training loss 0.3333"
    assert training == f"interrupted: {name}"
    # As a run holds it; that of another study in the same folder holds another file.
    with (copied.folder / ".snakemake" / "running").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert status(copied)[1:] == [f"interrupted: {name}"]
        with copied.results("logs/study.txt").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            assert status(copied)[1:] == [f"in training: {name}"]


def test_the_checkpoint_of_an_earlier_training_is_not_told(copied: Project):
    stop_in_training(copied, epoch=1, kept=5)
    assert status(copied)[1] == "interrupted: digits resnet18 baseline, seed 1: epoch 1 of 7"


def test_a_failed_training_says_why(copied: Project):
    log = stop_in_training(copied, epoch=3, kept=2)
    with log.open("a") as file:
        file.write("\nerror: training diverged: the loss is nan; lower it\n")
    line = "failed: digits resnet18 baseline, seed 1: training diverged: the loss is nan; lower it"
    assert status(copied)[1] == line
