"""From sources to the prepared format, and augmentation against torchvision."""

import collections

import numpy as np
import pytest
import torch
from packing import files_below, packed
from PIL import Image
from scipy.stats import chisquare
from study_cases import component

from minimascope.data.augment import Augmentation, augment
from minimascope.data.prepared import Dataset, Split, load_dataset, save_dataset
from minimascope.errors import InputError
from minimascope.networks.normalised import NormalisedInput
from minimascope.seeding import generator
from minimascope.streams import derive_seed

digits = component("dataset", "digits")
pictures = component("dataset", "image_folder")


def test_digits_are_split_with_the_same_share_of_each_class(tmp_path):
    data = digits(tmp_path, train_size=500, split_seed=3)
    assert (len(data.train), len(data.test)) == (500, 1297)
    assert (data.channels, data.input_size, len(data.classes)) == (1, (8, 8), 10)
    shares = [torch.bincount(s.labels) / len(s) for s in (data.train, data.test)]
    assert (shares[0] - shares[1]).abs().max() < 0.002
    assert (data.train.inputs.min(), data.train.inputs.max()) == (0, 255)
    both = torch.cat([data.train.inputs, data.test.inputs]).flatten(1).double()
    from sklearn.datasets import load_digits

    assert both.sum() == pytest.approx(load_digits().data.sum() * 255 / 16, rel=1e-3)


def test_digits_of_one_split_seed_are_always_the_same(tmp_path):
    a, b, c = (digits(tmp_path, train_size=100, split_seed=seed) for seed in (0, 0, 1))
    assert torch.equal(a.train.inputs, b.train.inputs)
    assert not torch.equal(a.train.inputs, c.train.inputs)


@pytest.mark.parametrize("size", [3, 1795, 5000])
def test_a_split_without_some_class_is_refused(tmp_path, size):
    with pytest.raises(InputError, match=f"train_size: {size}"):
        digits(tmp_path, train_size=size)


def pack(folder, path):
    """Pack a folder as the archive that the path's suffix says, inside a folder of its own."""
    files = reversed(files_below(folder).items())
    return packed(path, {f"mine/{name}": content for name, content in files})


def picture(path, size=(8, 8), mode="RGB", colour=(10, 200, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).convert(mode).save(path)


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "test"):
        picture(tmp_path / split / "cat" / "1.png")
        picture(tmp_path / split / "dog" / "1.png", mode="L")
        picture(tmp_path / split / "dog" / "2.png", mode="P")
    return tmp_path


def test_a_folder_of_pictures_of_any_mode_is_read_as_rgb(folder):
    data = pictures(folder.parent, folder.name)
    assert data.train.inputs.shape == (3, 3, 8, 8)
    assert data.train.labels.tolist() == [0, 1, 1]
    assert data.classes == ("cat", "dog")
    assert data.train.inputs[0, :, 0, 0].tolist() == [10, 200, 30]
    grey = data.train.inputs[1, :, 0, 0]
    assert (grey == grey[0]).all()


def test_pictures_of_several_sizes_need_an_image_size(folder):
    picture(folder / "train" / "dog" / "3.png", size=(12, 9))
    with pytest.raises(InputError, match=r"3\.png: 12×9 pixels .* set 'image_size'"):
        pictures(folder, ".")
    assert pictures(folder, ".", image_size=16).train.inputs.shape == (4, 3, 16, 16)


def test_a_class_in_one_split_only_is_named(folder):
    picture(folder / "test" / "owl" / "1.png")
    with pytest.raises(InputError, match="class 'owl' has pictures in test and none in train; add"):
        pictures(folder, ".")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_or_empty_split_is_named(folder, split):
    (folder / split).rename(folder / "elsewhere")
    with pytest.raises(InputError, match=f"{split}: no folder with one folder of pictures"):
        pictures(folder, ".")
    (folder / split).mkdir()
    with pytest.raises(InputError, match=f"{split}: no folder with one folder of pictures"):
        pictures(folder, ".")


@pytest.mark.parametrize("name", [None, "a.zip", "a.tar"])
def test_hidden_folders_and_files_hold_no_pictures(folder, tmp_path_factory, name):
    picture(folder / "train" / "dog" / ".ipynb_checkpoints" / "1-checkpoint.png")
    for split in ("train", "test"):
        picture(folder / split / ".thumbnails" / "1.png")
        (folder / split / "cat" / "._1.png").write_bytes(b"what macOS notes of a file")
    path = pack(folder, tmp_path_factory.mktemp("archives") / name) if name else folder
    data = pictures(path.parent, path.name)
    assert data.classes == ("cat", "dog")
    assert (len(data.train), len(data.test)) == (3, 3)


def test_a_truncated_picture_is_named(folder):
    path = folder / "test" / "cat" / "1.png"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(InputError, match=r"cat/1\.png: not a readable picture"):
        pictures(folder, ".")


