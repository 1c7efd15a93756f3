import os
from pathlib import Path, PurePosixPath

import pytest

from minimascope.data.raw_files import (
    folder_state,
    picture_stamps,
    recording_stamps,
    split_and_class,
    visible_files,
)


def names(folder: Path) -> list[str]:
    return sorted(str(name) for name, _ in visible_files(folder))


def test_links_are_followed_but_not_round_in_circles(tmp_path: Path):
    folder, other = tmp_path / "a", tmp_path / "other"
    for path in (folder / "b", other):
        path.mkdir(parents=True)
        (path / "1.png").touch()
    (folder / "b" / "up").symlink_to(folder)
    (folder / "linked").symlink_to(other)
    (folder / "linked.png").symlink_to(other / "1.png")
    (folder / "gone.png").symlink_to(tmp_path / "nowhere")
    assert names(folder) == ["b/1.png", "linked.png", "linked/1.png"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path):
    for name in (".DS_Store", "._1.png", ".cache/1.png", "1.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert names(tmp_path) == ["1.png"]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("train/cats/1.png", ("train", "cats")),
        ("pets/test/cats/2020/1.png", ("test", "cats")),
        ("train/1.png", None),
        ("cats/1.png", None),
    ],
)
def test_a_picture_has_the_split_and_class_of_its_folders(name: str, place):
    assert split_and_class(PurePosixPath(name)) == place


def state_of(tmp_path: Path) -> dict:
    return folder_state(tmp_path, picture_stamps(tmp_path))


def test_the_state_of_a_folder_is_that_of_names_sizes_and_whole_seconds(tmp_path: Path):
    path = tmp_path / "train" / "cats" / "1.png"
    path.parent.mkdir(parents=True)
    path.write_text("x")
    os.utime(path, ns=(0, 5_250_000_000))
    state = state_of(tmp_path)
    assert (state["path"], state["files"]) == (str(tmp_path), 1)
    os.utime(path, ns=(0, 5_000_000_000))
    assert state_of(tmp_path) == state, "a copy on a disk that keeps whole seconds"
    digests = {state["digest"]}
    os.utime(path, (0, 6))
    digests.add(state_of(tmp_path)["digest"])
    path.write_text("xy")
    os.utime(path, (0, 6))
    digests.add(state_of(tmp_path)["digest"])
    path.rename(path.with_name("2.png"))
    digests.add(state_of(tmp_path)["digest"])
    assert len(digests) == 4


def test_names_that_are_no_text_count(tmp_path: Path):
    folder = tmp_path / "train" / "cats"
    folder.mkdir(parents=True)
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).touch()
    except OSError:
        pytest.skip("this disk has names of text only")
    assert state_of(tmp_path)["files"] == 1


@pytest.mark.parametrize("content", [b"", b"label\nbus\n", b"\xff\xfe", b'filename\n"a\n'])
def test_a_faulty_table_names_no_files(tmp_path: Path, content: bytes):
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    assert list(recording_stamps(table, tmp_path)) == []
    assert list(recording_stamps(tmp_path / "none.csv", tmp_path)) == []


def test_recordings_that_are_not_there_are_known_as_such(tmp_path: Path):
    table = tmp_path / "table.csv"
    table.write_text("label,filename\nbus,a.wav\nbus,b.wav\nbus\n")
    (tmp_path / "a.wav").write_text("xyz")
    state = folder_state(tmp_path, recording_stamps(table, tmp_path))
    assert state["files"] == 1
    (tmp_path / "b.wav").touch()
    assert folder_state(tmp_path, recording_stamps(table, tmp_path))["files"] == 2
