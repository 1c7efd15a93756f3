"""A user's mistake ends with one line that names it, and leaves nothing half-written."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from small_study import STUDY, Project, study_with

pytestmark = pytest.mark.workflow

CONFIGURATION = {
    "wrong type": (
        {"training.epochs": "many"},
        "training.epochs: expected a whole number, got the text",
    ),
    "a number that YAML reads as text": (
        {"training.optimizer.lr": "1e-3"},
        "training.optimizer.lr: expected a number, got the text '1e-3'; write 0.001",
    ),
    "negative radius": (
        {"conditions.baseline_sam.sam.rho": -0.05},
        "conditions.baseline_sam.sam.rho: must be greater than 0, got -0.05",
    ),
    "no seeds": ({"seeds": []}, "seeds: is empty; give at least 1"),
    "a seed that is no number": ({"seeds": [0, "a"]}, "seeds[1]: expected a whole number"),
    "a whole number with a point": (
        {"training.epochs": 2.0},
        "training.epochs: expected a whole number, got 2.0",
    ),
    "not a number": (
        {"training.optimizer.lr": float("nan")},
        "training.optimizer.lr: expected a number, got nan",
    ),
    "unknown network": (
        {"networks.resnet18.architecture": "resnet81"},
        "networks.resnet18.architecture: unknown name 'resnet81'; did you mean 'resnet18'?",
    ),
    "unknown source": (
        {"datasets.digits.source": "digit"},
        "datasets.digits.source: unknown name 'digit'; did you mean 'digits'?",
    ),
    "unknown optimiser": (
        {"training.optimizer.name": "sdg"},
        "training.optimizer.name: unknown name 'sdg'; did you mean 'sgd'?",
    ),
    "unknown key": ({"trainig": {}}, "trainig: unknown key; did you mean 'training'?"),
    "unknown key far down": (
        {"conditions.baseline_sam.sam.roh": 0.1},
        "conditions.baseline_sam.sam.roh: unknown key; did you mean 'rho'?",
    ),
    "unknown setting of a family of measures": (
        {"sharpness.perturbation.sample": 3},
        "sharpness.perturbation.sample: unknown key; did you mean 'samples'?",
    ),
    "an image folder that is nowhere": (
        {"datasets.mine": {"source": "image_folder"}},
        "datasets.mine: 'path' is missing; add it",
    ),
    "a setting of another optimiser": (
        {"training.optimizer.betas": [0.9, 0.99]},
        "optimizer.betas: not a setting of sgd",
    ),
    "a setting of another network": (
        {"networks.resnet18.patch_size": 4},
        "networks.resnet18.patch_size: not a setting of resnet18",
    ),
    "a sweep of no condition": (
        {"sweeps.grid": {"axes": {"training.epochs": [1]}, "conditions": ["basline"]}},
        "sweeps.grid.conditions: no condition 'basline'; did you mean 'baseline'?",
    ),
}


def lines_with(output: str, text: str) -> list[str]:
    return [line for line in output.splitlines() if text in line]


@pytest.mark.parametrize(("changes", "message"), CONFIGURATION.values(), ids=CONFIGURATION)
def test_a_faulty_configuration_stops_before_any_job(project: Project, changes: dict, message: str):
    result = project.run(study_with(changes), "--dry-run")
    assert result.returncode == 1
    assert lines_with(result.stdout, message) == [result.stdout.strip().splitlines()[-1]]
    assert "Traceback" not in result.stdout
    assert "Job stats" not in result.stdout


def assert_refused(
    project: Project, study: dict, target: str, *texts: str, rules: Sequence[str] = ()
) -> None:
    """Check that a run towards a target fails with one line on the screen and no output."""
    allowed = ["--allowed-rules", *rules] if rules else []
    result = project.run(study, *allowed, "--", f"results/small/{target}")
    assert result.returncode == 1
    (line, *repetitions) = lines_with(result.stdout, "error: ")
    # Snakemake shows the log of the failed job, which holds the same line.
    assert set(repetitions) <= {line}
    assert all(text in line for text in texts), line
    assert "Traceback" not in result.stdout
    assert not project.results(target).exists()
    assert not list(project.folder.rglob("*.part"))


def test_a_missing_image_folder_is_named(project: Project):
    study = study_with({"datasets": {"mine": {"source": "image_folder", "path": "no_such_folder"}}})
    target = "data/mine/prepared.safetensors"
    assert_refused(project, study, target, "data/no_such_folder: ", "path")


def test_an_unreadable_picture_is_named(project: Project):
    for split in ("train", "test"):
        folder = project.folder / "data" / "mine" / split / "cat"
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(b"no picture")
    study = study_with({"datasets": {"mine": {"source": "image_folder", "path": "mine"}}})
    assert_refused(project, study, "data/mine/prepared.safetensors", "1.png", "not a readable")


def test_images_too_small_for_the_network_stop_before_training(project: Project):
    study = study_with({"networks": {"resnet18": {"architecture": "vgg19", "width": 0.1}}})
    target = "models/digits/resnet18/initial/seed0.safetensors"
    assert_refused(project, study, target, "32")


def test_normalisation_of_other_channels_than_the_images_have_is_refused(project: Project):
    study = study_with({"datasets.digits.normalize": {"mean": [0.1, 0.2, 0.3]}})
    target = "models/digits/resnet18/initial/seed0.safetensors"
    assert_refused(project, study, target, "normalize.mean", "3", "1 channel")


def test_a_diverging_training_names_epoch_step_and_learning_rate(project: Project):
    study = study_with({"training.optimizer.lr": 1.0e20, "training.epochs": 5})
    target = "models/digits/resnet18/baseline/seed0/model.safetensors"
    assert_refused(project, study, target, "epoch", "at learning rate 1e+20", "lower")


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-10] ^= 1
    path.write_bytes(content)


def misspell_a_key(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"normali", b"nosmali", 1))


MODEL = "models/digits/resnet18/baseline/seed0/model.safetensors"
MEASURES = "measures/digits/resnet18/baseline/seed0"
# What is damaged, what is made from it, and the rule that does so.
DAMAGED = {
    "data": (
        "data/digits/prepared.safetensors",
        "models/digits/resnet18/initial/seed0.safetensors",
        "initialise",
    ),
    "model": (MODEL, f"{MEASURES}/forward.json", "sharpness"),
    "corrupted copies": (
        "data/digits/corrupted/noise.safetensors",
        f"{MEASURES}/evaluation.json",
        "evaluate",
    ),
    "predictions": (
        f"{MEASURES}/predictions.safetensors",
        "tables/disagreement.csv",
        "disagreement",
    ),
    "document": (f"{MEASURES}/forward.json", "tables/measures.csv", "collect"),
}


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
@pytest.mark.parametrize(("damaged", "target", "rule"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_by_name(
    copied: Project, damaged: str, target: str, rule: str, damage: Callable[[Path], None]
):
    damage(copied.results(damaged))
    refuse_to_make(copied, target, rule, Path(damaged).name)


def test_a_model_with_a_damaged_description_is_refused_by_name(copied: Project):
    misspell_a_key(copied.results(MODEL))
    refuse_to_make(copied, f"{MEASURES}/forward.json", "sharpness", Path(MODEL).name)


def refuse_to_make(project: Project, target: str, rule: str, name: str) -> None:
    """Check that the rule alone, without what would make its inputs anew, refuses a file."""
    project.results(target).unlink()
    assert_refused(project, STUDY, target, name, "delete it", rules=[rule])
