"""Whatever a file holds, its reader gives what was written or one line, and runs nothing of it."""

import json
import os
import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from minimascope.checkpoints import CheckpointFile, Progress
from minimascope.data.archives import archive_files
from minimascope.data.corrupted import CorruptedImages, load_corrupted, save_corrupted
from minimascope.data.pictures import Picture, decoded_picture
from minimascope.data.prepared import Dataset, Split, load_dataset, save_dataset
from minimascope.data.recordings import read_table
from minimascope.data.sound import read_sound
from minimascope.errors import InputError
from minimascope.evaluation.predictions import Predictions, load_predictions, save_predictions
from minimascope.files import read_json, write_json
from minimascope.models import load_model, save_model
from minimascope.networks import NetworkSpec, build
from minimascope.networks.normalised import NormalisedInput
from minimascope.npz import read_npz, write_npz
from minimascope.study_file import read_study_file
from minimascope.tensors import load_tensors, save_tensors

CPU = torch.device("cpu")


class Touch:
    """A pickle that makes a file when it is loaded as pickles usually are."""

    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def restore(path: Path) -> Any:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    progress = CheckpointFile(path, "this run").restore(model, optimizer)
    return progress, {name: tensor.tolist() for name, tensor in model.state_dict().items()}


READERS: dict[str, Callable[[Path], Any]] = {
    "model": partial(load_model, device=CPU),
    "data": load_dataset,
    "corrupted images": load_corrupted,
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
        written({"weight": Touch(marker)}, file)
    with pytest.raises(InputError, match=r"it\.safetensors: ") as caught:
        READERS[reader](path)
    assert str(caught.value).isprintable()
    assert not marker.exists()
    if written is pickle.dump:
        pickle.loads(path.read_bytes())
        assert marker.exists()  # so it would have run


def test_arrays_of_objects_are_refused_and_do_not_run(tmp_path):
    marker = tmp_path / "ran"
    np.savez(tmp_path / "it.npz", losses=np.array([Touch(marker)], dtype=object))
    with pytest.raises(InputError, match=r"it\.npz: "):
        read_npz(tmp_path / "it.npz")
    assert not marker.exists()


@pytest.mark.parametrize("reader", ["model", "data", "corrupted images", "predictions"])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, reader):
    path = tmp_path / "it.safetensors"
    save_tensors(path, {"a": torch.ones(1)}, kind="none of these")
    with pytest.raises(InputError, match=r"it\.safetensors: holds no "):
        READERS[reader](path)


def with_header(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


def header(**tensor: Any) -> bytes:
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | tensor
    return json.dumps({"a": entry}).encode()


SAFETENSORS = {
    "a header of an exabyte": with_header(b"{}", 2**60),
    "a header of all bits": with_header(b"{}", 2**64 - 1),
    "no header": b"",
    "a tensor of an exabyte": with_header(header(shape=[2**58])) + bytes(4),
    "a product that overflows": with_header(header(shape=[2**40, 2**40])) + bytes(4),
    "bytes that are not there": with_header(header(data_offsets=[0, 2**50])),
    "bytes in the wrong order": with_header(header(data_offsets=[4, 0])) + bytes(4),
    "a negative side": with_header(header(shape=[-1])) + bytes(4),
    "an unknown type": with_header(header(dtype="OBJECT")) + bytes(4),
    "nested without end": with_header(b'{"a":' * 50_000),
}


@pytest.mark.parametrize("fault", SAFETENSORS)
def test_a_hostile_header_of_safetensors_is_refused(tmp_path, fault):
    (tmp_path / "it.safetensors").write_bytes(SAFETENSORS[fault])
    with pytest.raises(InputError, match=r"it\.safetensors: not a readable safetensors file"):
        load_tensors(tmp_path / "it.safetensors")


@pytest.mark.parametrize(
    "metadata", ["[]", "5", "null", '"x"', "[" * 100_000, "{", "NaN", "\\ud800"]
)
def test_metadata_that_are_no_mapping_are_refused(tmp_path, metadata):
    path = tmp_path / "it.safetensors"
    save_file({"a": torch.ones(1)}, path, {"minimascope": metadata})
    with pytest.raises(InputError, match=r"it\.safetensors: "):
        load_tensors(path)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("read", [load_tensors, load_predictions])
def test_numbers_of_a_type_that_is_never_written_are_refused(tmp_path, kind, read):
    path = tmp_path / "it.safetensors"
    save_file({"logits": torch.ones(2).to(kind)}, path, {"minimascope": "{}"})
    with pytest.raises(InputError, match=r"it\.safetensors: not a readable safetensors file"):
        read(path)


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"1" * 5000, b"\xff"])
def test_a_document_that_python_cannot_hold_is_refused(tmp_path, content):
    (tmp_path / "it.json").write_bytes(content)
    with pytest.raises(InputError, match=r"it\.json: "):
        read_json(tmp_path / "it.json")


