"""Real pictures from an archive: CIFAR-10 as JPEG files, and a thousand of its originals."""

from pathlib import Path

import numpy as np
import pytest
import torch

from minimascope.data import image_folder
from minimascope.data.prepared import Dataset

DATA = Path(__file__).parents[3] / "shared" / "data"
ARCHIVE, ORIGINALS = "cifar10-jpeg.tar.gz", DATA / "cifar10-original-1000.npz"

pytestmark = pytest.mark.skipif(
    not (DATA / ARCHIVE).exists(), reason=f"{ARCHIVE} is not beside the repository"
)


@pytest.fixture(scope="module")
def cifar10_jpeg() -> Dataset:
    return image_folder.load(DATA, ARCHIVE, image_size=None)


def test_all_sixty_thousand_are_read(cifar10_jpeg: Dataset):
    train, test = cifar10_jpeg.train, cifar10_jpeg.test
    assert (train.inputs.shape, test.inputs.shape) == ((50_000, 3, 32, 32), (10_000, 3, 32, 32))
    assert train.labels.bincount().tolist() == [5000] * 10
    assert test.labels.bincount().tolist() == [1000] * 10
    assert cifar10_jpeg.classes[0] == "airplane"
    assert cifar10_jpeg.classes[9] == "truck"


def test_colours_are_those_that_were_measured_elsewhere(cifar10_jpeg: Dataset):
    scaled = cifar10_jpeg.test.inputs.double() / 255
    assert scaled.mean((0, 2, 3)).tolist() == pytest.approx([0.4941, 0.4851, 0.4504], abs=1e-4)
    assert scaled.std((0, 2, 3)).tolist() == pytest.approx([0.2449, 0.2422, 0.2606], abs=1e-4)


def test_pictures_and_labels_belong_to_the_originals_in_order(cifar10_jpeg: Dataset):
    """Number k of a class in the folder is number k of that class in CIFAR-10's own order."""
    with np.load(ORIGINALS) as file:
        images, labels = file["images"], torch.from_numpy(file["labels"])
    train = cifar10_jpeg.train
    rows = [
        int((train.labels == label).nonzero()[int((labels[:i] == label).sum())])
        for i, label in enumerate(labels)
    ]
    originals = torch.from_numpy(images).permute(0, 3, 1, 2).double()
    errors = (train.inputs[rows].double() - originals).square().mean((1, 2, 3))
    decibels = 20 * np.log10(255) - 10 * errors.log10()
    assert decibels.min() > 20
    assert decibels.mean().item() == pytest.approx(30.5, abs=0.5)
