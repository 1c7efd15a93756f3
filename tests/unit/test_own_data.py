"""What `make check` says of a study's own pictures and recordings."""

from itertools import product
from pathlib import Path
from shutil import make_archive

import numpy as np
import pytest
import soundfile
import yaml
from PIL import Image
from study_cases import BASE, SCHEMA

from minimascope.study.loading import deep_merge, load_study
from minimascope.study.own_data import own_data_lines
from minimascope.study.raw_data import missing_files
from minimascope.study.study import Study

PICTURES = "{source: image_folder, path: mine, image_size: 8}"
SOUNDS = "{source: audio_folder, table: mine/table.csv, features: {seconds: 0.5}}"


def study_of(folder: Path, dataset: str) -> Study:
    config = BASE | {
        "data_dir": str(folder),
        "datasets": {"mine": yaml.safe_load(dataset)},
        "evaluation": {"corruptions": None},
    }
    return load_study(config, SCHEMA)


def lines(folder: Path, dataset: str) -> tuple[list[str], list[str]]:
    """Return faults and other lines, these without the name of the data set."""
    faults, said = own_data_lines(study_of(folder, dataset))
    return faults, [line.replace("mine: ", "", 1) for line in said]


def add_picture(folder: Path, name: str, shade: int, side: int = 8) -> None:
    path = folder / "mine" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (side, side), shade).save(path)


