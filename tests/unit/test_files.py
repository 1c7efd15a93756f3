"""Files appear whole or not at all, are the same for the same content, and never run code."""

import io
import json
import multiprocessing
import os
import random
import signal
import stat
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from minimascope.errors import InputError
from minimascope.files import atomic, read_json, readable, write_json, write_rows, write_text
from minimascope.npz import read_npz, write_npz
from minimascope.tensors import load_tensors, save_tensors

SCRIPTS = Path(__file__).parents[2] / "scripts"
TENSORS = {"b": torch.arange(6).reshape(2, 3), "a": torch.tensor(1.5, dtype=torch.float64)}


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "folder" / "x.safetensors"
    save_tensors(path, TENSORS, seed=3, names=["é"])
    tensors, metadata = load_tensors(path)
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)
    assert (metadata["seed"], metadata["names"]) == (3, ["é"])


def test_a_failing_block_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")

    def fail() -> None:
        with atomic(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "x"
    path.write_text("old")
    code = f"""
        import os, signal
        from minimascope.files import atomic
        with atomic({str(path)!r}) as partial:
            partial.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    result = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=SCRIPTS)
    assert result.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    with atomic(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_equal_content_gives_equal_bytes_in_any_process(tmp_path):
    code = """
        import sys, torch
        from minimascope.tensors import save_tensors
        tensors = {name: torch.ones(3) for name in set("abcdef")}
        save_tensors(sys.argv[1], tensors, **{name: 1 for name in set("uvwxyz")})
    """
    contents = set()
    for seed in ("1", "2", "3"):
        path = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), path],
            cwd=SCRIPTS,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        )
        contents.add(path.read_bytes())
    assert len(contents) == 1


ARRAYS = {"x": np.linspace(-1, 1, 11), "losses": np.arange(4.0).reshape(2, 2), "n": np.arange(10)}
DOCUMENT = {
    "family": "forward",
    "measures": [{"value": 0.125, "n": 3}],
    "floor": 1e-05,
    "by": {7: 1},
}
# How each kind of file is written, and read as something that can be compared.
KINDS = {
    "x.safetensors": (
        lambda path: save_tensors(path, TENSORS, epoch=3, history=[{"loss": 1.5}]),
        lambda path: [repr(sorted(part.items())) for part in load_tensors(path)],
    ),
    "x.npz": (
        lambda path: write_npz(path, ARRAYS),
        lambda path: {name: (a.dtype, a.shape, a.tobytes()) for name, a in read_npz(path).items()},
    ),
    "x.json": (lambda path: write_json(path, DOCUMENT), read_json),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_flipped_bit_of_any_byte_is_refused_by_name_or_changes_nothing(name, tmp_path):
    write, read = KINDS[name]
    path = tmp_path / name
    write(path)
    content, good = path.read_bytes(), read(path)
    draws = random.Random(20261121)
    refused = []
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << draws.randrange(8)
        path.write_bytes(damaged)
        try:
            assert read(path) == good, f"byte {place} is used with another content"
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > len(content) / 2
    assert all(text.startswith(str(path)) for text in refused)
    assert all("delete it and run again" in text for text in refused)


@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_ends_early_is_refused_by_name(name, tmp_path):
    write, read = KINDS[name]
    path = tmp_path / name
    write(path)
    content = path.read_bytes().rstrip()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=rf"{name}: .*; delete it and run again"):
            read(path)


def test_a_document_without_its_hash_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text(json.dumps(DOCUMENT))
    with pytest.raises(InputError, match=r"x\.json: .* does not match its hash\); delete it"):
        read_json(path)
    for text in ("[1, 2]", "null", "3"):
        path.write_text(text)
        with pytest.raises(InputError, match=r"x\.json: not a readable JSON document"):
            read_json(path)


def test_documents_and_arrays_are_read_as_they_were_written(tmp_path):
    write_json(tmp_path / "x.json", DOCUMENT)
    assert read_json(tmp_path / "x.json") == {**DOCUMENT, "by": {"7": 1}}
    write_npz(tmp_path / "x.npz", ARRAYS)
    found = read_npz(tmp_path / "x.npz")
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)


def write_often(path: Path, letter: str) -> None:
    for _ in range(15):
        write_text(path, letter * 300_000)


def test_two_writers_of_one_file_never_mix_and_leave_nothing(tmp_path):
    path = tmp_path / "x"
    start = multiprocessing.get_context("fork").Process
    writers = [start(target=write_often, args=(path, letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        if path.exists():
            text = path.read_text()
            assert len(text) == 300_000
            assert len(set(text)) == 1
            seen.add(text[0])
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert seen
    assert list(tmp_path.iterdir()) == [path]


def test_the_partial_file_of_a_living_writer_is_let_alone(tmp_path):
    path = tmp_path / "x"
    with atomic(path) as mine:
        mine.write_text("mine")
        write_text(path, "another's")
        assert mine.read_text() == "mine"
        assert path.read_text() == "another's"
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_an_empty_partial_folder_is_removed_once_no_writer_can_be_about_to_use_it(tmp_path):
    old, young = tmp_path / ".x.0000.part", tmp_path / ".x.1111.part"
    for folder in (old, young):
        folder.mkdir()
    an_hour_ago = old.stat().st_mtime - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    write_text(tmp_path / "x", "new")
    assert sorted(tmp_path.iterdir()) == [young, tmp_path / "x"]


def test_all_files_are_as_readable_as_the_user_wants_new_files_to_be(tmp_path):
    before = os.umask(0o027)
    try:
        save_tensors(tmp_path / "x.safetensors", TENSORS)
        write_text(tmp_path / "x.txt", "x")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {0o640}


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="this workflow has not written it"):
        load_tensors(tmp_path / "x.safetensors")


@pytest.mark.parametrize("read", [read_json, read_npz, load_tensors])
def test_a_missing_file_is_named(read, tmp_path):
    with pytest.raises(InputError, match="no_such_file"):
        read(tmp_path / "no_such_file")


def test_absurd_shapes_are_refused_but_a_full_memory_is_no_fault_of_a_file(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    with pytest.raises(InputError, match=r"x\.npz: not a readable \.npz file"):
        read_npz(tmp_path / "x.npz")
    with pytest.raises(MemoryError), readable("x.safetensors", "safetensors file"):
        raise MemoryError


def test_json_holds_no_number_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_rows_become_csv(tmp_path):
    write_rows(tmp_path / "x.csv", [{"a": 1, "b": "x, y"}, {"a": 2.5, "b": None}])
    assert (tmp_path / "x.csv").read_text() == 'a,b\n1,"x, y"\n2.5,\n'
