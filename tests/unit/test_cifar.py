"""CIFAR's official layout, from small files made here."""

import pickle

import numpy as np
import pytest
import torch
from packing import packed

from minimascope.data import cifar
from minimascope.errors import InputError

ROWS = 4


def batch(seed: int, key: bytes, classes: int) -> dict:
    draws = np.random.default_rng(seed)
    pixels = draws.integers(0, 256, (ROWS, 3072), dtype=np.uint8)
    return {b"data": pixels, key: draws.integers(0, classes, ROWS).tolist(), b"batch_label": b"x"}


def cifar10_files() -> dict[str, bytes]:
    content = {f"data_batch_{i}": batch(i, b"labels", 10) for i in range(1, 6)}
    content["test_batch"] = batch(9, b"labels", 10)
    content["batches.meta"] = {b"label_names": [f"class{i}".encode() for i in range(10)]}
    return {name: pickle.dumps(value, protocol=2) for name, value in content.items()}


def cifar100_files() -> dict[str, bytes]:
    content = {name: batch(i, b"fine_labels", 100) for i, name in enumerate(("train", "test"))}
    content["meta"] = {b"fine_label_names": [f"class{i}".encode() for i in range(100)]}
    return {name: pickle.dumps(value, protocol=2) for name, value in content.items()}


def pack(files: dict[str, bytes], path, folder: str) -> None:
    files = {"readme.html": b"<p>", **files}
    packed(path, {f"{folder}/{name}": content for name, content in files.items()})


def test_cifar10_is_read_from_its_archive_batch_by_batch(tmp_path):
    pack(cifar10_files(), tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py")
    data = cifar.load_cifar10(tmp_path)
    assert data.train.inputs.shape == (5 * ROWS, 3, 32, 32)
    assert data.classes == tuple(f"class{i}" for i in range(10))
    first = batch(1, b"labels", 10)
    # rows are 1,024 red pixels, then green, then blue, line by line
    assert data.train.inputs[0, 1, 2, 3] == first[b"data"][0, 1024 + 2 * 32 + 3]
    assert data.train.labels[:ROWS].tolist() == first[b"labels"]
    assert data.test.labels.tolist() == batch(9, b"labels", 10)[b"labels"]


def test_an_unpacked_folder_will_do(tmp_path):
    pack(cifar100_files(), tmp_path / "cifar-100-python.tar.gz", "cifar-100-python")
    from_archive = cifar.load_cifar100(tmp_path)
    packed(tmp_path / "cifar-100-python", cifar100_files())
    (tmp_path / "cifar-100-python.tar.gz").unlink()
    unpacked = cifar.load_cifar100(tmp_path)
    assert torch.equal(from_archive.train.inputs, unpacked.train.inputs)
    assert torch.equal(from_archive.test.labels, unpacked.test.labels)
    assert len(unpacked.classes) == 100


@pytest.mark.parametrize("place", ["cifar-10-python.tar.gz", "cifar-10-batches-py"])
def test_what_lies_beside_the_batches_is_not_read(tmp_path, place):
    beside = {".DS_Store": b"x", "notes.txt": b"x", "old/test_batch": b"x", ".c/test_batch": b"x"}
    top = "cifar-10-batches-py/" if place.endswith("gz") else ""
    files = {f"{top}{name}": content for name, content in (cifar10_files() | beside).items()}
    packed(tmp_path / place, files)
    assert cifar.load_cifar10(tmp_path).test.labels.tolist() == batch(9, b"labels", 10)[b"labels"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"data_batch_3": b"\x80\x02garbage"}, "data_batch_3: not a batch"),
        ({"test_batch": pickle.dumps({b"labels": [0]})}, "test_batch: 'data' is missing"),
        ({"test_batch": pickle.dumps({b"data": np.zeros((1, 3)), b"labels": [0]})}, "not rows of"),
        ({"test_batch": pickle.dumps({b"data": [1], b"labels": [0]})}, "'data' is not an array"),
        ({"test_batch": pickle.dumps({b"data": [1], b"labels": [100]})}, "not a list of labels"),
        ({"batches.meta": pickle.dumps({b"label_names": [1]})}, "not a list of names"),
    ],
)
def test_what_is_no_batch_is_named(tmp_path, files, message):
    pack(cifar10_files() | files, tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py")
    with pytest.raises(InputError, match=message):
        cifar.load_cifar10(tmp_path)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cifar-10-python\.tar\.gz: not a readable archive"):
        cifar.load_cifar10(tmp_path)