def add_pictures(folder: Path, classes: tuple[str, ...] = ("cat", "dog"), count: int = 10) -> None:
    for place in range(2 * len(classes)):
        split, label = ("train", "test")[place % 2], classes[place // 2]
        for number in range(count):
            add_picture(folder, f"{split}/{label}/{number}.png", shade=place * count + number)


COUNTED_BOTH = "20 pictures in train and 20 in test; 2 classes (train + test: cat"
COUNTED = f"{COUNTED_BOTH} 10 + 10, dog 10 + 10); 8 × 8 pixels"


def test_pictures_without_a_fault_are_one_line(tmp_path: Path):
    add_pictures(tmp_path)
    faults, said = lines(tmp_path, PICTURES)
    assert faults == []
    assert said == [COUNTED]


def test_many_classes_are_told_by_the_least_and_the_most(tmp_path: Path):
    add_pictures(tmp_path, tuple(f"class{n:02}" for n in range(11)), count=1)
    add_picture(tmp_path, "train/class03/more.png", shade=200)
    _, (counts, few) = lines(tmp_path, PICTURES)
    assert "12 pictures in train and 11 in test; 11 classes (train + test: 1 to 2 + 1)" in counts
    assert "class00 (1 + 1), class01 (1 + 1)" in few
    assert "class09 (1 + 1) and 1 more: accuracies" in few


def test_pictures_beside_the_folders_of_classes_are_told(tmp_path: Path):
    add_pictures(tmp_path)
    add_picture(tmp_path, "train/lost.png", shade=250)
    _, (_, line) = lines(tmp_path, PICTURES)
    assert line == (
        "warning: 1 picture outside of train/<class>/ and test/<class>/, such as train/lost.png,"
        " will not be read; move them into folders of classes"
    )


def test_files_that_are_not_read_are_counted_by_kind(tmp_path: Path):
    add_pictures(tmp_path)
    for name in ("a.heic", "b.HEIC", "c.svg", "Thumbs.db"):
        (tmp_path / "mine" / "train" / "cat" / name).touch()
    (tmp_path / "mine" / "readme.txt").touch()
    _, (_, line) = lines(tmp_path, PICTURES)
    assert line.startswith("warning: files of kinds that are not read will be left out")
    assert "(2 .heic, 1 .svg)" in line


@pytest.mark.parametrize("packed", [False, True])
def test_folders_that_hold_the_same_folders_may_be_domains(tmp_path: Path, packed):
    shades = iter(range(200))
    for split, camera, label in product(("train", "test"), ("one", "two"), ("cat", "dog")):
        for number in range(10):
            add_picture(tmp_path, f"{split}/{camera}/{label}/{number}.png", next(shades))
    dataset = PICTURES
    if packed:
        make_archive(str(tmp_path / "mine"), "zip", tmp_path / "mine")
        dataset = dataset.replace("mine", "mine.zip")
    _, (_, line) = lines(tmp_path, dataset)
    assert line == (
        "warning: the classes are folders such as one and two, which all hold the same folders"
        " (cat, dog); if these are the classes, and what is above them domains, set domains: true"
    )
    _, said = lines(tmp_path, dataset.replace("}", ", domains: true}"))
    assert not any("warning" in line for line in said)
    # Below only one of them, these are parts of a class.
    add_picture(tmp_path, "train/one/more.png", next(shades))
    if not packed:
        assert len(lines(tmp_path, dataset)[1]) == 1


def test_a_picture_in_both_splits_is_told_by_its_content(tmp_path: Path):
    add_pictures(tmp_path)
    add_picture(tmp_path, "train/dog/again.png", shade=10)
    # Twice in training alone is none of it.
    add_picture(tmp_path, "train/dog/twice.png", shade=0)
    _, (_, line) = lines(tmp_path, PICTURES)
    assert line.startswith(
        "warning: 1 pictures of test are in train, too, such as test/cat/0.png"
        " (train/dog/again.png)"
    )


def test_files_that_differ_behind_their_beginnings_are_no_twins(tmp_path: Path):
    add_pictures(tmp_path)
    for split, end in (("train", b"x"), ("test", b"y")):
        path = tmp_path / "mine" / split / "cat" / "0.png"
        path.write_bytes(path.read_bytes() + bytes(5000) + end)
    assert len(lines(tmp_path, PICTURES)[1]) == 1


def test_an_unreadable_picture_and_sizes_that_differ_are_faults(tmp_path: Path):
    add_pictures(tmp_path)
    add_picture(tmp_path, "test/cat/large.png", shade=9, side=16)
    assert lines(tmp_path, PICTURES)[0] == []
    kept = "{source: image_folder, path: mine}"
    told = "datasets.mine: pictures have 8 × 8 to 16 × 16 pixels; set image_size, such as 32,"
    assert lines(tmp_path, kept)[0][0].startswith(told)
    path = tmp_path / "mine" / "train" / "cat" / "0.png"
    path.write_bytes(b"nothing")
    told = f"datasets.mine: {path}: not a readable picture; replace or remove it"
    assert lines(tmp_path, PICTURES)[0] == [told]


def add_sounds(folder: Path, seconds: float = 1.0) -> None:
    (folder / "mine").mkdir()
    rows = ["filename,label,domain,split,seen"]
    for number in range(40):
        name, label, split = f"{number}.wav", number % 2, ("train", "test")[number // 20]
        samples = np.sin(np.arange(round(8000 * (seconds if number else 1.0))) / (number + 1))
        soundfile.write(folder / "mine" / name, samples, 8000)
        rows.append(f"{name},{label},phone,{split},true")
    (folder / "mine" / "table.csv").write_text("\n".join(rows))


@pytest.mark.parametrize(("seconds", "length"), [(1.0, "1 s"), (0.25, "0.25 to 1 s")])
def test_recordings_are_counted_with_their_lengths(tmp_path: Path, seconds: float, length: str):
    add_sounds(tmp_path, seconds)
    faults, (line,) = lines(tmp_path, SOUNDS)
    assert faults == []
    counts = "20 recordings in train and 20 in test; 2 classes (train + test: 0 10 + 10, 1 10 + 10)"
    assert line == f"{counts}; {length} at 8000 Hz"
    whole = SOUNDS.replace(", features: {seconds: 0.5}", "")
    told = f"datasets.mine: recordings last {length}; set features.seconds to cut or pad them alike"
    assert lines(tmp_path, whole)[0] == ([] if seconds == 1.0 else [told])


def test_recordings_of_domains_that_are_not_trained_on_do_not_count(tmp_path: Path):
    add_sounds(tmp_path)
    table = tmp_path / "mine" / "table.csv"
    rows = table.read_text().splitlines()
    rows[1:13] = [row.replace("phone", "tablet") for row in rows[1:13]]
    table.write_text("\n".join(rows))
    domains = SOUNDS.replace("{source", "{train_domains: [phone], source")
    _, (counts, *_) = lines(tmp_path, domains)
    assert counts.startswith("8 recordings in train and 20 in test; 2 classes (train + test: 0 4")
    # Nor does their length.
    soundfile.write(tmp_path / "mine" / "5.wav", np.ones(4000), 8000)
    assert lines(tmp_path, domains.replace(", features: {seconds: 0.5}", ""))[0] == []


OVER_BOTH = "(test accuracy, generalisation gap, ECE and all else of the test split are over both)"


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ("", "seen sketch 6, photo 4; unseen clip 2"),
        ("train_domains: [photo], ", "seen photo 4; unseen sketch 6, clip 2"),
        ("train_domains: [photo], classes: [cat, eel], ", "seen photo 4; unseen sketch 6, clip 2"),
    ],
)
def test_test_pictures_are_counted_by_domain_seen_and_unseen(tmp_path: Path, chosen, told):
    shade = 0
    for split, domain, count in (
        ("train", "photo", 5),
        ("train", "sketch", 5),
        ("test", "photo", 2),
        ("test", "sketch", 3),
        ("test", "clip", 1),
    ):
        for label, number in product(("cat", "eel"), range(count)):
            shade += 1
            add_picture(tmp_path, f"{split}/{domain}/{label}/{number}.png", shade=shade)
    found = PICTURES.replace("{source", f"{{domains: true, {chosen}source")
    said = [line for line in lines(tmp_path, found)[1] if "by domain" in line]
    assert [line.startswith(f"pictures of test by domain: {told} (") for line in said] == [True]
    assert said[0].endswith(OVER_BOTH)


