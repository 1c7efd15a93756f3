"""CIFAR's official layout, from small files made here."""

import io
import pickle
import tarfile

import numpy as np
import pytest
import torch

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
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"readme.html": b"<p>", **files}.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


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
    packed = cifar.load_cifar100(tmp_path)
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    for name, content in cifar100_files().items():
        (folder / name).write_bytes(content)
    (tmp_path / "cifar-100-python.tar.gz").unlink()
    unpacked = cifar.load_cifar100(tmp_path)
    assert torch.equal(packed.train.inputs, unpacked.train.inputs)
    assert torch.equal(packed.test.labels, unpacked.test.labels)
    assert len(unpacked.classes) == 100


@pytest.mark.parametrize("packed", [True, False])
def test_what_lies_beside_the_batches_is_not_read(tmp_path, packed):
    beside = {".DS_Store": b"x", "notes.txt": b"x", "old/test_batch": b"x", ".c/test_batch": b"x"}
    files = cifar10_files() | beside
    if packed:
        pack(files, tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py")
    else:
        for name, content in files.items():
            path = tmp_path / "cifar-10-batches-py" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert cifar.load_cifar10(tmp_path).test.labels.tolist() == batch(9, b"labels", 10)[b"labels"]


class Malicious:
    def __reduce__(self):
        return print, ("this must not run",)


def test_a_batch_that_wants_to_run_code_is_refused_without_running_it(tmp_path, capsys):
    files = cifar10_files() | {"data_batch_3": pickle.dumps(Malicious())}
    pack(files, tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py")
    with pytest.raises(InputError, match=r"data_batch_3: .* wants to run .*print"):
        cifar.load_cifar10(tmp_path)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"data_batch_3": b"\x80\x02garbage"}, "data_batch_3: not a batch"),
        ({"test_batch": pickle.dumps({b"labels": [0]})}, "test_batch: 'data' is missing"),
        ({"test_batch": pickle.dumps({b"data": np.zeros((1, 3)), b"labels": [0]})}, "not rows of"),
    ],
)
def test_what_is_no_batch_is_named(tmp_path, files, message):
    pack(cifar10_files() | files, tmp_path / "cifar-10-python.tar.gz", "cifar-10-batches-py")
    with pytest.raises(InputError, match=message):
        cifar.load_cifar10(tmp_path)


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cifar-10-python\.tar\.gz: not a readable archive"):
        cifar.load_cifar10(tmp_path)
