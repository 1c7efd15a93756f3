"""Files with a flipped byte or without their end: refused by name, or of no consequence."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_study import Project
from tiny_study import (
    ARCHIVE,
    CHECKPOINT,
    FORWARD,
    MODEL,
    assert_same_results,
    error_of,
    kill_all,
    run_to,
    start,
    unlock,
    wait_until,
    write_archive,
)
from torch import nn

from minimascope import state_file
from minimascope.checkpoints import CheckpointFile, Progress
from minimascope.data.archives import archive_files
from minimascope.errors import InputError
from minimascope.tensors import load_tensors

SEED = 20261121
CPU = torch.device("cpu")
HISTORY = ({"seconds": 0.5, "epoch": 1, "train_loss": float("nan")},)


def damaged_copies(content: bytes, flips: int) -> Iterator[bytes]:
    """Yield copies of a file with one bit flipped at seeded places, and some that are cut off."""
    draws = random.Random(SEED)
    for _ in range(flips):
        copy = bytearray(content)
        copy[draws.randrange(len(content))] ^= 1 << draws.randrange(8)
        yield bytes(copy)
    for _ in range(10):
        yield content[: draws.randrange(len(content))]


def network_and_optimizer() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    network = nn.Linear(5, 3)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    network(torch.ones(2, 5)).sum().backward()
    optimizer.step()
    return network, optimizer


def test_a_checkpoint_gives_back_the_history_in_its_own_order(tmp_path: Path):
    file = CheckpointFile(tmp_path / "checkpoint.safetensors", "mine", CPU)
    trained = network_and_optimizer()
    file.save_if_cheap(*trained, Progress(1, HISTORY))
    progress = file.restore(*network_and_optimizer())
    assert str(progress) == str(Progress(1, HISTORY))


def test_a_checkpoint_that_a_finished_copy_of_the_job_removes_is_none(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.safetensors"
    file = CheckpointFile(path, "mine", CPU)
    file.save_if_cheap(*network_and_optimizer(), Progress(1, HISTORY))

    def load_what_goes(path: Path) -> None:
        path.unlink()
        load_tensors(path)

    monkeypatch.setattr(state_file, "load_tensors", load_what_goes)
    assert file.restore(*network_and_optimizer()) == Progress()


def test_a_damaged_archive_is_refused_or_holds_what_it_held(tmp_path: Path):
    path = tmp_path / ARCHIVE
    write_archive(path, images=2)
    whole, content = list(archive_files(path)), path.read_bytes()
    refused = []
    for copy in damaged_copies(content, flips=200):
        path.write_bytes(copy)
        try:
            # A gzip header has a date that nobody reads.
            assert list(archive_files(path)) == whole
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 200
    assert all(line.startswith(f"{path}: ") for line in refused)


def damage(path: Path, *, time_stays: bool = False) -> None:
    status, content = path.stat(), bytearray(path.read_bytes())
    content[random.Random(SEED).randrange(len(content))] ^= 1
    path.write_bytes(content)
    if time_stays:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def follow(remedy: str, project: Project, name: str) -> None:
    """Do what an error says about a file: delete it."""
    path = project.folder / remedy.removeprefix("error: ").split(": ")[0]
    assert path == project.results(name)
    assert "delete it and run again" in remedy
    path.unlink()


@pytest.mark.workflow
@pytest.mark.slow
def test_a_damaged_checkpoint_is_reported_with_a_remedy_that_works(
    copied: Project, undisturbed: Project, tmp_path: Path
):
    shutil.rmtree(copied.results(MODEL).parent)
    process = start(copied, MODEL, output=tmp_path / "screen.txt")
    try:
        wait_until(copied.results(CHECKPOINT).exists, process, "a checkpoint was written")
    finally:
        kill_all(process)
    unlock(copied)
    damage(copied.results(CHECKPOINT))
    follow(error_of(copied, MODEL), copied, CHECKPOINT)
    run_to(copied, MODEL)
    assert_same_results(copied, undisturbed)


@pytest.mark.workflow
@pytest.mark.slow
def test_what_rots_without_a_trace_is_noticed_when_it_is_read(
    copied: Project, undisturbed: Project
):
    damage(copied.results(MODEL), time_stays=True)
    assert "Nothing to be done" in run_to(copied, FORWARD)
    copied.results(FORWARD).unlink()
    follow(error_of(copied, FORWARD), copied, MODEL)
    run_to(copied, FORWARD)
    assert_same_results(copied, undisturbed)
