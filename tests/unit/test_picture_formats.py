"""Pictures are read as a viewer shows them, or refused by name."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusals import refused

from minimascope.data.image_folder import load

RAMP = (np.arange(64, dtype=np.uint16) * 1000).reshape(8, 8)


def folder_with(root: Path, picture: Image.Image, name: str = "0.png", **saving) -> Path:
    for split in ("train", "test"):
        for label in "ab":
            place = root / split / label
            place.mkdir(parents=True)
            picture.save(place / name, **saving)
    return root


@pytest.mark.parametrize("name", ["0.png", "0.tif"])
def test_grey_of_16_bits_runs_from_black_to_white(tmp_path, name):
    root = folder_with(tmp_path, Image.fromarray(RAMP), name)
    expected = np.round(RAMP / 257)
    for channel in load(root, ".").train.inputs[0]:
        np.testing.assert_array_equal(channel.numpy(), expected)


@pytest.mark.parametrize("levels", [np.linspace(0, 1, 64), np.arange(64) * 10**6])
def test_pictures_whose_white_is_not_known_are_refused(tmp_path, levels):
    dtype = np.float32 if levels.max() == 1 else np.int32
    root = folder_with(tmp_path, Image.fromarray(levels.astype(dtype).reshape(8, 8)), "0.tif")
    with refused("a/0.tif", "has 32 bits per pixel", "save it with 8 or 16"):
        load(root, ".")


def test_photographs_are_upright(tmp_path):
    right_white = np.zeros((16, 16, 3), np.uint8)
    right_white[:, 8:] = 255
    turned = Image.Exif()
    turned[274] = 6  # to be shown after a quarter turn to the right
    picture = Image.fromarray(right_white)
    image = load(folder_with(tmp_path, picture, "0.jpg", exif=turned, quality=95), ".").train.inputs
    assert image[0, :, 0].float().mean() < 20  # the top row, black
    assert image[0, :, -1].float().mean() > 235


def test_two_folders_with_train_and_test_are_not_taken_together(tmp_path):
    grey = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    folder_with(tmp_path, grey)
    folder_with(tmp_path / "backup", grey)
    with refused(str(tmp_path / "backup"), "in several folders", "set 'path' to one"):
        load(tmp_path, ".")
    assert len(load(tmp_path, "backup").train) == 2


def test_gifs_are_read_and_moving_ones_by_their_first_picture(tmp_path):
    frames = [Image.fromarray(np.full((8, 8, 3), level, np.uint8)) for level in (255, 0)]
    root = folder_with(tmp_path, frames[0], "0.gif", save_all=True, append_images=frames[1:])
    assert (load(root, ".").train.inputs == 255).all()
