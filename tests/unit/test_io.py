"""Files appear whole or not at all, are the same for the same content, and never run code."""

import os
import pickle
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from minimascope.errors import InputError
from minimascope.io import atomic, load_tensors, read_json, save_tensors, write_json, write_rows

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
        from minimascope.io import atomic
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
        from minimascope.io import save_tensors
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


def test_a_flipped_bit_anywhere_in_the_tensors_is_found(tmp_path):
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS)
    content = path.read_bytes()
    size = sum(t.numel() * t.element_size() for t in TENSORS.values())
    for place in (1, size // 2, size):
        damaged = bytearray(content)
        damaged[-place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"x\.safetensors: contents do not match"):
            load_tensors(path)


class Trap:
    def __reduce__(self):
        return (os.mkdir, (os.environ["TRAP"],))


def test_a_pickle_is_refused_without_being_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    path = tmp_path / "x.safetensors"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match=r"x\.safetensors: not a readable safetensors file"):
        load_tensors(path)
    assert not (tmp_path / "sprung").exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="not a file of this workflow"):
        load_tensors(tmp_path / "x.safetensors")


@pytest.mark.parametrize("read", [read_json, load_tensors])
def test_a_missing_file_is_named(read, tmp_path):
    with pytest.raises(InputError, match="no_such_file"):
        read(tmp_path / "no_such_file")


def test_json_holds_no_number_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_rows_become_csv(tmp_path):
    write_rows(tmp_path / "x.csv", [{"a": 1, "b": "x, y"}, {"a": 2.5, "b": None}])
    assert (tmp_path / "x.csv").read_text() == 'a,b\n1,"x, y"\n2.5,\n'
