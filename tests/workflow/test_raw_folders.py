"""The next plan notices what is added to a folder of raw data, changed or removed, and says so."""

import os
import shutil
from pathlib import Path

import pytest
from rerun_cases import finish_on_paper
from small_study import ROOT, Project, made_once, study_with

from minimascope.jobs.planning import PlannedJob, plan

pytestmark = pytest.mark.workflow

STUDY = study_with(
    {
        "datasets": {
            "digits": {"source": "digits", "networks": ["resnet18"]},
            "own": {
                "source": "image_folder",
                "path": "pictures",
                "domains": "pictures.csv",
                "networks": ["resnet18"],
            },
            "heard": {"source": "audio_folder", "table": "sounds/table.csv", "networks": ["cnn10"]},
        },
        "networks": {
            "resnet18": {"architecture": "resnet18", "width": 0.0625},
            "cnn10": {"architecture": "cnn10", "width": 0.0625},
        },
        "evaluation": {},
    }
)
PICTURE = "data/pictures/train/cats/0.png"
SOUND = "data/sounds/a.wav"
TABLE = "filename,label,domain,split,seen\na.wav,bus,x,train,true\nb.wav,bus,x,test,true\n"
DOMAINS = "filename,domain\n" + "".join(
    f"{split}/cats/{number}.png,photo\n" for split in ("train", "test") for number in range(3)
)


def put(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def finish(folder: Path) -> None:
    """Put raw data into a folder, and finish a study of them on paper."""
    for split in ("train", "test"):
        for number in range(3):
            put(folder / "data" / "pictures" / split / "cats" / f"{number}.png")
    put(folder / "data" / "pictures.csv", DOMAINS)
    for name in ("a.wav", "b.wav", "unnamed.wav"):
        put(folder / "data" / "sounds" / name)
    put(folder / "data" / "sounds" / "table.csv", TABLE)
    finish_on_paper(Project(ROOT, folder).study_file(STUDY), folder)


@pytest.fixture
def folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with raw data and a finished study of them, to be changed."""
    folder = shutil.copytree(made_once(tmp_path_factory, "folders", finish), tmp_path / "run")
    assert would_run(folder) == []
    return folder


def would_run(folder: Path) -> list[PlannedJob]:
    return list(plan(Project(ROOT, folder).study_file(STUDY), folder).jobs)


def older(path: Path, seconds: int = 100) -> None:
    os.utime(path, (path.stat().st_atime, path.stat().st_mtime - seconds))


@pytest.mark.parametrize(
    ("change", "reason"),
    {
        "added": (
            lambda folder: put(folder / "data/pictures/train/cats/new.png"),
            "data/pictures has 7 files, before 6",
        ),
        "removed": (
            lambda folder: (folder / PICTURE).unlink(),
            "data/pictures has 5 files, before 6",
        ),
        "changed": (
            lambda folder: put(folder / PICTURE, "other"),
            "files in data/pictures have other names, sizes or times",
        ),
        "changed with its size kept": (
            lambda folder: older(folder / PICTURE),
            "files in data/pictures have other names, sizes or times",
        ),
        "renamed": (
            lambda folder: (folder / PICTURE).rename((folder / PICTURE).with_name("9.png")),
            "files in data/pictures have other names, sizes or times",
        ),
    }.values(),
)
def test_what_happens_to_a_picture_reruns_its_data_set_alone(folder: Path, change, reason: str):
    change(folder)
    first, *others = would_run(folder)
    assert (first.rule, first.reasons) == ("prepare", (reason,))
    assert {job.rule for job in others} >= {"train", "tables", "report"}
    trained = [job.output for job in others if job.rule == "train"]
    assert all("/own/" in output for output in trained)


@pytest.mark.parametrize(
    ("change", "reason"),
    {
        "removed": (
            lambda folder: (folder / SOUND).unlink(),
            "data/sounds has 1 files, before 2",
        ),
        "changed": (
            lambda folder: put(folder / SOUND, "other"),
            "files in data/sounds have other names, sizes or times",
        ),
    }.values(),
)
def test_what_happens_to_a_recording_reruns_its_data_set_alone(folder: Path, change, reason: str):
    change(folder)
    first, second, *others = would_run(folder)
    assert (first.rule, first.reasons) == ("recordings", (reason,))
    assert second.rule == "features"
    assert all("/heard/" in job.output for job in others if job.rule == "train")


def test_a_recording_that_the_table_names_anew_is_noticed(folder: Path):
    put(folder / "data/sounds/table.csv", TABLE + "unnamed.wav,bus,x,test,true\n")
    reasons = {job.rule: job.reasons for job in would_run(folder)}["recordings"]
    assert "data/sounds has 3 files, before 2" in reasons


def test_a_changed_table_of_domains_reruns_its_data_set_alone(folder: Path):
    put(folder / "data/pictures.csv", DOMAINS.replace("0.png,photo", "0.png,sketch"))
    first, *others = would_run(folder)
    assert first.rule == "prepare"
    assert "data/pictures.csv" in " ".join(first.reasons)
    trained = [job.output for job in others if job.rule == "train"]
    assert trained
    assert all("/own/" in output for output in trained)


def test_what_no_job_reads_does_not_count(folder: Path):
    put(folder / "data/pictures/.DS_Store")
    put(folder / "data/pictures/train/cats/.hidden/5.png")
    put(folder / "data/pictures/train/cats/notes.txt")
    put(folder / "data/pictures/sources/5.png")
    put(folder / "data/sounds/unnamed.wav", "other")
    put(folder / "data/sounds/new.wav")
    assert would_run(folder) == []


def test_a_folder_that_moved_behind_a_link_or_was_copied_with_its_times_is_the_same(folder: Path):
    (folder / "data").rename(folder / "disk")
    (folder / "data").symlink_to("disk")
    assert would_run(folder) == []
    shutil.copytree(folder / "disk" / "pictures", folder / "copy")
    shutil.rmtree(folder / "disk" / "pictures")
    (folder / "copy").rename(folder / "disk" / "pictures")
    assert would_run(folder) == []


def test_what_lies_behind_a_link_counts(folder: Path):
    cats = folder / "data/pictures/train/cats"
    cats.rename(folder / "cats")
    cats.symlink_to(folder / "cats")
    assert would_run(folder) == []
    put(folder / "cats" / "new.png")
    assert would_run(folder)[0].rule == "prepare"