# Damage of any kind


def valid_files(folder: Path) -> dict[str, Path]:
    """Write a file for each reader."""
    draws = torch.Generator().manual_seed(0)
    split, other = (
        Split(torch.randint(256, (3, 1, 4, 4), dtype=torch.uint8, generator=draws), torch.arange(3))
        for _ in range(2)
    )
    spec = NetworkSpec("resnet18", channels=1, input_size=(8, 8), classes=2, width=0.0625)
    paths = {name: folder / name.replace(" ", "_") for name in READERS}
    normalize = {"mean": [0.5], "std": [0.5]}
    save_model(paths["model"], NormalisedInput(build(spec), **normalize), spec, normalize)
    save_dataset(paths["data"], Dataset(split, other, ("a", "b", "c")))
    images = CorruptedImages("fog", (1,), split.inputs[None], split.labels, "generated")
    save_corrupted(paths["corrupted images"], images)
    logits = torch.randn(3, 3, generator=draws).numpy()
    run = {"dataset": "d", "network": "n", "condition": "c", "seed": "0"}
    save_predictions(paths["predictions"], Predictions(run, logits, np.arange(3)))
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    checkpoint = CheckpointFile(paths["checkpoint"], "this run")
    checkpoint.save_if_cheap(model, optimizer, Progress(1, ({"loss": 0.5},)))
    save_tensors(paths["tensors"], {"a": torch.randn(4, generator=draws)}, note="x")
    write_npz(paths["arrays"], {"a": np.arange(6.0).reshape(2, 3)})
    write_json(paths["document"], {"a": [1, 2.5, None], "b": "text"})
    paths["study"].write_text("study: x\nseeds: [0, 1]\na: &a {b: 1}\nc: *a\n")
    return paths


def outcome(read: Callable[[Any], Any], what: Any) -> Any:
    """Return what a reader gives, or why it gives nothing."""
    try:
        return read(what)
    except InputError as error:
        return error


def plain(value: Any) -> str:
    """Return text that is equal for equal content."""
    if isinstance(value, torch.nn.Module):
        return plain(dict(value.state_dict()))
    if isinstance(value, torch.Tensor):
        return f"{value.dtype}{value.tolist()}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.tolist()}"
    if isinstance(value, dict):
        return str({key: plain(item) for key, item in value.items()})
    if isinstance(value, tuple | list):
        return str([plain(item) for item in value])
    return plain(vars(value)) if hasattr(value, "__dict__") else repr(value)


# Without a hash of its content, it may hold something else where a byte is another.
UNSIGNED = {"study"}

damages = st.one_of(
    st.tuples(st.just("bytes"), st.binary(max_size=200)),
    st.tuples(st.just("flip"), st.tuples(st.integers(0, 10**6), st.integers(0, 7))),
    st.tuples(st.just("set"), st.tuples(st.integers(0, 400), st.integers(0, 255))),
    st.tuples(st.just("cut"), st.integers(0, 10**6)),
    st.tuples(st.just("insert"), st.tuples(st.integers(0, 10**6), st.binary(max_size=9))),
    st.tuples(st.just("swap"), st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))),
)


