"""Corrupted test splits: generated here, or read from the layouts of the published sets."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from corruption_cases import random_images
from packing import packed
from PIL import Image
from refusals import refused

from minimascope.data.corruptions.copies import (
    CorruptedCopies,
    CorruptionRequest,
    load_corrupted,
    save_corrupted,
    with_originals,
)
from minimascope.data.corruptions.generated import FUNCTIONS, generate
from minimascope.data.corruptions.published import cifar10_c, cifar100_c, tiny_imagenet_c
from minimascope.data.corruptions.severities import KINDS, STRENGTHS
from minimascope.data.prepared import Dataset, Split
from minimascope.evaluation.corrupted_ensembles import corrupted_hits
from minimascope.evaluation.robustness import mean_corruption_accuracy
from minimascope.safetensors_files import StoredArrays


def dataset_of(images: torch.Tensor, labels: torch.Tensor, classes: tuple[str, ...]) -> Dataset:
    return Dataset(Split(images[:1], labels[:1]), Split(images, labels), classes)


def request(corruption="contrast", severities=(1, 5), samples=None, stream="data"):
    return CorruptionRequest(corruption, severities, samples, stream)


# Generated here


def numbered() -> Dataset:
    """Sixty evenly grey images, brighter and brighter, each the only one of its class."""
    images = (3 * torch.arange(60, dtype=torch.uint8)).reshape(60, 1, 1, 1).repeat(1, 1, 8, 8)
    return dataset_of(images, torch.arange(60), tuple(f"c{i:02}" for i in range(60)))


def noisy(n: int = 60) -> Dataset:
    return dataset_of(random_images(n, 1, 8), torch.arange(n) // 20, ("a", "b", "c"))


def test_every_corruption_is_of_the_same_images_and_each_keeps_its_label():
    names = ("brightness", "gaussian_noise", "contrast")
    drawn = [generate(request(name, (1,), 25), numbered()) for name in names]
    labels = drawn[0].labels
    assert all(torch.equal(each.labels, labels) for each in drawn)
    assert len(set(labels.tolist())) == 25
    # In order, and so are the images, by their shade.
    assert (labels.diff() > 0).all()
    assert (drawn[0].inputs[0].double().mean((1, 2, 3)).diff() > 0).all()
    assert [each.corruption for each in drawn] == list(names)
    assert {each.origin for each in drawn} == {"generated"}
    assert generate(request(), numbered()).labels.tolist() == list(range(60))


def test_another_stream_gives_other_images():
    one, other = (generate(request("gaussian_noise", stream=name), noisy()) for name in "ab")
    assert not torch.equal(one.inputs, other.inputs)


def test_severities_that_are_left_out_change_no_other():
    data = noisy()
    several = generate(request("gaussian_noise", (1, 3, 5), 30), data)
    alone = generate(request("gaussian_noise", (5,), 30), data)
    assert torch.equal(alone.inputs[0], several.inputs[2])
    cells = dict(zip(several.severities, several.inputs, strict=True))
    assert list(cells) == [1, 3, 5]
    assert torch.equal(cells[5], alone.inputs[0])
    assert not torch.equal(cells[3], cells[5])


def test_all_images_are_corrupted_where_as_many_or_more_are_wanted():
    every, more, fewer = (generate(request(samples=n), noisy()) for n in (60, 61, 59))
    assert torch.equal(more.inputs, every.inputs)
    assert (len(every.labels), len(fewer.labels)) == (60, 59)


def test_features_are_no_images_to_corrupt():
    features = dataset_of(torch.rand(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64), ("a",))
    with refused("evaluation.corruptions: these inputs are not images"):
        generate(request(), features)


def test_corrupted_images_come_back_in_order_and_with_what_is_said_of_them(
    tmp_path,
):
    data = noisy()
    copies = [generate(request(name, (2, 4), 10), data) for name in ("fog", "frost", "contrast")]
    save_corrupted(tmp_path / "c", copies, data="hash")
    loaded = list(load_corrupted(tmp_path / "c"))
    for before, after in zip(copies, loaded, strict=True):
        assert torch.equal(after.inputs, before.inputs)
        assert torch.equal(after.labels, before.labels)
        assert torch.equal(after.rows, before.rows)
        tensors = dict.fromkeys(("inputs", "labels", "rows"))
        assert replace(after, **tensors) == replace(before, **tensors)
    assert torch.equal(data.test.labels[loaded[0].rows], loaded[0].labels)
    assert [bool(copy.note) for copy in loaded] == [False, True, False]
    assert loaded[1].note.startswith("frost is a generated texture")


def test_copies_are_read_one_corruption_at_a_time(tmp_path, monkeypatch):
    save_corrupted(tmp_path / "c", [generate(request(name), noisy()) for name in ("fog", "frost")])
    read, stored = [], StoredArrays.__getitem__

    def noted(self, name):
        read.append(name)
        return stored(self, name)

    monkeypatch.setattr(StoredArrays, "__getitem__", noted)
    copies = load_corrupted(tmp_path / "c")
    assert next(copies).corruption == "fog"
    # The hash is of all of them.
    read.clear()
    assert next(copies).corruption == "frost"
    assert "frost/inputs" in read
    assert not any(name.startswith("fog") for name in read)


def test_inputs_without_corruption_come_once_and_before_their_copies():
    data = numbered()
    copies = [generate(request(name, (1, 3), 7), data) for name in ("contrast", "fog")]
    original, *others = with_originals(iter(copies), data.test)
    assert (original.corruption, original.severities) == ("none", (0,))
    assert torch.equal(original.inputs[0], data.test.inputs[copies[0].rows])
    assert others == copies
    # Those of Tiny-ImageNet-C are not in the test split.
    unknown = [replace(copy, rows=None) for copy in copies]
    assert list(with_originals(iter(unknown), data.test)) == unknown


def test_every_corruption_is_of_one_kind_that_its_module_names():
    assert sorted(name for names in KINDS.values() for name in names) == sorted(STRENGTHS)
    for kind, names in KINDS.items():
        modules = {FUNCTIONS[name].__module__.rpartition(".")[2] for name in names}
        assert modules == {kind}


# CIFAR-10-C and CIFAR-100-C

N = 7


def cifar() -> Dataset:
    images = torch.zeros(N, 3, 32, 32, dtype=torch.uint8)
    return dataset_of(images, torch.tensor([2, 0, 1, 2, 2, 0, 1]), ("a", "b", "c"))


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=array.dtype == object)
    return stream.getvalue()


def cifar_arrays() -> dict[str, np.ndarray]:
    """Random pictures whose first pixel says which severity, row and corruption they are."""
    arrays = {}
    for number, name in enumerate(("fog", "snow")):
        pixels = np.random.default_rng(number).integers(0, 256, (5 * N, 32, 32, 3), dtype=np.uint8)
        pixels[:, 0, 0, 0] = np.arange(5 * N) // N + 1
        pixels[:, 0, 0, 1] = np.arange(5 * N) % N
        pixels[:, 0, 0, 2] = number
        arrays[f"{name}.npy"] = pixels
    arrays["labels.npy"] = np.tile(cifar().test.labels.numpy(), 5)
    return arrays


def cifar_files(**changed: bytes | None) -> dict[str, bytes]:
    files = {name: npy(array) for name, array in cifar_arrays().items()}
    files |= {f"{name}.npy": content for name, content in changed.items()}
    return {name: content for name, content in files.items() if content is not None}


@pytest.mark.parametrize(("name", "top"), [("CIFAR-10-C.tar", "CIFAR-10-C/"), ("CIFAR-10-C", "")])
def test_cifar_c_gives_the_pictures_of_the_wanted_severities(tmp_path, name, top):
    raw = packed(tmp_path / name, {top + file: data for file, data in cifar_files().items()})
    read = cifar10_c(request("snow", (4, 2)), cifar(), raw)
    assert read.inputs.shape == (2, N, 3, 32, 32)
    for axis, severity in enumerate((4, 2)):
        for row in range(N):
            picture = cifar_arrays()["snow.npy"][(severity - 1) * N + row]
            assert np.array_equal(read.inputs[axis, row].numpy(), np.moveaxis(picture, 2, 0))
    assert read.labels.tolist() == [2, 0, 1, 2, 2, 0, 1]
    assert (read.corruption, read.severities, read.origin) == ("snow", (4, 2), "cifar10_c")
    assert cifar100_c(request("snow"), cifar(), raw).origin == "cifar100_c"


def test_the_same_rows_of_cifar_c_are_drawn_for_every_corruption_and_severity(tmp_path):
    raw = packed(tmp_path / "CIFAR-10-C.tar", cifar_files())
    fog, snow = (cifar10_c(request(name, (1, 3), 4), cifar(), raw) for name in ("fog", "snow"))
    rows = fog.inputs[0, :, 1, 0, 0].long()
    assert len(set(rows.tolist())) == 4
    for read, number in ((fog, 0), (snow, 1)):
        for images, severity in zip(read.inputs, (1, 3), strict=True):
            assert images[:, 0, 0, 0].tolist() == [severity] * 4
            assert torch.equal(images[:, 1, 0, 0].long(), rows)
            assert images[:, 2, 0, 0].tolist() == [number] * 4
        assert torch.equal(read.labels, cifar().test.labels[rows])


FOG, LABELS = cifar_arrays()["fog.npy"], cifar_arrays()["labels.npy"]
CIFAR_FAULTS = {
    "no such corruption": ({"fog": None}, "fog.npy is missing"),
    "no labels": ({"labels": None}, "labels.npy is missing"),
    "too few pictures": ({"fog": npy(FOG[:-1])}, "fog.npy holds uint8 (34, 32, 32, 3)"),
    "channels first": ({"fog": npy(np.moveaxis(FOG, 3, 1))}, "fog.npy holds uint8 (35, 3, 32, 32)"),
    "shares of white": ({"fog": npy(FOG / 255)}, "fog.npy holds float64"),
    "other labels": ({"labels": npy(LABELS[::-1])}, "labels.npy does not hold the labels"),
    "cut short": ({"fog": npy(FOG)[:1000]}, "fog.npy is not an array"),
}


@pytest.mark.parametrize("fault", CIFAR_FAULTS)
def test_what_is_not_cifar_c_is_named_with_its_file(tmp_path, fault):
    changed, message = CIFAR_FAULTS[fault]
    raw = packed(tmp_path / "CIFAR-10-C.tar", cifar_files(**changed))
    with refused(str(raw), message):
        cifar10_c(request("fog"), cifar(), raw)


# Tiny-ImageNet-C

CLASSES = ("n01", "n02", "n03")


def tiny() -> Dataset:
    return dataset_of(torch.zeros(3, 3, 64, 64, dtype=torch.uint8), torch.arange(3), CLASSES)


def jpeg(seed: int, side: int = 64, mode: str = "RGB") -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    picture = Image.fromarray(pixels).resize((side, side)).convert(mode)
    picture.save(stream, "JPEG")
    return stream.getvalue()


def tiny_files() -> dict[str, bytes]:
    """Two pictures of each class under two corruptions, classes in another order than theirs."""
    files = {}
    for corruption in ("fog", "snow"):
        for severity in range(1, 6):
            for label in reversed(CLASSES):
                for number in (1, 0):
                    name = f"{corruption}/{severity}/{label}/val_{number}.JPEG"
                    mode = "L" if label == "n02" else "RGB"
                    files[name] = jpeg(len(files), mode=mode)
    return files


def decoded(content: bytes) -> np.ndarray:
    return np.moveaxis(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), 2, 0)


@pytest.mark.parametrize(
    ("name", "top"), [("Tiny-ImageNet-C.tar", "Tiny-ImageNet-C/"), ("Tiny-ImageNet-C", "")]
)
def test_tiny_imagenet_c_gives_its_pictures_by_class_and_name(tmp_path, name, top):
    files = tiny_files() | {"README.txt": b"words"}
    raw = packed(tmp_path / name, {top + file: data for file, data in files.items()})
    read = tiny_imagenet_c(request("snow", (5, 1)), tiny(), raw)
    assert read.inputs.shape == (2, 6, 3, 64, 64)
    assert read.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert (read.severities, read.origin) == ((5, 1), "tiny_imagenet_c")
    for axis, severity in enumerate((5, 1)):
        for row in range(6):
            file = f"snow/{severity}/{CLASSES[row // 2]}/val_{row % 2}.JPEG"
            assert np.array_equal(read.inputs[axis, row].numpy(), decoded(tiny_files()[file]))


def test_the_same_pictures_of_tiny_imagenet_c_are_drawn_at_every_severity(tmp_path):
    raw = packed(tmp_path / "Tiny-ImageNet-C.tar", tiny_files())
    whole = tiny_imagenet_c(request("fog"), tiny(), raw)
    part = tiny_imagenet_c(request("fog", samples=4), tiny(), raw)
    rows = [
        next(row for row in range(6) if torch.equal(whole.inputs[0, row], image))
        for image in part.inputs[0]
    ]
    assert len(set(rows)) == 4
    assert torch.equal(part.inputs, whole.inputs[:, rows])
    assert torch.equal(part.labels, whole.labels[rows])


SECOND = "fog/5/n02/val_1.JPEG"
TINY_FAULTS = {
    "a picture at one severity only": ({SECOND: None}, "the same pictures at every severity"),
    "other size": ({SECOND: jpeg(0, 32)}, "fog/5/n02/val_1.JPEG: 32×32 pixels where 64×64"),
    "no picture": ({SECOND: b"text"}, "fog/5/n02/val_1.JPEG: not a readable picture"),
    "half a picture": ({SECOND: jpeg(0)[:300]}, "val_1.JPEG: not a readable picture"),
    "unknown class": (
        {f"fog/{s}/n99/val_7.JPEG": jpeg(0) for s in (1, 5)},
        "class 'n99' is not among the data set's classes",
    ),
}


@pytest.mark.parametrize("fault", TINY_FAULTS)
def test_what_is_not_tiny_imagenet_c_is_named(tmp_path, fault):
    changed, message = TINY_FAULTS[fault]
    files = {name: data for name, data in (tiny_files() | changed).items() if data is not None}
    raw = packed(tmp_path / "Tiny-ImageNet-C.tar", files)
    with refused(str(raw), message):
        tiny_imagenet_c(request("fog"), tiny(), raw)
    with refused(str(raw), "spatter is missing"):
        tiny_imagenet_c(request("spatter"), tiny(), raw)


# What is done with them


class ChannelMeans(torch.nn.Module):
    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.double().mean((2, 3))


def test_accuracies_under_published_and_generated_corruptions_have_names_of_their_own():
    images = torch.zeros(2, 4, 3, 8, 8, dtype=torch.uint8)
    images[0, :3, 1] = 255  # the second channel is the brightest for three images, then for none
    labels = torch.ones(4, dtype=torch.int64)
    rows = []
    for origin in ("cifar10_c", "generated"):
        corrupted = CorruptedCopies("fog", (1, 2), images, labels, origin)
        _, found = corrupted_hits([ChannelMeans()], [corrupted], torch.device("cpu"))
        # A network alone is its own ensemble.
        assert found[0] == found[1]
        rows.append(found[1])
    assert [row["accuracy"] for row in rows[0]] == [0.75, 0]
    published, generated = map(mean_corruption_accuracy, rows)
    assert published.measure == "corruption_accuracy"
    assert generated.measure == "corruption_accuracy_generated"
    assert published.value == generated.value == 37.5
    assert (published.unit, published.n) == ("percent", 4)


def test_inputs_without_corruption_do_not_count_in_corruption_accuracy():
    data = Split(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    copies = torch.zeros(1, 4, 3, 8, 8, dtype=torch.uint8)
    copies[0, :3, 1] = 255
    corrupted = CorruptedCopies("fog", (2,), copies, data.labels, "generated", torch.arange(4))
    pairs = with_originals([corrupted], data)
    shares, found = corrupted_hits([ChannelMeans()], pairs, torch.device("cpu"))
    assert [(row["corruption"], row["severity"], row["accuracy"]) for row in found[1]] == [
        ("none", 0, 1.0),
        ("fog", 2, 0.25),
    ]
    assert mean_corruption_accuracy(found[1]).value == 25
    assert shares.tolist() == [[0, 0, 0, 1]] * 2
