"""The official layout of acoustic scenes, from small recordings made here."""

import shutil
from pathlib import Path

import pytest
from audio_cases import SCENES, TABLES, dcase_layout, noise, packed_sounds, write_sound, write_table
from refusals import refused

from minimascope.data import dcase2020
from minimascope.data.official import DCASE2020
from minimascope.data.sound import encoded_sounds

FOLDER = "TAU-urban-acoustic-scenes-2020-mobile-development"


@pytest.fixture
def folder(tmp_path) -> Path:
    return dcase_layout(tmp_path / FOLDER)


def official_archives(folder: Path) -> None:
    """Spread a layout over archives with the official names; some hold no recording."""
    audio = sorted(f"audio/{name}.wav" for names in SCENES.values() for name in names)
    parts = [[table for table, _ in TABLES.values()], audio[:2], audio[2:5], audio[5:]]
    for number, archive in enumerate(DCASE2020):
        only = parts[number] if number < len(parts) else []
        packed_sounds(folder, folder.parent / archive.name, f"{FOLDER}/", only)


def rewrite(folder: Path, key: str, rows: list[tuple[str, ...]]) -> None:
    table, columns = TABLES[key]
    write_table(folder / table, rows, columns, delimiter="\t")


def test_recordings_are_those_of_the_folds_in_their_order(folder):
    recordings = dcase2020.load(folder.parent)
    names = [Path(recording.filename).stem for recording in recordings]
    assert names == [*SCENES["train"], *SCENES["test"]]
    assert [recording.split for recording in recordings] == ["train"] * 4 + ["test"] * 2
    assert {recording.place for recording in recordings} == {str(folder)}
    assert recordings[0].filename == "audio/bus-oslo-1-0-a.wav"


def test_scene_city_and_device_come_from_the_name_and_seen_from_training(folder):
    recordings = dcase2020.read_layout(folder)
    assert [(recording.label, recording.city, recording.domain) for recording in recordings] == [
        ("bus", "oslo", "A"),
        ("park", "rome", "A"),
        ("bus", "rome", "B"),
        ("park", "oslo", "S1"),
        ("park", "oslo", "S4"),
        ("bus", "oslo", "A"),
    ]
    assert [recording.seen for recording in recordings] == [True] * 4 + [False, True]


def test_official_archives_give_what_the_folder_gives_without_being_unpacked_sounds(folder):
    unpacked = dcase2020.load(folder.parent)
    official_archives(folder)
    contents = [(folder / recording.filename).read_bytes() for recording in unpacked]
    shutil.rmtree(folder)
    recordings = dcase2020.load(folder.parent)
    assert {path.suffix for path in folder.parent.iterdir()} == {".zip"}
    for ours, theirs in zip(recordings, unpacked, strict=True):
        assert ours.filename == f"{FOLDER}/{theirs.filename}"
        assert (ours.label, ours.domain, ours.split, ours.seen, ours.city) == (
            theirs.label,
            theirs.domain,
            theirs.split,
            theirs.seen,
            theirs.city,
        )
    assert len({recording.place for recording in recordings}) == 3
    for number, content in encoded_sounds(recordings):
        assert content == contents[number]


def test_the_folder_comes_before_the_archives(folder):
    official_archives(folder)
    assert {recording.place for recording in dcase2020.load(folder.parent)} == {str(folder)}


@pytest.mark.parametrize("header", [("file", "scene"), ("filename", "scene label")])
def test_columns_with_other_names_are_known_by_their_order(folder, header):
    expected = dcase2020.read_layout(folder)
    for split in ("train", "test"):
        table, _ = TABLES[split]
        lines = (folder / table).read_text().splitlines()
        (folder / table).write_text("\n".join(["\t".join(header), *lines[1:]]))
    assert dcase2020.read_layout(folder) == expected


def test_columns_with_known_names_may_stand_in_another_order(folder):
    expected = dcase2020.read_layout(folder)
    for key, (table, columns) in TABLES.items():
        rows = [line.split("\t")[::-1] for line in (folder / table).read_text().splitlines()[1:]]
        write_table(folder / table, rows, columns[::-1], delimiter="\t")
        assert dcase2020.read_layout(folder) == expected, key


@pytest.mark.parametrize("key", TABLES)
def test_a_missing_table_is_named(folder, key):
    (folder / TABLES[key][0]).unlink()
    with refused(FOLDER, f"no file {TABLES[key][0]}"):
        dcase2020.load(folder.parent)


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        (("audio/bus-oslo-1-0.wav", "bus"), ["bus-oslo-1-0.wav is not named <scene>-<city>"]),
        (("audio/bus-oslo-1--a.wav", "bus"), ["bus-oslo-1--a.wav is not named"]),
        (("audio/bus-oslo-6-0-a.wav", "tram"), ["bus-oslo-6-0-a.wav", "scene 'tram'"]),
        (("audio/bus-oslo-9-0-a.wav", "bus"), ["no file audio/bus-oslo-9-0-a.wav", "evaluate"]),
        (("audio/bus-oslo-1-0-a.wav", "bus"), ["audio/bus-oslo-1-0-a.wav is listed twice"]),
        (("audio/bus-oslo-1-0-a.wav",), ["fold1_evaluate.csv, line 2: 1 cells where 2"]),
        (("audio/metro_station-rome-7-0-c.wav", "metro_station"), ["'metro_station' of"]),
    ],
)
def test_a_fault_in_a_fold_is_named_with_its_recording(folder, row, parts):
    rewrite(folder, "test", [row])
    with refused(*parts):
        dcase2020.read_layout(folder)


def test_a_device_that_contradicts_the_name_is_refused(folder):
    rewrite(folder, "meta", [("audio/park-oslo-5-0-s4.wav", "park", "oslo-5", "s5")])
    with refused("audio/park-oslo-5-0-s4.wav is listed as scene 'park' and device 'S5'"):
        dcase2020.read_layout(folder)


def test_recordings_that_the_general_table_does_not_list_are_taken_by_their_names(folder):
    expected = dcase2020.read_layout(folder)
    rewrite(folder, "meta", [])
    assert dcase2020.read_layout(folder) == expected


def test_the_first_missing_archive_is_named(folder):
    official_archives(folder)
    shutil.rmtree(folder)
    (folder.parent / f"{FOLDER}.audio.7.zip").unlink()
    with refused(f"{FOLDER}.audio.7.zip: no such archive"):
        dcase2020.load(folder.parent)


def test_folders_within_the_layout_and_files_beside_it_do_not_matter(folder):
    expected = dcase2020.read_layout(folder)
    write_sound(folder / "audio" / "more" / "x.wav", noise(0))
    (folder / "README.md").write_text("x")
    assert dcase2020.read_layout(folder) == expected
