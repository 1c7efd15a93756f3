"""Which jobs a change reruns: exactly those whose result it can change."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_study import STUDY, Project, study_with

pytestmark = pytest.mark.workflow

# The study has 2 conditions × 2 seeds, 2 corruptions, 6 figures of its network and 1 of all.
AFTER_COLLECT = {"collect": 1, "summarise": 1, "correlate": 1, "plot": 4, "plot_dataset": 1}
AFTER_EVALUATE = {"calibrate": 1, "disagreement": 1, **AFTER_COLLECT, "plot": 6}
MEASURES_OF_TWO_MODELS = {"forward": 2, "perturbation": 2, "evaluate": 2, **AFTER_EVALUATE}
MEASURES_OF_ALL_MODELS = {"forward": 4, "perturbation": 4, "evaluate": 4, **AFTER_EVALUATE}
# The table of conditions says how each is trained.
SETTINGS = {"conditions": 1}

CONFIGURATION = {
    "nothing": ({}, {}),
    "a seed more": (
        {"seeds": [0, 1, 2]},
        {"initialise": 1, "train": 2, **MEASURES_OF_TWO_MODELS},
    ),
    "the order of seeds": ({"seeds": [1, 0]}, {}),
    "a seed less": ({"seeds": [0]}, AFTER_EVALUATE),
    "number of perturbations": (
        {"sharpness.perturbation.samples": 4},
        {"perturbation": 4, **AFTER_COLLECT},
    ),
    "another view, where no condition augments": ({"sharpness.view": ["augmented"]}, {}),
    "the initial weights too": (
        {"sharpness.on": ["final", "initial"]},
        {"forward": 2, "perturbation": 2, **AFTER_COLLECT},
    ),
    "landscapes too": (
        {"sharpness.landscape": {"points": 3}},
        {
            "landscape": 4,
            "gather": 1,
            "stability": 1,
            "plot_interactive": 1,
            **AFTER_COLLECT,
            "plot": 7,
            "plot_dataset": 2,
        },
    ),
    "interpolation too": (
        {"sharpness.interpolation": {"lines": [["initial", "baseline"]]}},
        {"interpolate": 2, "gather": 1, "plot": 1},
    ),
    "a default written out": ({"sharpness.perturbation.radius": 0.005}, {}),
    "SAM's radius": (
        {"conditions.baseline_sam.sam.rho": 0.1},
        {**SETTINGS, "train": 2, **MEASURES_OF_TWO_MODELS},
    ),
    "the learning rate of one condition": (
        {"conditions.baseline.optimizer": {"lr": 0.01}},
        # With two learning rates there is something to see in them.
        {**SETTINGS, "train": 2, **MEASURES_OF_TWO_MODELS, "plot_dataset": 3},
    ),
    "learning rate and momentum exchanged": (
        {"training.optimizer": {"name": "sgd", "lr": 0.9, "momentum": 0.02}},
        {**SETTINGS, "train": 4, **MEASURES_OF_ALL_MODELS},
    ),
    "epochs": ({"training.epochs": 3}, {**SETTINGS, "train": 4, **MEASURES_OF_ALL_MODELS}),
    "a condition more": (
        {"conditions.weight_decay": {"optimizer": {"weight_decay": 0.001}}},
        {**SETTINGS, "train": 2, **MEASURES_OF_TWO_MODELS},
    ),
    "normalisation": (
        {"datasets.digits.normalize": {"mean": [0.3]}},
        {"initialise": 2, "train": 4, **MEASURES_OF_ALL_MODELS},
    ),
    "a network more": (
        {"networks.vit": {"architecture": "vit", "width": 0.1}},
        {**SETTINGS, "initialise": 2, "train": 4, **MEASURES_OF_ALL_MODELS, "plot": 12},
    ),
    "a family of measures less": ({"sharpness.forward": None}, {**AFTER_COLLECT, "plot": 3}),
    "no toy functions": ({"toy_functions": False}, {}),
    "bins of the calibration error": (
        {"evaluation.ece_bins": 10},
        {"calibrate": 1, **AFTER_COLLECT, "plot": 5},
    ),
    "corrupted samples": (
        {"evaluation.corruptions.samples": 11},
        {"corrupt": 2, "evaluate": 4, **AFTER_EVALUATE},
    ),
    "size of the training split": (
        {"datasets.digits.train_size": 90},
        {"prepare": 1, "corrupt": 2, "initialise": 2, "train": 4, **MEASURES_OF_ALL_MODELS},
    ),
    # There may be other data in the other folder.
    "the folder of raw data": (
        {"data_dir": "elsewhere"},
        {"prepare": 1, "corrupt": 2, "initialise": 2, "train": 4, **MEASURES_OF_ALL_MODELS},
    ),
    "the study's name": (
        {"study": "other"},
        {
            **SETTINGS,
            "prepare": 1,
            "corrupt": 2,
            "initialise": 2,
            "train": 4,
            "toy_geometry": 1,
            **MEASURES_OF_ALL_MODELS,
        },
    ),
}


@pytest.mark.parametrize(("changes", "expected"), CONFIGURATION.values(), ids=CONFIGURATION)
def test_a_change_of_configuration_reruns_what_depends_on_it(
    finished: Project, changes: Mapping[str, Any], expected: Mapping[str, int]
):
    assert finished.planned(study_with(changes)) == expected


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return value


def test_reordered_keys_rerun_nothing(finished: Project):
    study = reordered(STUDY)
    assert list(study) != list(STUDY)
    assert finished.planned(study) == {}


LIBRARY = "scripts/minimascope"
ADDED_CODE = "\n\n_ADDED = 1\n"
CODE = {
    "a comment": (f"{LIBRARY}/training.py", "\n# nothing new\n", {}),
    "a figure": (f"{LIBRARY}/plots/controls.py", ADDED_CODE, {"plot": 1}),
    "the style of figures": (
        f"{LIBRARY}/plots/style.py",
        ADDED_CODE,
        {"plot": 6, "plot_dataset": 1, "toy_geometry": 1},
    ),
    "one family of measures": (
        f"{LIBRARY}/sharpness/perturbation.py",
        ADDED_CODE,
        {"perturbation": 4, **AFTER_COLLECT},
    ),
    "SAM": (f"{LIBRARY}/optim/sam.py", ADDED_CODE, {"train": 4, **MEASURES_OF_ALL_MODELS}),
    "a network not in the study": (f"{LIBRARY}/networks/vit.py", ADDED_CODE, {}),
    "weights that no network of the study has": (
        f"{LIBRARY}/networks/torchvision_pretrained.py",
        ADDED_CODE,
        {},
    ),
    "calibration": (
        f"{LIBRARY}/evaluation/calibration.py",
        ADDED_CODE,
        {"calibrate": 1, **AFTER_COLLECT, "plot": 5},
    ),
}


@pytest.fixture
def moved(finished: Project, tmp_path: Path) -> Project:
    """The finished study under a checkout in another place."""
    checkout = shutil.copytree(finished.checkout, tmp_path / "moved")
    return Project(checkout, finished.folder)


@pytest.mark.parametrize(("name", "added", "expected"), CODE.values(), ids=CODE)
def test_a_change_of_code_reruns_what_depends_on_it(
    moved: Project, name: str, added: str, expected: Mapping[str, int]
):
    path = moved.checkout / name
    path.write_text(path.read_text() + added)
    assert moved.planned(STUDY) == expected


def test_a_new_network_reruns_nothing(moved: Project):
    (moved.checkout / LIBRARY / "networks" / "mlp.py").write_text("WIDTH = 100\n")
    registry = moved.checkout / LIBRARY / "registry.py"
    line = '\nNETWORKS["mlp"] = _component("networks.mlp:mlp")\n'
    registry.write_text(registry.read_text() + line)
    assert moved.planned(STUDY) == {}


def test_new_docstrings_rerun_nothing(moved: Project):
    for path in moved.checkout.glob("scripts/**/*.py"):
        text = path.read_text()
        assert '"""' in text or path.name == "__init__.py"
        path.write_text(text.replace('"""', '"""In other words: ', 1))
    assert moved.planned(STUDY) == {}


def test_a_moved_checkout_with_touched_files_reruns_nothing(moved: Project):
    for pattern in ("scripts/**/*.py", "rules/*.smk", "resources/**/*", "Snakefile"):
        for path in moved.checkout.glob(pattern):
            path.touch()
    assert moved.planned(STUDY) == {}
