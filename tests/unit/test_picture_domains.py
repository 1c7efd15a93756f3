"""Domains of pictures, as folders and as a table name them, and what is refused."""

import re
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from refusals import refused
from study_cases import BASE, ROOT, SCHEMA

from minimascope.data import image_folder
from minimascope.data.part import part_of
from minimascope.study.loading import load_study
from minimascope.study.own_data import own_data_lines
from minimascope.study.raw_data import missing_files
from minimascope.study.sizes import counted_size
from minimascope.study.study import Study

TABLE = {
    "train/cat/1.png": "photo",
    "train/cat/2.png": "sketch",
    "train/dog/1.png": "photo",
    "train/dog/2.png": "sketch",
    "test/cat/1.png": "photo",
    "test/cat/2.png": "clip",
    "test/dog/1.png": "sketch",
    "test/dog/2.png": "clip",
}


def picture(path: Path, shade: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (shade,) * 3).save(path)


def write_table(folder: Path, rows: dict[str, str], header: str = "filename,domain") -> None:
    lines = [header, *(f"{name},{domain}" for name, domain in rows.items())]
    (folder / "pets.csv").write_text("\n".join(lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures of three domains, each of its own shade, and a table that says so."""
    for shade, name in enumerate(TABLE):
        picture(tmp_path / "pets" / name, shade)
    write_table(tmp_path, TABLE)
    return tmp_path


def study(folder: Path, **keys) -> Study:
    spec = {"source": "image_folder", "path": "pets", "domains": "pets.csv", **keys}
    config = {"data_dir": str(folder), "datasets": {"pets": spec}}
    return load_study({**BASE, **config, "evaluation": {"corruptions": None}}, SCHEMA)


def test_a_table_with_two_columns_of_domains_is_refused(folder):
    write_table(
        folder, {name: f"{domain},x" for name, domain in TABLE.items()}, "filename,domain,domain"
    )
    with refused(f"{folder}/pets.csv: its first line names the column 'domain' twice"):
        image_folder.load(folder, "pets", domains="pets.csv")


def test_domains_of_pictures_are_folders_and_held_out_by_lack_of_training(tmp_path):
    for place in ("train/photo", "test/photo", "train/sketch", "test/sketch", "test/clip"):
        for label in ("cat", "dog"):
            picture(tmp_path / "pets" / place / label / "1.png")
    found = image_folder.load(tmp_path, "pets", domains=True)
    assert found.classes == ("cat", "dog")
    assert dict(zip(found.domains, found.seen, strict=True)) == {
        "clip": False,
        "photo": True,
        "sketch": True,
    }
    assert [found.domains[i] for i in found.test.domains] == ["clip", "photo", "sketch"] * 2
    assert found.test.labels.tolist() == [0, 0, 0, 1, 1, 1]
    less = part_of(found, train_domains=["photo"])
    assert (len(less.train), less.seen) == (2, (False, True, False))

    assert study(tmp_path, domains=True).with_domains == ["pets"]
    assert missing_files(study(tmp_path, domains=True, train_domains=["photo"])) == []
    [line] = missing_files(study(tmp_path, domains=True, train_domains=["clip"]))
    assert line.startswith("datasets.pets.train_domains: no training picture of domain 'clip'")


def pets(domains=True, **sweep):
    """Return a study of pictures of three domains, of which a sweep leaves some out."""
    spec = {"source": "image_folder", "path": "pets", "domains": domains}
    spec["train_domains"] = ["photo", "clip-art", "sketch"]
    return load_study({**BASE, "datasets": {"pets": spec}, "sweeps": {"folds": sweep}}, SCHEMA)


@pytest.mark.parametrize("domains", [True, "pets.csv"])
def test_a_sweep_leaves_one_domain_after_the_other_out(domains):
    axis = "datasets.pets.left_out_domain"
    study = pets(domains, axes={axis: ["photo", "clip-art"], "training.epochs": [1, 2]})
    trained = {name: spec["train_domains"] for name, spec in study.config["datasets"].items()}
    assert trained == {
        "pets": ["photo", "clip-art", "sketch"],
        "pets_without_photo": ["clip-art", "sketch"],
        "pets_without_clip_art": ["photo", "sketch"],
    }
    # The table of training without some domains compares them.
    assert study.references == dict.fromkeys(
        ["pets_without_photo", "pets_without_clip_art"], "pets"
    )
    assert "baseline-epochs2" in study.conditions
    assert pets(domains, axes={axis: ["photo"]}).conditions == ["baseline", "sam"]


def test_the_tutorial_leaves_one_domain_after_the_other_out():
    guide = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    (block,) = (yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL))
    study = load_study({**BASE, **block}, SCHEMA)
    trained = {name: spec["train_domains"] for name, spec in study.config["datasets"].items()}
    assert trained == {
        "my_images": ["photo", "sketch", "clipart"],
        "my_images_without_photo": ["sketch", "clipart"],
        "my_images_without_sketch": ["photo", "clipart"],
        "my_images_without_clipart": ["photo", "sketch"],
    }


@pytest.mark.parametrize(
    ("sweep", "line"),
    [
        ({"axes": {"datasets.pets.left_out_domain": ["foto"]}}, "is not trained on 'foto'; did"),
        ({"axes": {"datasets.pet.left_out_domain": ["photo"]}}, "no data set 'pet'; did you mean"),
        (
            {"axes": {"datasets.pets.left_out_domain": ["photo"]}, "conditions": ["sam"]},
            "sweeps.folds.conditions: domains are left out under all conditions",
        ),
    ],
)
def test_a_sweep_over_domains_that_are_not_there_is_refused(sweep, line):
    with refused("sweeps.folds", line):
        pets(**sweep)


def loaded_domains(folder: Path, path: str = "pets") -> dict[str, list[tuple[int, str]]]:
    """Return (shade, domain) of each picture by split, in the order that they are loaded in."""
    found = image_folder.load(folder, path, domains="pets.csv")
    return {
        name: [
            (int(image.max()), found.domains[domain])
            for image, domain in zip(split.inputs, split.domains, strict=True)
        ]
        for name, split in (("train", found.train), ("test", found.test))
    }


SHADES = [(shade, domain) for shade, domain in enumerate(TABLE.values())]


def test_a_table_names_the_domain_of_each_picture(folder):
    rows = dict(reversed(TABLE.items()))
    # Neither order nor other columns count; a row may be there twice.
    lines = [f"{domain},old,./{name}" for name, domain in [*rows.items(), *TABLE.items()]]
    (folder / "pets.csv").write_text("\n".join(["domain,age,filename", *lines]))
    assert loaded_domains(folder) == {"train": SHADES[:4], "test": SHADES[4:]}
    found = image_folder.load(folder, "pets", domains="pets.csv")
    assert found.classes == ("cat", "dog")
    assert found.domains == ("clip", "photo", "sketch")
    assert found.seen == (False, True, True)
    less = part_of(found, train_domains=["photo"])
    assert (len(less.train), less.seen) == (2, (False, True, False))


@pytest.mark.parametrize("kind", ["zip", "gztar", "tar"])
def test_a_table_names_pictures_of_an_archive_in_one_folder_or_in_none(folder, kind):
    bare = Path(shutil.make_archive(str(folder / "bare"), kind, folder / "pets"))
    inside = Path(shutil.make_archive(str(folder / "inside"), kind, folder, "pets"))
    for archive in (bare, inside):
        assert loaded_domains(folder, archive.name) == {"train": SHADES[:4], "test": SHADES[4:]}


def test_folders_and_a_table_that_say_the_same_make_the_same_data_set(folder):
    for name in TABLE:
        split, label, file = name.split("/")
        place = folder / "sorted" / split / TABLE[name] / label
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "pets" / name, place / file)
    by_folder = image_folder.load(folder, "sorted", domains=True)
    by_table = image_folder.load(folder, "pets", domains="pets.csv")
    assert by_folder.domains == by_table.domains
    assert by_folder.seen == by_table.seen
    for one, other in ((by_folder.train, by_table.train), (by_folder.test, by_table.test)):
        # Shades are those of the names; within a class folders of domains come in their own order.
        order = one.inputs.amax((1, 2, 3)).argsort()
        assert torch.equal(one.inputs[order], other.inputs)
        assert torch.equal(one.labels[order], other.labels)
        assert torch.equal(one.domains[order], other.domains)


def test_a_study_with_a_table_has_domains_and_is_checked_before_a_run(folder):
    assert study(folder).with_domains == ["pets"]
    assert missing_files(study(folder, train_domains=["photo"])) == []
    [line] = missing_files(study(folder, train_domains=["clip"]))
    assert line.startswith("datasets.pets.train_domains: no training picture of domain 'clip'; val")


def without(name: str) -> dict[str, str]:
    return {each: domain for each, domain in TABLE.items() if each != name}


# What a table says, and what stands in the line that is said of it.
FAULTY = {
    "a picture left out": (
        without("train/cat/2.png"),
        "pets.csv: no row for train/cat/2.png, a picture of {pets} (missing: 1 of 8); add rows",
    ),
    "a row without a picture": (
        TABLE | {"test/cat/3.png": "clip", "test/cat/4.png": "clip"},
        "pets.csv: no picture test/cat/3.png in {pets} (rows without one: 2 of 10); correct",
    ),
    "an empty domain": (
        TABLE | {"train/dog/1.png": ""},
        "pets.csv, line 4: 'domain' is empty; fill it in or remove the row",
    ),
    "two domains": (
        TABLE | {"./train/cat/1.png": "clip"},
        "pets.csv, line 10: train/cat/1.png has domain 'clip' here and 'photo' above; remove one",
    ),
    "a path from the folder on": (
        {f"pets/{name}": domain for name, domain in TABLE.items()},
        "pets.csv, line 2: filename 'pets/train/cat/1.png' is not in train/<class>/ and",
    ),
    "a path to no class": (
        {"train": "photo"},
        "pets.csv, line 2: filename 'train' is not in train/<class>/ and test/<class>/; write",
    ),
    "a formula": (
        TABLE | {"train/cat/1.png": "=1+1"},
        "pets.csv, line 2: domain '=1+1' would run as a formula",
    ),
    "nothing": ({}, "pets.csv: no row for test/cat/1.png, a picture of {pets} (missing: 8 of 8)"),
}


@pytest.mark.parametrize(("rows", "line"), FAULTY.values(), ids=FAULTY)
def test_a_faulty_table_is_told_in_one_line_at_planning_and_by_the_job(folder, rows, line):
    write_table(folder, rows)
    line = line.format(pets=folder / "pets")
    [told] = missing_files(study(folder))
    assert told.startswith(f"datasets.pets.domains: {folder}/{line}")
    with refused(line):
        image_folder.load(folder, "pets", domains="pets.csv")


def test_data_sets_that_share_a_table_have_its_fault_told_once(folder):
    write_table(folder, without("train/cat/2.png"))
    shutil.make_archive(str(folder / "pets"), "zip", folder / "pets")
    spec = {"source": "image_folder", "domains": "pets.csv", "train_domains": ["photo", "sketch"]}
    sweep = {"axes": {"datasets.pets.left_out_domain": ["photo", "sketch"]}}
    for path, faults in (("pets", missing_files), ("pets.zip", lambda s: own_data_lines(s)[0])):
        config = {"data_dir": str(folder), "datasets": {"pets": {**spec, "path": path}}}
        config |= {"evaluation": {"corruptions": None}, "sweeps": {"folds": sweep}}
        [line] = faults(load_study({**BASE, **config}, SCHEMA))
        assert line.startswith("datasets.pets")
        assert "no row for train/cat/2.png" in line


def test_a_table_that_is_none_is_told_in_one_line_at_planning(folder):
    where = f"datasets.pets.domains: {folder / 'pets.csv'}"
    write_table(folder, TABLE, header="file,domain")
    assert missing_files(study(folder)) == [
        f"{where}: no column 'filename' (did you mean 'file'?); its first line must name the"
        " columns filename, domain, with commas between them"
    ]
    (folder / "pets.csv").write_bytes(b"\xff\xfe\x00")
    [line] = missing_files(study(folder))
    assert line.startswith(f"{where}: not a table in UTF-8")
    (folder / "pets.csv").unlink()
    assert missing_files(study(folder)) == [
        f"{where} does not exist; write a table with the columns filename,domain there, or name"
        " another one"
    ]


def test_of_a_packed_tar_the_table_alone_is_read_at_planning_and_of_a_zip_its_names(folder):
    for kind in ("tar", "zip"):
        shutil.make_archive(str(folder / "pets"), kind, folder / "pets")
    write_table(folder, without("train/cat/2.png"))
    assert missing_files(study(folder, path="pets.tar")) == []
    with refused("no row for train/cat/2.png", "(missing: 1 of 8)"):
        image_folder.load(folder, "pets.tar", domains="pets.csv")
    [line] = own_data_lines(study(folder, path="pets.zip"))[0]
    assert line.startswith(f"datasets.pets: {folder}/pets.csv: no row for train/cat/2.png")
    write_table(folder, TABLE | {"train/dog/1.png": ""})
    [line] = missing_files(study(folder, path="pets.tar"))
    assert "pets.csv, line 4: 'domain' is empty" in line
    write_table(folder, TABLE)
    [line] = missing_files(study(folder, path="pets.tar", train_domains=["photos"]))
    assert line.endswith("no training picture of domain 'photos'; did you mean 'photo'?")


@pytest.mark.parametrize("domains", ["pets.csv", True])
def test_pictures_of_domains_that_are_not_trained_on_do_not_count(folder, domains):
    picture(folder / "pets/train/cat/3.png", 100)
    write_table(folder, TABLE | {"train/cat/3.png": "photo"})
    if domains is True:
        for split in ("train", "test"):
            (folder / "pets" / split).rename(folder / "whole")
            for name, domain in (TABLE | {"train/cat/3.png": "photo"}).items():
                if name.startswith(split):
                    _, label, file = name.split("/")
                    place = folder / "pets" / split / domain / label
                    place.mkdir(parents=True, exist_ok=True)
                    (folder / "whole" / label / file).rename(place / file)
            shutil.rmtree(folder / "whole")
    found = study(folder, domains=domains, train_domains=["photo"])
    _, (counts, *_) = own_data_lines(found)
    assert counts.startswith(
        "pets: 3 pictures in train and 4 in test; 2 classes (train + test: cat 2"
    )
    size = counted_size(found, "pets")
    assert (size.train, size.test, size.classes) == (3, 4, 2)


def test_a_table_tells_the_size_of_an_archive(folder):
    shutil.make_archive(str(folder / "pets"), "gztar", folder / "pets")
    size = counted_size(study(folder, path="pets.tar.gz"), "pets")
    assert (size.train, size.test, size.classes) == (4, 4, 2)


@pytest.mark.parametrize("kind", ["shifted", "unseen"])
def test_a_further_test_set_takes_no_table(folder, kind):
    other = {"source": "image_folder", "path": "more", "domains": "more.csv"}
    with refused(f"datasets.pets.{kind}.more.domains: further test sets do not tell", "leave it"):
        study(folder, **{kind: {"more": other}})