def test_a_text_file_with_the_name_of_a_picture_is_named(folder):
    (folder / "test" / "cat" / "1.png").write_text("These are my pictures.")
    with pytest.raises(InputError, match=r"1\.png: not a readable picture, whatever its name says"):
        pictures(folder, ".")


def small_dataset(domains=None) -> Dataset:
    images = torch.arange(2 * 3 * 16, dtype=torch.uint8).reshape(2, 3, 4, 4)
    labels = torch.tensor([0, 1])
    train = Split(images, labels, domains)
    test = Split(images.clone(), labels.clone(), None if domains is None else domains.clone())
    return Dataset(train, test, ("a", "b"), ("x",) if domains is not None else ())


def test_a_data_set_comes_back_with_the_hash_of_its_content(tmp_path):
    paths = tmp_path / "1", tmp_path / "2"
    save_dataset(paths[0], small_dataset(torch.zeros(2, dtype=torch.int64)))
    save_dataset(paths[1], small_dataset())
    (first, hash_1), (second, hash_2) = map(load_dataset, paths)
    assert torch.equal(first.train.inputs, small_dataset().train.inputs)
    assert first.train.domains.tolist() == [0, 0]
    assert second.train.domains is None
    assert first.classes == ("a", "b")
    assert hash_1 != hash_2


def test_impossible_data_sets_are_refused():
    images = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(InputError, match="as many labels as inputs"):
        Split(images, torch.tensor([0]))
    with pytest.raises(InputError, match="at least one"):
        Split(images[:0], torch.tensor([], dtype=torch.int64))
    split = Split(images, torch.tensor([0, 2]))
    with pytest.raises(InputError, match="labels run from 0 to 2"):
        Dataset(split, split, ("a", "b"))
    other = Split(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1]))
    with pytest.raises(InputError, match="must have one shape"):
        Dataset(Split(images, torch.tensor([0, 1])), other, ("a", "b"))


def test_normalisation_takes_bytes_as_shares_of_white_and_features_as_they_are():
    model = NormalisedInput(torch.nn.Identity(), [0.5, 0.25], [0.5, 2])
    images = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 2, 1, 1)
    assert model.normalise(images).flatten().tolist() == [-1, 0.375]
    assert model.normalise(torch.ones(1, 2, 1, 1)).flatten().tolist() == [1, 0.375]
    assert model.double().normalise(images).dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_augmentation_equals_torchvisions_crop_and_flip_with_the_same_draws(dtype):
    from torchvision.transforms import functional

    draws = generator(0, "pictures")
    images = torch.randint(0, 256, (40, 3, 8, 8), generator=draws).to(dtype)
    result = augment(images, Augmentation(2, 128, 0.5), generator(1))
    same = generator(1)
    offsets = torch.randint(0, 5, (2, 40), generator=same)
    flips = torch.rand(40, generator=same) < 0.5
    assert flips.any()
    assert not flips.all()
    for k in range(40):
        top, left = offsets[:, k].tolist()
        padded = functional.pad(images[k], [2] * 4, fill=128)
        expected = functional.crop(padded, top, left, 8, 8)
        expected = functional.hflip(expected) if flips[k] else expected
        assert torch.equal(result[k], expected)
    assert result.dtype == dtype


def test_augmentation_of_nothing_changes_nothing():
    images, draws = torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8), generator(0)
    assert torch.equal(augment(images, Augmentation(), draws), images)
    assert torch.equal(draws.get_state(), generator(0).get_state())


def test_every_crop_is_as_likely_as_any_other():
    marked = torch.zeros(3600, 1, 5, 5, dtype=torch.uint8)
    marked[:, :, 2, 2] = 1
    result = augment(marked, Augmentation(crop_padding=1), generator(7))
    places = collections.Counter(result.flatten(1).argmax(1).tolist())
    assert len(places) == 9
    assert chisquare(list(places.values())).pvalue > 1e-3


def test_seeds_of_neighbouring_streams_are_unrelated_and_stable():
    seeds = [derive_seed(s, p, e) for s in range(4) for p in ("a", "b") for e in range(4)]
    assert len(set(seeds)) == 32
    bits = np.array([[seed >> b & 1 for b in range(63)] for seed in seeds])
    assert 0.4 < bits.mean() < 0.6
    assert derive_seed(0, "order", 1) == 4489457307835839548  # for ever


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.zip"])
def test_an_archive_of_pictures_gives_what_the_folder_gives(folder, tmp_path_factory, name):
    path = pack(folder, tmp_path_factory.mktemp("archives") / name)
    unpacked, from_archive = pictures(folder, "."), pictures(path.parent, name)
    assert from_archive.classes == unpacked.classes
    for ours, theirs in ((from_archive.train, unpacked.train), (from_archive.test, unpacked.test)):
        assert torch.equal(ours.inputs, theirs.inputs)
        assert torch.equal(ours.labels, theirs.labels)