def test_recordings_are_seen_as_their_table_says(tmp_path: Path):
    add_sounds(tmp_path)
    table = tmp_path / "mine" / "table.csv"
    rows = table.read_text().splitlines()
    rows[21:24] = [row.replace("phone,test,true", "tablet,test,false") for row in rows[21:24]]
    rows[31:36] = [row.replace("phone", "laptop") for row in rows[31:36]]
    table.write_text("\n".join(rows))
    _, said = lines(tmp_path, SOUNDS)
    told = "recordings of test by domain: seen phone 12, laptop 5; unseen tablet 3"
    assert f"{told} {OVER_BOTH}" in said
    table.write_text(table.read_text().replace("tablet,test,false", "tablet,test,true"))
    assert (
        "recordings of test by domain: seen phone 12, laptop 5, tablet 3"
        in lines(tmp_path, SOUNDS)[1]
    )


def test_pictures_of_classes_that_are_not_used_do_not_count(tmp_path: Path):
    add_pictures(tmp_path, ("cat", "dog", "eel"))
    chosen = PICTURES.replace("{source", "{classes: [cat, dog], source")
    assert lines(tmp_path, chosen) == ([], [COUNTED])


@pytest.mark.parametrize(
    ("changes", "faulty"),
    [
        ({}, True),
        ({"training": {"batch_size": 4}}, True),
        ({"training": {"batch_size": 11}}, False),
        ({"datasets": {"mine": {"train_samples": 20}}}, False),
        ({"networks": {"resnet": {"architecture": "mlp"}, "vgg": {"architecture": "vit"}}}, False),
        ({"networks": {"resnet": {"architecture": "mlp"}, "vgg": {"architecture": "cnn10"}}}, True),
        ({"conditions": {"baseline": {"norm": "group"}, "sam": {"norm": "none"}}}, False),
        # Eleven are trained on where ten are held out.
        ({"training": {"averaging": {"name": "swad", "validation": 0.49}}}, False),
    ],
)
def test_a_batch_of_one_is_told_before_a_network_with_batchnorm_is_trained(
    tmp_path: Path, changes: dict, faulty: bool
):
    add_pictures(tmp_path)
    add_picture(tmp_path, "train/cat/more.png", shade=200)
    config = {
        "data_dir": str(tmp_path),
        "datasets": {"mine": yaml.safe_load(PICTURES)},
        "training": {"batch_size": 20},
        "evaluation": {"corruptions": None},
    }
    config = deep_merge(BASE | {"datasets": {}}, config, changes)
    size = config["training"]["batch_size"]
    told = (
        f"datasets.mine: training.batch_size: {size} leaves a batch of one input (21 in all), for"
        " which BatchNorm is undefined; choose another"
    )
    assert own_data_lines(load_study(config, SCHEMA))[0] == [told] * faulty


def test_too_few_pictures_for_a_validation_loss_are_told_before_a_run(tmp_path: Path):
    add_pictures(tmp_path)
    averaging = {"name": "swad", "validation": 0.25}
    config = {
        "data_dir": str(tmp_path),
        "datasets": {"mine": yaml.safe_load(PICTURES)},
        "conditions": {"sam": {"averaging": averaging}},
        "evaluation": {"corruptions": None},
    }
    told = (
        "datasets.mine: conditions.sam.averaging.validation: 0.25 of 20 training samples holds out"
        " 5; a validation loss takes 10 or more; raise it to 0.5 or more"
    )
    study = deep_merge(BASE | {"datasets": {}}, config)
    assert own_data_lines(load_study(study, SCHEMA))[0] == [told]
    averaging["validation"] = 0.5
    study = deep_merge(BASE | {"datasets": {}}, config)
    assert own_data_lines(load_study(study, SCHEMA))[0] == []


