"""A study adopts what a plain script has trained, and predicts what the script predicted."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from small_study import ROOT, Project

from minimascope.evaluation.predictions import load_predictions
from minimascope.kernels import KERNELS

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CLASSES, SEEDS = 3, (0, 1)
STUDY = {
    "study": "foreign",
    "seeds": [*SEEDS],
    "datasets": {
        "pictures": {
            "source": "image_folder",
            "path": "pictures",
            "normalize": {"mean": [0.5], "std": [0.25]},
        }
    },
    "networks": {"test_resnet": {"architecture": "timm:test_resnet"}},
    "training": {"epochs": 1, "batch_size": 10, "optimizer": {"name": "sgd", "lr": 0.02}},
    "conditions": {
        "baseline": {},
        "theirs": {"checkpoint": "runs/{network}-seed{seed}.pt", "classes": ["2", "1", "0"]},
    },
    "sharpness": {
        "forward": {},
        "interpolation": {"lines": [["theirs", "baseline"]], "points": 3, "margin": 0},
    },
    "evaluation": {"corruptions": None},
}


def write_pictures(folder: Path) -> None:
    """Write digits as pictures of 32 × 32 pixels, in a folder for each split and class."""
    digits = load_digits()
    for label in range(CLASSES):
        for number, image in enumerate(digits.images[digits.target == label][:20]):
            place = folder / ("train" if number < 15 else "test") / str(label)
            place.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray((image * 15).astype(np.uint8)).resize((32, 32))
            picture.convert("RGB").save(place / f"{number:02}.png")


def test_predictions_of_an_adopted_network_are_those_of_the_script_that_trained_it(
    project: Project,
):
    data = project.folder / "data"
    write_pictures(data / "pictures")
    command = [sys.executable, ROOT / "tests" / "foreign_training.py", data / "pictures"]
    words = [data / "runs", "--network", "test_resnet", "--epochs", "2", "--per-class", "15"]
    words += ["--seeds", *map(str, SEEDS)]
    # With the kernels that this workflow chooses, rounding is the same.
    subprocess.run([*command, *words], env={**KERNELS, **os.environ}, check=True)
    project.finish(STUDY)
    results = project.folder / "results" / STUDY["study"]
    for seed in SEEDS:
        place = results / f"measures/pictures/test_resnet/theirs/seed{seed}"
        ours = load_predictions(place / "predictions.safetensors").logits
        with np.load(data / "runs" / f"test_resnet-seed{seed}.npz") as theirs:
            np.testing.assert_allclose(ours[:, ::-1], theirs["logits"], rtol=1e-6, atol=1e-6)
    assert (results / "tables" / "interpolation.csv").exists()