def damaged(content: bytes, damage: tuple[str, Any]) -> bytes:
    """Return a file's content after something has happened to it."""
    kind, detail = damage
    if kind == "bytes":
        return detail
    changed = bytearray(content)
    if kind == "cut":
        return content[: detail % len(content)]
    place = detail[0] % len(content)
    match kind:
        case "flip":
            changed[place] ^= 1 << detail[1]
        case "set":
            changed[place] = detail[1]
        case "insert":
            changed[place:place] = detail[1]
        case "swap":
            other = detail[1] % len(content)
            changed[place], changed[other] = changed[other], changed[place]
    return bytes(changed)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, tuple[Path, bytes, str]]:
    paths = valid_files(tmp_path_factory.mktemp("whole"))
    return {name: (p, p.read_bytes(), plain(READERS[name](p))) for name, p in paths.items()}


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_gives_what_was_written_or_one_line(whole, reader):
    path, content, expected = whole[reader]

    @settings(
        max_examples=30 if reader == "model" else 100,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damages)
    @example(("bytes", b""))
    def check(damage: tuple[str, Any]) -> None:
        path.write_bytes(damaged(content, damage))
        read = outcome(READERS[reader], path)
        if isinstance(read, InputError):
            assert path.name in str(read)
            assert str(read).isprintable()
        else:
            assert plain(read) == expected or reader in UNSIGNED

    check()


def sounds_and_pictures(folder: Path) -> dict[str, tuple[bytes, Callable[[bytes], Any]]]:
    import io
    import tarfile
    import zipfile

    import soundfile
    from PIL import Image

    cases: dict[str, tuple[bytes, Callable[[bytes], Any]]] = {}
    picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM"):
        stream = io.BytesIO()
        picture.save(stream, kind)
        cases[kind] = (
            stream.getvalue(),
            lambda content: decoded_picture(Picture("train", "a", "it", content), folder),
        )
    for kind in ("WAV", "FLAC", "OGG"):
        stream = io.BytesIO()
        soundfile.write(stream, np.sin(np.arange(800)), 8000, format=kind)
        cases[kind] = stream.getvalue(), lambda content: read_sound(content, "it")
    for suffix in ("tar", "tar.gz", "zip"):
        path = folder / f"it.{suffix}"
        if suffix == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("a/b.txt", b"hello " * 20)
        else:
            with tarfile.open(path, "w:gz" if suffix == "tar.gz" else "w") as archive:
                member = tarfile.TarInfo("a/b.txt")
                member.size = 120
                archive.addfile(member, io.BytesIO(b"hello " * 20))
        cases[suffix] = path.read_bytes(), partial(read_archive, path)
    table = b"filename,label,domain,split,seen\na.wav,x,y,train,true\nb.wav,x,y,test,true\n"
    cases["table"] = table, partial(read_recordings_of, folder / "it.csv")
    return cases


def read_archive(path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    return list(archive_files(path))


def read_recordings_of(path: Path, content: bytes) -> Any:
    path.write_bytes(content)
    return read_table(path, "x")


FOREIGN = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "WAV", "FLAC", "OGG")


@pytest.mark.parametrize("kind", [*FOREIGN, "tar", "tar.gz", "zip", "table"])
def test_a_damaged_picture_sound_archive_or_table_is_read_or_refused(tmp_path, kind):
    content, read = sounds_and_pictures(tmp_path)[kind]

    @settings(
        max_examples=100,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(damages)
    def check(damage: tuple[str, Any]) -> None:
        found = outcome(read, damaged(content, damage))
        if isinstance(found, InputError):
            assert "it" in str(found)
            assert str(found).isprintable()

    check()
