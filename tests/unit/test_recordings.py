"""Tables of recordings: what is read, and what is refused with which line."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from audio_cases import COLUMNS, ROWS, audio_folder, noise, packed_sounds, write_sound, write_table
from refusals import refused
from study_cases import component

from minimascope.data.recordings import Recording, check, read_recordings, write_recordings
from minimascope.data.sound import encoded_sounds, read_sound

SHARED = Path(__file__).parents[3] / "shared" / "data"

listed = component("dataset", "audio_folder")


@pytest.fixture
def folder(tmp_path) -> Path:
    return audio_folder(tmp_path / "mine")


def changed(row: int, **cells: str) -> list[tuple[str, ...]]:
    """The rows with some cells of one of them changed."""
    rows = [dict(zip(COLUMNS, cells, strict=True)) for cells in ROWS]
    rows[row] |= cells
    return [tuple(row.values()) for row in rows]


def test_a_table_and_the_sounds_beside_it_are_recordings_in_the_tables_order(folder):
    recordings = listed(folder.parent, "mine/table.csv")
    expected = [
        Recording(name, label, domain, split, seen == "true", str(folder))
        for name, label, domain, split, seen in ROWS
    ]
    assert list(recordings) == expected


def test_recordings_are_read_as_they_were_written(folder, tmp_path):
    recordings = listed(folder, "table.csv")
    with_cities = [replace(recording, city="Århus, west") for recording in recordings]
    for written in (recordings, with_cities):
        write_recordings(tmp_path / "recordings.csv", written)
        assert read_recordings(tmp_path / "recordings.csv") == tuple(written)


def test_a_table_may_have_a_mark_blank_lines_spaces_capitals_and_columns_of_its_own(folder):
    expected = listed(folder, "table.csv")
    lines = ["\ufeff" + ", ".join(COLUMNS) + ",note"]
    for name, label, domain, split, seen in ROWS:
        lines.append(f" {name} ,{label}, {domain},{split},{seen.upper()},nice")
    (folder / "table.csv").write_text("\r\n\r\n".join([*lines, ",,,,,"]), encoding="utf-8")
    assert listed(folder, "table.csv") == expected


def test_cities_and_another_domain_are_read_from_their_columns(folder):
    rows = [(*row, f"town {number % 2}") for number, row in enumerate(ROWS)]
    write_table(folder / "table.csv", rows, (*COLUMNS[:2], "device", *COLUMNS[3:], "city"))
    recordings = listed(folder, "table.csv", domain_column="device")
    assert [recording.city for recording in recordings] == ["town 0", "town 1"] * 3
    assert [recording.domain for recording in recordings] == [row[2] for row in ROWS]


@pytest.mark.parametrize("top", ["", "sounds/"])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz", "a.zip"])
def test_an_archive_gives_the_sounds_of_the_folder_in_one_folder_or_none(folder, name, top):
    archive = packed_sounds(folder, folder.parent / name, top)
    recordings = listed(folder.parent, "mine/table.csv", path=name)
    assert [recording.filename for recording in recordings] == [top + row[0] for row in ROWS]
    assert {recording.place for recording in recordings} == {str(archive)}
    for number, content in encoded_sounds(recordings):
        assert content == (folder / ROWS[number][0]).read_bytes()


def test_full_names_in_an_archive_come_before_names_below_its_one_folder(tmp_path):
    files = tmp_path / "files"
    for name, seed in (("x/a.wav", 0), ("x/x/a.wav", 1), ("x/b.wav", 2)):
        write_sound(files / name, noise(seed))
    packed_sounds(files, tmp_path / "a.zip")
    rows = [("x/a.wav", "l", "d", "train", "true"), ("b.wav", "l", "d", "test", "true")]
    write_table(tmp_path / "table.csv", rows, COLUMNS)
    recordings = listed(tmp_path, "table.csv", path="a.zip")
    assert [recording.filename for recording in recordings] == ["x/a.wav", "x/b.wav"]


def test_names_are_not_looked_for_below_several_folders(tmp_path):
    folder = audio_folder(tmp_path / "files" / "mine")
    write_sound(tmp_path / "files" / "second" / "x.wav", noise(0))
    packed_sounds(tmp_path / "files", tmp_path / "a.zip")
    write_table(tmp_path / "table.csv", ROWS, COLUMNS)
    with refused("a.zip: no file dog-1.wav"):
        listed(tmp_path, "table.csv", path="a.zip")
    packed_sounds(folder, tmp_path / "a.zip", "mine/")
    assert listed(tmp_path, "table.csv", path="a.zip")[0].filename == "mine/dog-1.wav"


def test_what_macos_adds_to_an_archive_does_not_count_as_a_folder(folder):
    path = packed_sounds(folder, folder.parent / "a.zip", "mine/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/mine/._dog-1.wav", b"x")
    recordings = listed(folder.parent, "mine/table.csv", path="a.zip")
    assert recordings[0].filename == "mine/dog-1.wav"


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (changed(1, label=""), ["table.csv, line 3", "'label' is empty"]),
        (changed(1, domain=""), ["table.csv, line 3", "'domain' is empty"]),
        (changed(0, split="valid"), ["table.csv, line 2", "'valid'", "must be train or test"]),
        (changed(5, seen="no"), ["table.csv, line 7", "'no'", "must be true or false"]),
        (changed(0, label="dog,big")[:1], ["no recording has the split test"]),
        (ROWS[3:], ["table.csv: no recording has the split train"]),
        (changed(4, filename="./dog-1.wav"), ["dog-1.wav is listed twice"]),
        (changed(3, label="cot"), ["'cot' of cat-2.wav", "in no training", "'cat'"]),
        (changed(4, seen="false"), ["'phone' has seen=true for dog-1.wav", "seen=false", "dog-3"]),
        (changed(2, domain="watch", seen="false"), ["dog-2.wav is in training", "'watch'"]),
        (changed(5, seen="true"), ["'watch' of cat-3.wav has seen=true, but no training"]),
        (changed(0, filename="dog-9.wav"), ["mine: no file dog-9.wav", "table.csv names"]),
    ],
)
def test_a_faulty_row_is_refused_with_its_file_and_line_or_recording(folder, rows, parts):
    write_table(folder / "table.csv", rows, COLUMNS)
    with refused(*parts):
        listed(folder, "table.csv")


def test_a_recording_that_is_absent_in_an_archive_is_named(folder):
    packed_sounds(folder, folder.parent / "a.tgz", only=[row[0] for row in ROWS[1:]])
    with refused("a.tgz: no file dog-1.wav", "table.csv names"):
        listed(folder.parent, "mine/table.csv", path="a.tgz")


def test_cities_are_known_of_all_recordings_or_none(folder):
    rows = [(*row, "Rome" if row[0] != "cat-1.wav" else "") for row in ROWS]
    write_table(folder / "table.csv", rows, (*COLUMNS, "city"))
    with refused("table.csv: cat-1.wav has no city"):
        listed(folder, "table.csv")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["table.csv: no column 'filename'"]),
        (b"filename;label;domain;split;seen\n", ["no column 'filename'", "commas"]),
        (b"filename,labels,domain,split,seen\n", ["no column 'label'", "did you mean 'labels'?"]),
        (b"filename,label,domain,split,seen\na,b,c,d\n", ["line 2: 4 cells", "5 columns"]),
        (b"filename,label,domain,split,seen\na,b,c,d,e,f\n", ["line 2: 6 cells"]),
        ("filename,label\nå,b\n".encode("latin-1"), ["table.csv: not a table in UTF-8"]),
        (b'filename,label,domain\n\nx,y,z\n"a,b,c\nd,e,f\n', ["table.csv, line 4: not a row"]),
        (b"filename,label,domain,split,seen\n", ["no recording has the split train"]),
    ],
)
def test_what_is_no_table_of_recordings_is_refused(tmp_path, content, parts):
    (tmp_path / "table.csv").write_bytes(content)
    with refused(*parts):
        listed(tmp_path, "table.csv")


def test_a_missing_table_folder_or_archive_is_named(folder):
    with refused("nowhere.csv: cannot be read (No such file"):
        listed(folder, "nowhere.csv")
    with refused("nowhere.zip: no such folder or archive; set 'path'"):
        listed(folder, "table.csv", path="nowhere.zip")
    with refused("no column 'speaker'"):
        listed(folder, "table.csv", domain_column="speaker")


def test_the_table_that_the_workflow_wrote_needs_places(folder):
    with refused("table.csv: no column 'place'"):
        read_recordings(folder / "table.csv")


def test_recordings_are_checked_once_more_when_read(folder, tmp_path):
    recordings = listed(folder, "table.csv")
    write_recordings(tmp_path / "recordings.csv", recordings[:3])
    with refused("recordings.csv: no recording has the split test"):
        read_recordings(tmp_path / "recordings.csv")
    assert check(recordings, "here") == recordings


@pytest.mark.skipif(
    not (SHARED / "fsdd.tar.gz").exists(), reason="fsdd.tar.gz is not beside the repository"
)
def test_real_spoken_digits_are_read_with_speakers_as_domains():
    recordings = listed(SHARED, "fsdd-meta.csv", path="fsdd.tar.gz", domain_column="speaker")
    counts = {}
    for recording in recordings:
        key = (recording.split, recording.seen)
        counts[key] = counts.get(key, 0) + 1
    assert counts == {("train", True): 1800, ("test", True): 200, ("test", False): 1000}
    unseen = {recording.domain for recording in recordings if not recording.seen}
    assert unseen == {"george", "yweweler"}
    number, content = next(encoded_sounds(recordings))
    samples, rate = read_sound(content, recordings[number].origin)
    assert (recordings[number].filename, len(samples), rate) == ("0_george_0.wav", 2384, 8000)
