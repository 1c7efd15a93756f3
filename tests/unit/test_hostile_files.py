"""No file that is read runs code, and what its header declares is not believed."""

import json
import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import MakesFolder, refused

from minimascope.checkpoints import CheckpointFile
from minimascope.data.corruptions.copies import load_corrupted
from minimascope.data.prepared import load_dataset
from minimascope.evaluation.predictions import load_predictions
from minimascope.files import read_json
from minimascope.models import load_model
from minimascope.npz import read_npz
from minimascope.study.file import read_study_file
from minimascope.tensors import load_tensors

CPU = torch.device("cpu")


def restore(path: Path) -> Any:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    progress = CheckpointFile(path, "this run", CPU).restore(model, optimizer)
    return progress, {name: tensor.tolist() for name, tensor in model.state_dict().items()}


READERS: dict[str, Callable[[Path], Any]] = {
    "model": partial(load_model, device=CPU),
    "data": load_dataset,
    "corrupted images": lambda path: list(load_corrupted(path)),
    "predictions": load_predictions,
    "checkpoint": restore,
    "tensors": load_tensors,
    "arrays": read_npz,
    "document": read_json,
    "study": read_study_file,
}


@pytest.mark.parametrize("written", [pickle.dump, torch.save])
@pytest.mark.parametrize("reader", READERS)
def test_a_pickle_in_the_place_of_a_file_is_refused_by_name_and_does_not_run(
    tmp_path, reader, written
):
    path, marker = tmp_path / "it.safetensors", tmp_path / "ran"
    with path.open("wb") as file:
        written({"weight": MakesFolder(marker)}, file)
    with refused("it.safetensors: "):
        READERS[reader](path)
    assert not marker.exists()


def test_arrays_of_objects_are_refused_and_do_not_run(tmp_path):
    marker = tmp_path / "ran"
    np.savez(tmp_path / "it.npz", losses=np.array([MakesFolder(marker)], dtype=object))
    with refused("it.npz: "):
        read_npz(tmp_path / "it.npz")
    assert not marker.exists()


def with_header(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


def header(**tensor: Any) -> bytes:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | tensor
    return json.dumps({"a": entry}).encode()


SAFETENSORS = {
    "a header of an exabyte": with_header(b"{}", 2**60),
    "a tensor of an exabyte": with_header(header(shape=[2**58])) + bytes(4),
    "bytes that are not there": with_header(header(data_offsets=[0, 2**50])),
    "nested without end": with_header(b'{"a":' * 50_000),
}


@pytest.mark.parametrize("fault", SAFETENSORS)
def test_a_hostile_header_of_safetensors_is_refused(tmp_path, fault):
    (tmp_path / "it.safetensors").write_bytes(SAFETENSORS[fault])
    with refused("it.safetensors: not a readable safetensors file"):
        load_tensors(tmp_path / "it.safetensors")
