"""Runs killed at seeded random moments of every stage: the next run finishes with the same bytes.

A moment is a fraction of the time that a stage's own work took undisturbed. Either everything is
killed, as by a power cut, or the job alone, as by a kernel that is out of memory.
"""

import hashlib
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from mirror import CHUNK, Mirror
from small_study import Project, copy_workflow
from tiny_study import (
    ARCHIVE,
    CONDITION,
    DATA,
    FORWARD,
    MODEL,
    RUN,
    TABLES,
    assert_same_results,
    kill_all,
    run_to,
    seconds_of,
    start,
    unlock,
    wait_until,
)

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SEED = 20261121
DOWNLOAD_SECONDS = 1.0


@dataclass(frozen=True)
class Stage:
    """A stage, and how often its work is to be interrupted.

    Attributes:
        log: of its job, in the folder of logs.
        everything: times that the whole run is killed.
        alone: times that the job alone is killed.
    """

    log: str
    everything: int
    alone: int = 0


FIRST_HALF = (
    Stage(f"download/{ARCHIVE}.log", everything=2, alone=1),
    Stage("prepare/cifar10.log", everything=2, alone=1),
    Stage(f"train/{RUN}.log", everything=4, alone=1),
)
SECOND_HALF = (
    Stage(f"sharpness/{CONDITION}.log", everything=4),
    Stage(f"landscape/{RUN}.log", everything=2, alone=1),
    Stage(f"evaluate/{CONDITION}.log", everything=2),
    Stage("collect/all.log", everything=2, alone=1),
)
# A short job can be over before the kill comes; the next attempt comes earlier.
MOST_ATTEMPTS = 8


def kill_during(project: Project, stage: Stage, delay: float, alone: bool) -> bool:
    """Run the study and kill it a while after a stage began to work.

    Returns:
        Whether the kill interrupted the stage's work.
    """
    log = project.results(f"logs/{stage.log}")
    log.unlink(missing_ok=True)
    screen = project.folder.with_name("screen.txt")
    process = start(project, *TABLES, output=screen)
    try:
        wait_until(log.exists, process, f"{stage.log} was written; see {screen}")
        time.sleep(delay)
        if alone:
            for job in psutil.Process(process.pid).children(recursive=True):
                if writes_to(job, log):
                    job.kill()
            process.wait(timeout=300)
    finally:
        kill_all(process)
    if not alone:
        unlock(project)
    interrupted = seconds_of(log) is None
    assert process.returncode != 0 or not interrupted
    return interrupted


def writes_to(process: psutil.Process, log: Path) -> bool:
    try:
        return any(Path(file.path) == log.resolve() for file in process.open_files())
    except psutil.NoSuchProcess:
        return False


def interrupt(project: Project, undisturbed: Project, stages: tuple[Stage, ...]) -> list[str]:
    """Interrupt each stage as often as it says, and return the moments at which that was done."""
    draws, moments = random.Random(SEED), []
    for stage in stages:
        log = undisturbed.results(f"logs/{stage.log}")
        seconds = seconds_of(log) if log.exists() else DOWNLOAD_SECONDS
        for alone in [False] * stage.everything + [True] * stage.alone:
            for attempt in range(MOST_ATTEMPTS):
                fraction = draws.random() / 2**attempt
                remove_what_it_made(project, stage)
                if kill_during(project, stage, fraction * seconds, alone):
                    break
            else:
                pytest.fail(f"{stage.log} was never interrupted, only {moments}")
            moments.append(f"{stage.log} at {fraction:.2f}{' alone' if alone else ''}")
    return moments


def remove_what_it_made(project: Project, stage: Stage) -> None:
    """Make a stage run again that was over before a kill, its own or that of another one.

    All that follows from it goes too: what nothing is missing for is not made again.
    """
    name = stage.log.split("/")[0]
    made = {
        "download": [project.folder / "data" / ARCHIVE, project.results(DATA)],
        "prepare": [project.results(DATA)],
        "train": [project.results(MODEL)],
        "sharpness": [project.results(FORWARD)],
        "evaluate": [project.results(f"measures/{RUN}/evaluation.json")],
        "collect": [],
    }
    for path in made.get(name, [project.results(f"measures/{RUN}/{name}.json")]):
        path.unlink(missing_ok=True)
    later = ("measures", "tables") if name in ("download", "prepare", "train") else ("tables",)
    for folder in later:
        shutil.rmtree(project.results(folder), ignore_errors=True)


def assert_finishes(project: Project, undisturbed: Project, moments: list[str]) -> None:
    run_to(project, *TABLES)
    assert_same_results(project, undisturbed)
    files = {
        path.relative_to(project.folder)
        for path in project.folder.rglob("*")
        if path.is_file() and ".snakemake" not in path.parts and "download" not in path.parts
    }
    expected = {
        path.relative_to(undisturbed.folder)
        for path in undisturbed.folder.rglob("*")
        if path.is_file() and ".snakemake" not in path.parts
    }
    assert files == expected, moments


@pytest.fixture
def served(undisturbed: Project, tmp_path: Path) -> Iterator[Project]:
    """An empty folder, and a checkout that downloads the archive from this machine."""
    content = (undisturbed.folder / "data" / ARCHIVE).read_bytes()
    chunks = len(content) / CHUNK
    mirror = Mirror(content, pause=DOWNLOAD_SECONDS / chunks)
    checkout = copy_workflow(tmp_path / "checkout")
    official = checkout / "scripts" / "minimascope" / "data" / "official.py"
    file = (
        f"CIFAR10 = RemoteFile({ARCHIVE!r}, 'cifar-10-batches-py', ({mirror.url!r},),"
        f" {len(content)}, 'sha256:{hashlib.sha256(content).hexdigest()}')"
    )
    official.write_text(f"{official.read_text()}\n\n{file}\nOFFICIAL['cifar10'] = (CIFAR10,)\n")
    folder = tmp_path / "run"
    folder.mkdir()
    yield Project(checkout, folder)
    mirror.close()


def test_download_preparation_and_training_survive_being_killed(
    served: Project, undisturbed: Project
):
    moments = interrupt(served, undisturbed, FIRST_HALF)
    assert len(moments) == 11
    assert_finishes(served, undisturbed, moments)
    archive = served.folder / "data" / ARCHIVE
    assert archive.read_bytes() == (undisturbed.folder / "data" / ARCHIVE).read_bytes()


def test_measures_evaluation_and_tables_survive_being_killed(copied: Project, undisturbed: Project):
    for made in ("measures", "tables"):
        shutil.rmtree(copied.results(made))
    moments = interrupt(copied, undisturbed, SECOND_HALF)
    assert len(moments) == 12
    assert_finishes(copied, undisturbed, moments)
