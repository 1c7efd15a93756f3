"""A training that is killed and started again ends with the bytes of one that was not."""

import csv
import random
from pathlib import Path

import pytest
from small_study import STUDY, Project, study_with

from minimascope.files import read_json
from minimascope.safetensors_files import load_arrays

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
CHECKPOINT = f"{TARGET.rpartition('/')[0]}/checkpoint.safetensors"
TIMING = {"seconds", "samples_per_second"}


def train(folder: Path, checkout: Path) -> Project:
    folder.mkdir()
    project = Project(checkout, folder)
    result = project.run(LONG, "--", TARGET)
    assert result.returncode == 0, result.stdout
    return project


def history(project: Project) -> list[list[tuple[str, str]]]:
    with project.results(MODEL).with_name("history.csv").open() as file:
        rows = list(csv.DictReader(file))
    # Pairs: columns have an order of their own.
    return [[(key, row[key]) for key in row if key not in TIMING] for row in rows]


def test_a_run_killed_at_random_steps_ends_with_the_same_bytes(project: Project, tmp_path: Path):
    undisturbed = train(tmp_path / "undisturbed", project.checkout)
    epochs = LONG["training"]["epochs"]
    draws = random.Random(20261120)
    kept = [0]
    for _ in range(3):
        kept.append(project.kill_once_kept(LONG, TARGET, CHECKPOINT, draws.uniform(0, 0.4)))
        assert not project.results(MODEL).exists()
        # What Snakemake asks for after a run that could not end by itself.
        assert project.run(LONG, "--unlock").returncode == 0
    assert kept == sorted(set(kept)), "each run takes the training further"
    result = project.run(LONG, "--", TARGET)
    assert result.returncode == 0, result.stdout

    log = project.results("logs/train/digits/resnet18/baseline_sam/seed0.log").read_text()
    first = log.split("training:")[1]
    assert f" epoch {kept[-1]} of {epochs}\n" in first, "the last run starts from the checkpoint"
    assert project.results(MODEL).read_bytes() == undisturbed.results(MODEL).read_bytes()
    assert history(project) == history(undisturbed)
    assert len(history(project)) == epochs
    left = {path.name for path in project.results(MODEL).parent.iterdir()}
    assert left == {"model.safetensors", "history.csv"}


def test_a_landscape_killed_between_pairs_ends_with_the_same_bytes(
    project: Project, tmp_path: Path
):
    pairs = {"direction_seeds": [1, 2, 3, 4, 5], "more_directions": {"direction_seeds": [6, 7, 8]}}
    study = study_with({"seeds": [0], "sharpness.landscape": {"points": 15, **pairs}})
    place = "measures/digits/resnet18/baseline/seed0/landscape"
    target, checkpoint = (
        f"results/small/{place}.{end}" for end in ("json", "checkpoint.safetensors")
    )
    undisturbed = Project(project.checkout, tmp_path / "undisturbed")
    undisturbed.folder.mkdir()
    undisturbed.finish(study, "--", target)
    kept, draws = [0], random.Random(20261126)
    for _ in range(2):
        project.kill_once_written(study, target, checkpoint, draws.uniform(0, 0.4))
        assert not project.results(f"{place}.json").exists()
        kept.append(len(load_arrays(project.folder / checkpoint)[0]) // 2)
        assert project.run(study, "--unlock").returncode == 0
    assert kept == sorted(set(kept)), "each run takes the landscape further"
    project.finish(study, "--", target)
    arrays = [twin.results(f"{place}.npz").read_bytes() for twin in (project, undisturbed)]
    assert arrays[0] == arrays[1]
    documents = [read_json(twin.results(f"{place}.json")) for twin in (project, undisturbed)]
    assert documents[0].pop("seconds") > 0
    del documents[1]["seconds"]
    assert documents[0] == documents[1]
    left = {path.name for path in project.results(place).parent.iterdir()}
    assert left == {"landscape.json", "landscape.npz"}


def test_a_run_in_another_place_makes_the_same_bytes(finished: Project, project: Project):
    files = [
        "data/digits/prepared.safetensors",
        "models/digits/resnet18/initial/seed1.safetensors",
        "models/digits/resnet18/baseline/seed1/model.safetensors",
        "models/digits/resnet18/baseline_sam/seed1/model.safetensors",
    ]
    result = project.run(STUDY, "--", *(f"results/small/{name}" for name in files))
    assert result.returncode == 0, result.stdout
    for name in files:
        assert project.results(name).read_bytes() == finished.results(name).read_bytes(), name


def test_draws_during_training_are_the_same_each_time(project: Project, tmp_path: Path):
    study = study_with(
        {
            "training.optimizer": {"name": "adam", "lr": 0.001},
            "training.augment": {"crop_padding": 1, "horizontal_flip": 0.5},
            "training.dropout": 0.1,
            "training.label_smoothing": 0.1,
        }
    )
    again = Project(project.checkout, tmp_path / "again")
    again.folder.mkdir()
    targets = [
        f"models/digits/resnet18/{condition}/seed1/model.safetensors"
        for condition in STUDY["conditions"]
    ]
    for twin in (project, again):
        result = twin.run(study, "--", *(f"results/small/{target}" for target in targets))
        assert result.returncode == 0, result.stdout
    first, second = ([twin.results(t).read_bytes() for t in targets] for twin in (project, again))
    assert first == second
    assert first[0] != first[1]