def test_two_sample_rates_are_a_fault_unless_they_are_meant(tmp_path: Path):
    add_sounds(tmp_path)
    soundfile.write(tmp_path / "mine" / "3.wav", np.ones(16000), 16000)
    told = (
        "datasets.mine: recordings have 8000 and 16000 Hz; resample them to one rate, or set"
        " features.mixed_rates to true if rates do not reveal classes"
    )
    assert lines(tmp_path, SOUNDS)[0] == [told]
    mixed = SOUNDS.replace("seconds: 0.5", "seconds: 0.5, mixed_rates: true")
    assert lines(tmp_path, mixed)[0] == []


def test_a_name_that_is_longer_than_a_files_is_a_fault_of_the_table(tmp_path: Path):
    add_sounds(tmp_path)
    table = tmp_path / "mine" / "table.csv"
    table.write_text(table.read_text().replace("7.wav", "7" * 300 + ".wav", 1))
    (fault,) = missing_files(study_of(tmp_path, SOUNDS))
    assert f"no file {'7' * 300}.wav, which {table} names (missing: 1 of 40)" in fault


def test_a_class_that_a_table_of_packed_recordings_has_only_in_test_is_a_fault(tmp_path: Path):
    add_sounds(tmp_path)
    make_archive(tmp_path / "packed", "zip", tmp_path / "mine")
    packed = SOUNDS.replace("table:", "path: packed.zip, table:")
    assert missing_files(study_of(tmp_path, packed)) == []
    table = tmp_path / "mine" / "table.csv"
    table.write_text(table.read_text().replace("39.wav,1", "39.wav,owl"))
    (fault,) = missing_files(study_of(tmp_path, packed))
    assert fault.startswith(f"datasets.mine: {table}: label 'owl' of 39.wav is in no training")


def test_a_file_that_is_no_recording_is_a_fault(tmp_path: Path):
    add_sounds(tmp_path)
    path = tmp_path / "mine" / "0.wav"
    path.write_bytes(b"nothing")
    told = f"datasets.mine: {path}: no readable WAV, FLAC or OGG file; replace or remove it"
    assert lines(tmp_path, SOUNDS)[0] == [told]


def test_pictures_that_a_zip_lists_are_counted(tmp_path: Path):
    add_pictures(tmp_path)
    packed = "{source: image_folder, path: mine.zip, image_size: 8}"
    make_archive(tmp_path / "mine", "zip", tmp_path, "mine")
    assert lines(tmp_path, packed) == ([], [f"{COUNTED_BOTH} 10 + 10, dog 10 + 10)"])
    archive = tmp_path / "mine.zip"
    archive.write_bytes(archive.read_bytes()[:2000])
    (fault,), _ = lines(tmp_path, packed)
    assert fault.startswith(f"datasets.mine: {archive}: not a readable archive")
    make_archive(tmp_path / "mine", "zip", tmp_path, "mine/train")
    (fault,), _ = lines(tmp_path, packed)
    layout = "train/<class>/ and test/<class>/"
    told = f"datasets.mine: {archive} has no pictures in test/<class>/; sort them into {layout}"
    assert fault == told


def test_a_class_that_a_zip_has_only_in_test_is_a_fault(tmp_path: Path):
    add_pictures(tmp_path)
    add_picture(tmp_path, "test/owl/0.png", shade=99)
    # What macOS packs beside a picture.
    add_picture(tmp_path, "train/owl/._0.png", shade=99)
    packed = "{source: image_folder, path: mine.zip, image_size: 8}"
    archive = Path(make_archive(tmp_path / "mine", "zip", tmp_path, "mine"))
    assert lines(tmp_path, packed)[0] == [
        f"datasets.mine: class 'owl' has pictures in test and none in train; add some to"
        f" {archive / 'train' / 'owl'}, or remove it from test"
    ]


NAMES = {"nan": "stands for a value", "=1+1": "formula", "a\nb": "shown", "caf\udce9": "shown"}


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_a_class_whose_name_no_table_can_hold_is_a_fault(tmp_path: Path, name: str):
    add_pictures(tmp_path, ("cat", "dog"))
    for split in ("train", "test"):
        (tmp_path / "mine" / split / "dog").rename(tmp_path / "mine" / split / name)
    (fault,) = missing_files(study_of(tmp_path, PICTURES))
    place = f"datasets.mine.path: {tmp_path / 'mine'}: class {name!r} "
    assert fault.startswith(place)
    assert NAMES[name] in fault
    assert fault.endswith("; rename its folders")
